# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bot lives here: what a guest's words ask for, and our words in return. Text in, text out; nobody is called and nothing is stored.

It understands a greeting, `carta`, `horario`, orders (`2 arepas`, `2 x 3`, `1 del 2 y 3 limonadas`) and reservations
(`reserva para 4 mañana a las 20:30`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

# What a guest (or a check) may put at the end of a message to find it again everywhere.
REFERENCE = re.compile(r"\b[a-z]{2,20}-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
MOST_OF_A_DISH = 50

_PART = re.compile(r"\s*(?:,|;|\+|\by\b)\s*")
_NUMBERED = re.compile(r"^(?:(\d+)\s*(?:x|del|de la)\s*)?(?:el|la)?\s*(?:numero|n[.º°]?|#)?\s*(\d+)$")
_NAMED = re.compile(r"^(?:quiero|quisiera|ponme|dame|me das|para mi)?\s*(\d+|un|una)\s+(?:de\s+)?([a-z][a-z ]*)$")
_PEOPLE = re.compile(r"(?:para\s+(\d{1,2})\b(?![:h/])|(\d{1,2})\s*(?:personas|comensales|pax))")
_CLOCK = re.compile(r"\b([01]?\d|2[0-3])(?::|h)([0-5]\d)\b")
_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b|\b(\d{1,2})/(\d{1,2})\b")
_DAYS = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")


@dataclass(frozen=True)
class Order:
    """Quantities by sku."""

    items: Mapping[str, int]


@dataclass(frozen=True)
class Reservation:
    """A table for so many, at an instant; None for what the guest did not say."""

    people: int | None
    at: datetime | None


@dataclass(frozen=True)
class Question:
    """`greeting`, `menu`, `hours` or `unknown`."""

    about: str


def plain(text: str) -> str:
    """Small letters without accents, single spaces."""
    letters = unicodedata.normalize("NFD", text.lower())
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).split())


def reference(text: str) -> str | None:
    """The id that the guest gave, if any."""
    found = REFERENCE.search(text.lower())
    return found[0] if found else None


def _stem(word: str) -> str:
    return word[:-2] if word.endswith("es") and len(word) > 4 else word.removesuffix("s")


def _dish(words: str, card: Sequence[Mapping[str, Any]]) -> str | None:
    """The first dish on the card whose name has all these words, singular or plural."""
    wanted = [_stem(word) for word in words.split() if word not in {"de", "con", "el", "la", "los", "las", "por", "favor"}]
    for dish in card:
        name = [_stem(word) for word in plain(dish["name"]).split()]
        if wanted and all(any(part.startswith(word) for part in name) for word in wanted):
            return str(dish["sku"])
    return None


def _order(text: str, card: Sequence[Mapping[str, Any]]) -> Order | None:
    """An order, if every part of the text is one."""
    items: dict[str, int] = {}
    for part in _PART.split(text):
        numbered, named = _NUMBERED.match(part), _NAMED.match(part)
        sku: str | None = None
        quantity = 1
        if numbered and 0 < int(numbered[2]) <= len(card):
            sku, quantity = str(card[int(numbered[2]) - 1]["sku"]), int(numbered[1] or 1)
        elif named:
            sku, quantity = _dish(named[2], card), int(named[1]) if named[1].isdecimal() else 1
        if sku is None or not 0 < quantity <= MOST_OF_A_DISH:
            return None
        items[sku] = items.get(sku, 0) + quantity
    return Order(items) if max(items.values()) <= MOST_OF_A_DISH else None


def _day(text: str, today: date) -> date | None:
    found = _DATE.search(text)
    try:
        if found and found[1]:
            return date(int(found[1]), int(found[2]), int(found[3]))
        if found:
            day = date(today.year, int(found[5]), int(found[4]))
            return day if day >= today else day.replace(year=today.year + 1)
    except ValueError:
        return None
    return today + timedelta(days=1) if "manana" in text else today


def _reservation(text: str, now: datetime) -> Reservation:
    people, clock = _PEOPLE.search(text), _CLOCK.search(text)
    day = _day(text, now.date())
    count = int(people[1] or people[2]) if people else 0
    at = datetime.combine(day, time(int(clock[1]), int(clock[2])), now.tzinfo) if day and clock else None
    return Reservation(count or None, at if at and at > now else None)


def understand(text: str, card: Sequence[Mapping[str, Any]], now: datetime) -> Order | Reservation | Question:
    """What is asked for. `card` is the menu in the order in which guests see it; `now` is the guest's time on the restaurant's wall."""
    said = plain(REFERENCE.sub(" ", text.lower())).strip(" .!¡¿?")
    if "reserv" in said:
        return _reservation(said, now)
    if re.search(r"\b(carta|menu|platos)\b", said):
        return Question("menu")
    if re.search(r"\b(horarios?|abren|abierto|cierran|hora)\b", said):
        return Question("hours")
    if re.match(r"(hola|buenas|buenos|saludos|hey)\b", said):
        return Question("greeting")
    return _order(said, card) or Question("unknown") if said else Question("greeting")


def money(minor: int, currency: str) -> str:
    """As it is written on the card."""
    return f"{minor // 100:,}.{minor % 100:02d} {currency}"


def opening(opens_at: datetime | None, now: datetime) -> str:
    """When it opens next, as one says it."""
    if opens_at is None:
        return "Abrimos pronto: aún no tenemos fecha."
    days = (opens_at.date() - now.date()).days
    day = {0: "hoy", 1: "mañana"}.get(days) or f"el {_DAYS[opens_at.weekday()]} {opens_at:%d/%m}"
    return f"Abrimos {day} a las {opens_at:%H:%M}."


def closed(opens_at: datetime | None, now: datetime) -> str:
    """Before any answer that is given out of hours."""
    return f"Ahora estamos cerrados. {opening(opens_at, now)}"


def menu(card: Sequence[Mapping[str, Any]], currency: str) -> str:
    lines = [f"{number}. {dish['name']}: {money(dish['price_minor'], currency)}" for number, dish in enumerate(card, 1)]
    return "\n".join(["Nuestra carta:", *lines, "Pide por número y cantidad, por ejemplo «2 x 1», o por nombre: «2 arepas»."])


def week(shifts: Mapping[str, Sequence[str]]) -> str:
    lines = [f"{name.capitalize()}: {' y '.join(shifts[str(day)]) or 'cerrado'}" for day, name in enumerate(_DAYS)]
    return "\n".join(["Nuestro horario:", *lines])


def wall(at: datetime, zone: str) -> datetime:
    """An instant on the restaurant's wall."""
    return at.astimezone(ZoneInfo(zone))
