# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alert rules of the role ``postgres`` as Prometheus gets them, and their tests, tried by ``promtool`` on the lab's ops1."""

from __future__ import annotations

import base64
import typing as t

import jinja2
import yaml

from .test_lab import ROOT, connect

ROLE = ROOT / "roles/postgres"
TESTS = ROOT / "tests/prometheus"

#: As the role's task has it: what is in curly braces is Prometheus' own.
_TEMPLATES = jinja2.Environment(
    variable_start_string="[[", variable_end_string="]]", trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
)
_TEMPLATES.filters["bool"] = bool


def rendered(name: str, **variables: t.Any) -> str:
    return _TEMPLATES.from_string((ROLE / f"templates/{name}.yml.j2").read_text(encoding="utf-8")).render(variables)


def alerts(rules: str) -> list[str]:
    return [rule["alert"] for rule in yaml.safe_load(rules)["groups"][0]["rules"]]


def tried(name: str, rules: str) -> tuple[int, str]:
    """Return what ``promtool test rules`` makes of *rules*, with the tests of that *name*."""
    ops1 = connect("ops1")
    folder = ops1.check_output("mktemp -d")
    try:
        tests = TESTS / f"{name}_test.yml"
        for file, data in ((f"{name}.yml", rules.encode()), (tests.name, tests.read_bytes())):
            ops1.check_output(f"echo {base64.b64encode(data).decode()} | base64 -d > {folder}/{file}")
        told = ops1.run(f"promtool test rules {folder}/{tests.name}")
        return told.rc, told.stdout + told.stderr
    finally:
        ops1.check_output(f"rm -r {folder}")


def without(rules: str, alert: str) -> str:
    """Return the same rules, of which *alert* never fires."""
    body = yaml.safe_load(rules)
    next(rule for rule in body["groups"][0]["rules"] if rule["alert"] == alert)["expr"] = "vector(0) > 1"
    return yaml.safe_dump(body)
