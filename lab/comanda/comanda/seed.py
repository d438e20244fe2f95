# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's restaurants live here, and the command that puts them into an empty database: what is there already is left as it is.

Two restaurants in zones that differ, and for each a flagged test restaurant (`is_test`): all that checks may touch.
Test users come from a credential, so that no password stands in the code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from comanda import passwords, settings

BOGOTA_WEEK = {**dict.fromkeys(range(6), ("12:00-15:30", "18:00-22:00")), 6: ("12:00-16:00",)}
MADRID_WEEK = {**dict.fromkeys(range(4), ("13:00-16:00", "20:00-00:00")), 4: ("20:00-02:00",), 5: ("20:00-02:00",)}
MADRID_SPECIAL = {"2026-12-24": ("13:00-16:00",), "2026-12-25": ()}
BOGOTA_MENU = (("AREPA-Q", "Arepa de queso", 700_000), ("AJIACO", "Ajiaco santafereño", 2_800_000), ("LIMONADA", "Limonada de coco", 900_000))
MADRID_MENU = (("TORTILLA", "Tortilla de patatas", 900), ("CROQUETAS", "Croquetas de jamón", 1_050), ("CALLOS", "Callos a la madrileña", 1_400))
TEST_DISH = ("TEST-1", "Arepa de prueba", 100)

# slug, name, zone, currency, is_test, week, special days, menu
RESTAURANTS: Sequence[tuple[str, str, str, str, bool, Mapping[int, Sequence[str]], Mapping[str, Sequence[str]], Sequence[tuple[str, str, int]]]] = (
    ("la-candelaria", "La Candelaria", "America/Bogota", "COP", False, BOGOTA_WEEK, {}, BOGOTA_MENU),
    ("lavapies", "Taberna Lavapiés", "Europe/Madrid", "EUR", False, MADRID_WEEK, MADRID_SPECIAL, MADRID_MENU),
    ("test-bogota", "Prueba Bogotá", "America/Bogota", "COP", True, BOGOTA_WEEK, {}, (TEST_DISH, *BOGOTA_MENU)),
    ("test-madrid", "Prueba Madrid", "Europe/Madrid", "EUR", True, MADRID_WEEK, MADRID_SPECIAL, (TEST_DISH, *MADRID_MENU)),
)

# Provider, account, guest (None: everybody), restaurant. The test restaurants share one account of each provider; a guest's phone says which.
TEST_GUESTS = (("+570000000001", "test-bogota"), ("+340000000001", "test-madrid"), (None, "test-bogota"))
TEST_ACCOUNTS = (("whatsapp", "100000000000001"), ("twilio", "AC00000000000000000000000000000001"), ("stripe", ""), ("mercadopago", ""))
CHANNELS: Sequence[tuple[str, str, str | None, str]] = (
    *((provider, account, guest, slug) for provider, account in TEST_ACCOUNTS for guest, slug in TEST_GUESTS),
    ("whatsapp", "100000000000002", None, "la-candelaria"),
    ("whatsapp", "100000000000003", None, "lavapies"),
)

CHANNEL = """insert into channels (provider, account, guest, tenant_id) select %s, %s, %s, id from tenants where slug = %s
    on conflict do nothing returning id"""
TENANT = "insert into tenants (slug, name, zone, currency, is_test) values (%s, %s, %s, %s, %s) on conflict (slug) do nothing returning id"
HOURS = "insert into business_hours (tenant_id, weekday, opens, closes) values (%s, %s, %s, %s)"
SPECIAL = "insert into special_days (tenant_id, day, opens, closes) values (%s, %s, %s, %s)"
DISH = "insert into menu_items (tenant_id, sku, name, price_minor) values (%s, %s, %s, %s)"
USER = """insert into users (tenant_id, email, role, password_hash) select id, %s, %s, %s from tenants where slug = %s
    on conflict (email) do update set role = excluded.role, password_hash = excluded.password_hash"""


def _restaurants(connection: psycopg.Connection[Any]) -> int:
    """Add the restaurants that are not there; how many that were."""
    added = 0
    for slug, name, zone, currency, is_test, week, special, menu in RESTAURANTS:
        row = connection.execute(TENANT, [slug, name, zone, currency, is_test]).fetchone()
        if row is None:
            continue
        cursor = connection.cursor()
        cursor.executemany(HOURS, [[row[0], day, *shift.split("-")] for day, shifts in week.items() for shift in shifts])
        cursor.executemany(SPECIAL, [[row[0], day, *shift.split("-")] for day, shifts in special.items() for shift in shifts])
        cursor.executemany(SPECIAL, [[row[0], day, None, None] for day, shifts in special.items() if not shifts])
        cursor.executemany(DISH, [[row[0], *dish] for dish in menu])
        added += 1
    return added


def _channels(connection: psycopg.Connection[Any]) -> int:
    """Add the accounts that are not known; how many that were."""
    return sum(connection.execute(CHANNEL, list(channel)).fetchone() is not None for channel in CHANNELS)


def _users(connection: psycopg.Connection[Any], users: Sequence[Mapping[str, str]]) -> int:
    """Add or correct the users of test restaurants; how many were touched."""
    touched = 0
    for user in users:
        known = connection.execute("select role, password_hash from users where email = %s", [user["email"]]).fetchone()
        if known and known[0] == user["role"] and passwords.matches(user["password"], known[1]):
            continue
        connection.execute(USER, [user["email"], user["role"], passwords.keep(user["password"]), user["restaurant"]])
        touched += 1
    return touched


def run() -> str:
    """Seed; what was added, in words that say whether anything changed."""
    try:
        users = json.loads(settings.secret("TEST_USERS"))
    except json.JSONDecodeError:
        raise settings.SettingError("TEST_USERS is not JSON") from None
    with psycopg.connect(settings.database_url()) as connection:
        restaurants, channels, people = _restaurants(connection), _channels(connection), _users(connection, users)
    anything = restaurants or channels or people
    return f"seeded: {restaurants} restaurants, {channels} channels, {people} users" if anything else "nothing to seed"
