# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mistake 8: what people sign keeps the rules, and comes from nowhere but the whole system's files."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from .conftest import Shop

WAIVER = {
    "item": "observability.dashboard",
    "covers": ["fail"],
    "reason": "sin datos",
    "compensation": "alerta",
    "owner": "ana@comanda.example",
    "approver": "luis@comanda.example",
    "at": "2026-11-20",
    "expires": "2026-12-20",
}
ATTESTATION = {
    "item": "operations.support",
    "by": "sofia@comanda.example",
    "role": "lead",
    "at": "2026-11-20",
    "expires": "2027-02-18",
    "evidence": "docs/soporte.md",
    "statement": "10:00-00:00",
}
FILE = "shop/group_vars/all/90_decisions.yml"


def texts(shop: Shop, name: str, entry: dict[str, t.Any], language: str = "en") -> list[str]:
    shop.write("group_vars/all/90_decisions.yml", "---\n" + yaml.safe_dump({name: [entry]}, sort_keys=False))
    return [text.partition(": ")[2] for text in shop.texts(language)]


def test_good_signatures_are_no_mistake(small: Shop) -> None:
    assert texts(small, "golive_waivers", WAIVER) == []
    assert texts(small, "golive_attestations", ATTESTATION) == []
    assert texts(small, "golive_waivers", {**WAIVER, "at": "2026-11-25", "expires": "2026-11-26"}) == [], "where the day begins first, it is the 25th"


@pytest.mark.parametrize(
    ("change", "en", "es"),
    [
        (
            {"expires": "2027-06-01"},
            "golive_waivers[0]: expires 2027-06-01 is 193 days away, at most 90",
            "golive_waivers[0]: vence el 2027-06-01, a 193 días; como máximo 90",
        ),
        ({"approver": "Ana@comanda.example "}, None, None),
        (
            {"approver": "Ana@comanda.example"},
            "golive_waivers[0]: approver must be another person",
            "golive_waivers[0]: quien aprueba (approver) debe ser otra persona",
        ),
        ({"item": "postgres.restore"}, "golive_waivers[0]: postgres.restore cannot be waived", "golive_waivers[0]: postgres.restore no admite excepciones"),
        (
            {"at": "2026-11-27"},
            "golive_waivers[0]: is signed on 2026-11-27, which is still to come",
            "golive_waivers[0]: está firmado el 2026-11-27, que aún no llega",
        ),
        (
            {"expires": "2026-11-01"},
            "golive_waivers[0]: expires 2026-11-01, before it was signed (2026-11-20)",
            "golive_waivers[0]: vence el 2026-11-01, antes de firmarse (2026-11-20)",
        ),
        ({"compensation": ""}, "golive_waivers[0]: compensation is missing", "golive_waivers[0]: falta compensation"),
        ({"covers": ["error"]}, "golive_waivers[0].covers[0] must be one of: fail, warn", "golive_waivers[0].covers[0] debe ser uno de: fail, warn"),
    ],
)
def test_waivers(small: Shop, change: dict[str, t.Any], en: str | None, es: str | None) -> None:
    found = texts(small, "golive_waivers", {**WAIVER, **change})
    if en is None:
        assert any("approver must be another person" in text for text in found), "a space does not make another person"
    else:
        assert found == [en]
        assert texts(small, "golive_waivers", {**WAIVER, **change}, "es") == [es]


def test_an_unknown_item(small: Shop) -> None:
    (text,) = texts(small, "golive_waivers", {**WAIVER, "item": "postgres.backup"})
    assert text.startswith("golive_waivers[0].item: no item is called postgres.backup. Did you mean postgres.backups?")


def test_an_attestation_holds_180_days_at_most(small: Shop) -> None:
    assert texts(small, "golive_attestations", {**ATTESTATION, "expires": "2027-05-19"}) == []
    assert texts(small, "golive_attestations", {**ATTESTATION, "expires": "2027-05-20"}) == [
        "golive_attestations[0]: expires 2027-05-20 is 181 days away, at most 180"
    ]
    assert texts(small, "golive_attestations", {key: value for key, value in ATTESTATION.items() if key != "evidence"}) == [
        "golive_attestations[0]: evidence is missing"
    ]


def test_an_attestation_is_not_signed_ahead(small: Shop) -> None:
    ahead = {**ATTESTATION, "at": "2026-11-26"}
    assert texts(small, "golive_attestations", ahead) == ["golive_attestations[0]: is signed on 2026-11-26, which is still to come"]
    assert texts(small, "golive_attestations", ahead, "es") == ["golive_attestations[0]: está firmado el 2026-11-26, que aún no llega"]
    assert texts(small, "golive_attestations", {**ATTESTATION, "at": "2026-11-25"}) == []


def test_a_date_without_quotes(small: Shop) -> None:
    small.write("group_vars/all/90_decisions.yml", "---\n" + yaml.safe_dump({"golive_waivers": [{**WAIVER, "at": "AT"}]}).replace("AT", "2026-11-20"))
    assert [text.partition(": ")[2] for text in small.texts()] == ["golive_waivers[0].at arrived as date 2026-11-20; if you wrote 2026-11-20, quote it"]


def test_the_line_of_the_field(small: Shop) -> None:
    small.write("group_vars/all/90_decisions.yml", "---\n" + yaml.safe_dump({"golive_waivers": [{**WAIVER, "approver": WAIVER["owner"]}]}, sort_keys=False))
    assert small.texts() == [f"{FILE}:9: golive_waivers[0]: approver must be another person"]


def test_never_from_the_command_line(small: Shop, extra: t.Callable[..., None]) -> None:
    extra(golive_waivers=[WAIVER])
    assert small.texts() == ["-e: golive_waivers came with -e: a signature must not come from there. Write it in group_vars/all"]
    assert small.texts("es") == ["-e: golive_waivers vino con -e: una firma no puede venir de ahí. Escríbela en group_vars/all"]


def test_never_on_one_host(small: Shop) -> None:
    small.write("host_vars/vps1.yml", "---\n" + yaml.safe_dump({"golive_attestations": [ATTESTATION]}))
    assert small.texts() == [
        "shop/host_vars/vps1.yml:2: golive_attestations is set on vps1: a signature holds for the whole environment. Write it in group_vars/all",
    ]
