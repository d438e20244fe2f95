# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What guests write, and what is understood."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from comanda import bot

CARD = [
    {"sku": "AJIACO", "name": "Ajiaco santafereño", "price_minor": 2_800_000},
    {"sku": "TEST-1", "name": "Arepa de prueba", "price_minor": 100},
    {"sku": "AREPA-Q", "name": "Arepa de queso", "price_minor": 700_000},
    {"sku": "LIMONADA", "name": "Limonada de coco", "price_minor": 900_000},
]
BOGOTA = ZoneInfo("America/Bogota")
NOW = datetime(2026, 11, 24, 13, tzinfo=BOGOTA)
CID = "golive-7d9f1f5e-4f0c-4a43-9b53-0d8f2f2b6a10"


@pytest.mark.parametrize(
    ("text", "items"),
    [
        (f"2 arepas {CID}", {"TEST-1": 2}),
        ("2 arepas de queso", {"AREPA-Q": 2}),
        ("Quiero 1 limonada y 3 ajiacos", {"LIMONADA": 1, "AJIACO": 3}),
        ("2 x 3", {"AREPA-Q": 2}),
        ("1 del 2, 2 del nº 4", {"TEST-1": 1, "LIMONADA": 2}),
        ("el 4", {"LIMONADA": 1}),
        ("una limonada y 2 limonadas", {"LIMONADA": 3}),
        ("¡50 AREPAS!", {"TEST-1": 50}),
    ],
)
def test_orders(text: str, items: dict[str, int]) -> None:
    assert bot.understand(text, CARD, NOW) == bot.Order(items)


@pytest.mark.parametrize("text", ["51 arepas", "0 arepas", "2 x 9", "2 pizzas", "30 arepas y 30 arepas", "2 arepas y algo raro", "🙂"])
def test_not_orders(text: str) -> None:
    assert bot.understand(text, CARD, NOW) == bot.Question("unknown")


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("hola", "greeting"),
        ("", "greeting"),
        (CID, "greeting"),
        ("¡Buenas tardes!", "greeting"),
        ("la carta, por favor", "menu"),
        ("¿a qué hora abren?", "hours"),
    ],
)
def test_questions(text: str, about: str) -> None:
    assert bot.understand(text, CARD, NOW) == bot.Question(about)


@pytest.mark.parametrize(
    ("text", "people", "at"),
    [
        ("reserva para 4 mañana a las 20:30", 4, datetime(2026, 11, 25, 20, 30, tzinfo=BOGOTA)),
        ("quisiera reservar hoy 19h00 2 personas", 2, datetime(2026, 11, 24, 19, tzinfo=BOGOTA)),
        ("reservar para 6 el 2026-12-01 a las 14:00", 6, datetime(2026, 12, 1, 14, tzinfo=BOGOTA)),
        ("reserva para 3 el 02/01 a las 13:00", 3, datetime(2027, 1, 2, 13, tzinfo=BOGOTA)),
        ("una reserva para hoy a las 12:00, 2 personas", 2, None),
        ("reserva para 4 el 2026-02-30 a las 14:00", 4, None),
        ("una reserva", None, None),
    ],
)
def test_reservations(text: str, people: int | None, at: datetime | None) -> None:
    assert bot.understand(text, CARD, NOW) == bot.Reservation(people, at)


def test_when_it_opens() -> None:
    assert bot.closed(datetime(2026, 11, 24, 18, tzinfo=BOGOTA), NOW) == "Ahora estamos cerrados. Abrimos hoy a las 18:00."
    assert bot.opening(datetime(2026, 11, 25, 12, tzinfo=BOGOTA), NOW) == "Abrimos mañana a las 12:00."
    assert bot.opening(datetime(2026, 11, 28, 12, tzinfo=BOGOTA), NOW) == "Abrimos el sábado 28/11 a las 12:00."
    assert bot.opening(None, NOW).startswith("Abrimos")


def test_words_of_ours() -> None:
    assert bot.menu(CARD, "COP").splitlines()[1] == "1. Ajiaco santafereño: 28,000.00 COP"
    assert "Domingo: cerrado" in bot.week({**{str(day): ["12:00-15:30", "18:00-22:00"] for day in range(6)}, "6": []})
