# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slips of the pen are caught with the right suggestion, and other people's names raise no alarm."""

from __future__ import annotations

import random
import string
import typing as t

import pytest
import yaml

from ansible_collections.resto.golive.plugins.plugin_utils import vocabulary
from ansible_collections.resto.golive.plugins.plugin_utils.lint import names

from .conftest import FIXTURES, Shop

KNOWN = vocabulary.known()
_NAMES: dict[str, list[str]] = yaml.safe_load((FIXTURES / "names.yml").read_text(encoding="utf-8"))

#: Variables of roles that shops already use, beside those that mean the same as ours (redis_port, redis_user, redis_password).
FOREIGN = _NAMES["not_ours"]

#: Names that have nothing to do with any section of ours.
STRANGERS = _NAMES["strangers"]


def judged(name: str) -> names.Slip | None:
    return names.judge(name, KNOWN, lambda _name: False)


@pytest.mark.parametrize("name", FOREIGN)
def test_names_of_other_roles_are_told_as_not_ours_and_nothing_more(name: str) -> None:
    assert judged(name) is names.FOREIGN


@pytest.mark.parametrize("name", STRANGERS)
def test_names_of_nobody_we_know_are_not_even_told(name: str) -> None:
    assert judged(name) is None


def slips(name: str, dice: random.Random) -> t.Iterator[str]:
    """Yield one slip of each sort: a letter dropped, swapped with the next, changed, doubled."""
    at = dice.randrange(len(name))
    yield name[:at] + name[at + 1 :]
    at = dice.randrange(len(name) - 1)
    yield name[:at] + name[at + 1] + name[at] + name[at + 2 :]
    at = dice.randrange(len(name))
    yield name[:at] + dice.choice(string.ascii_lowercase) + name[at + 1 :]
    at = dice.randrange(len(name))
    yield name[: at + 1] + name[at:]


@pytest.mark.parametrize("seed", range(3))
def test_a_slip_in_a_known_name_is_caught_with_the_right_suggestion(seed: int) -> None:
    dice = random.Random(seed)
    missed = []
    for name in KNOWN:
        for wrong in slips(name, dice):
            if wrong in KNOWN:  # a slip that is another known name cannot be seen, and nor can none
                continue
            slip = judged(wrong)
            if slip is None or slip.code != "unknown" or name not in slip.params["suggestion"].split(", "):
                missed.append((name, wrong, slip))
    assert missed == []


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("golvie_owner", "golive_owner"),
        ("postgress_restore_rto_minutes", "postgres_restore_rto_minutes"),
        ("securityaudit_query", "security_audit_query"),
        ("postgres_rto_restore_minutes", "postgres_restore_rto_minutes"),
        ("redis_persistance_owner", "redis_persistence_owner"),
    ],
)
def test_whole_names_are_compared(wrong: str, right: str) -> None:
    assert judged(wrong) == names.Slip("unknown", {"name": wrong, "suggestion": right})


@pytest.mark.parametrize(
    ("wrong", "listed"),
    [
        ("postgres_restore_everything_at_once", "postgres_restore_rto_minutes"),
        ("golive_command", "golive_domains"),
        ("environment_something_else_entirely", "environment_owner"),
        ("golive_url", "golive_release"),
    ],
)
def test_what_begins_like_ours_is_ours(wrong: str, listed: str) -> None:
    slip = judged(wrong)
    assert slip is not None
    assert slip.code == "unknown_prefix"
    assert listed in slip.params["options"].split(", ")


def test_distance_is_damerau_s() -> None:
    assert [names.distance("abcd", other, 3) for other in ("abcd", "abdc", "abc", "abcde", "xbcd", "bacde", "zzzz")] == [0, 1, 1, 1, 1, 2, 4]


def test_what_the_inventory_calls_foreign_is_left_alone(small: Shop) -> None:
    small.system("---\nredis_persistenc_x: 1\nredis_hots: 1\nredis_conf_path: /etc\n")
    assert [mistake.params["name"] for mistake in small.lint()] == ["redis_hots"]
    assert [(row.variable, row.kind) for row in small.rows() if row.kind == "foreign"] == [("redis_conf_path", "foreign"), ("redis_persistenc_x", "foreign")]
    small.system('---\nredis_hots: 1\nredis_conf_path: /etc\ngolive_foreign: ["redis_h*", "redis_conf_*"]\n')
    assert small.lint() == []
    assert [row for row in small.rows() if row.kind == "foreign"] == []
