# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest: every row that must exist, from the catalogue and the inventory, before anything runs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Check
from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS
from ansible_collections.resto.golive.plugins.module_utils._options import BadOptions, missing_options, validated
from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, signatures
from ansible_collections.resto.golive.plugins.plugin_utils.catalogue import Item
from ansible_collections.resto.golive.plugins.plugin_utils.variables import MISSING, BrokenVariable, HostVariables, owner, resolve

SCHEMA = 1
CONTROL = "localhost"
IMPACTS = ("passive", "active", "disruptive")

Row = dict[str, t.Any]
Record = t.Mapping[str, t.Any]
#: What git knows of a host's declaration of that name (``commits``); empty where nobody could be asked.
Recorded = t.Callable[[str, str], Record]


@dataclasses.dataclass(frozen=True)
class Inventory:
    """What the manifest needs to know of the inventory. ``hostvars`` includes the control node's."""

    groups: t.Mapping[str, t.Sequence[str]]
    hostvars: t.Mapping[str, t.Any]
    # Ansible merges a host's variables anew each time that it is asked for them, and every check asks.
    _variables: dict[str, HostVariables] = dataclasses.field(default_factory=dict, init=False, repr=False, compare=False)

    def hosts(self, group: str) -> list[str]:
        """Return the hosts of *group*, as ``golive_groups`` maps it to the user's own name."""
        mapped = self.variables(CONTROL).get("golive_groups", {})
        return list(self.groups.get(mapped.get(group, group), ()))

    def variables(self, host: str) -> HostVariables:
        if host not in self._variables:
            self._variables[host] = HostVariables(self.hostvars, host)
        return self._variables[host]


@dataclasses.dataclass(frozen=True)
class Entry:
    """A check on one host: the options that the inventory gives it and the targets that these name, or the problem that stands in the way. With neither, its
    options leave nothing to look at (``Check.wanted``)."""

    check: type[Check]
    item: Item
    host: str
    options: dict[str, t.Any]
    targets: list[tuple[str, str]]
    problem: dict[str, t.Any] | None

    def basis(self, kind: str, name: str) -> str:
        """Hash of everything that an observation is taken under. A secret counts by its name, not its value."""
        under = [self.check.name, self.check.revision, self.options, kind, name, self.item.max_age_h, self.item.release_bound, self.check.impact]
        return hashlib.sha256(json.dumps(under, sort_keys=True, default=str).encode()).hexdigest()


def vantage_hosts(check: type[Check], inventory: Inventory) -> list[str]:
    """Return the hosts that *check* runs on."""
    if check.vantage == "control":
        return [CONTROL]
    hosts = inventory.hosts(check.vantage)
    return hosts or ([CONTROL] if check.vantage == "probe" else [])


def allowed(check: type[Check], host: str, inventory: Inventory, most: str) -> str:
    """Return the most that *check* may do on *host*: the least of *most* (the environment's) and what each of its items and their sections allow.

    A check acts once for all its items, so the strictest of them decides. What is declared and is no impact allows nothing but looking.
    """
    declared = [most]
    for item in (catalogue.items()[name] for name in check.items):
        variables = _readers_variables(item, host, inventory)
        declared += [_declared_impact(variables, f"{prefix}_impact", most) for prefix in (item.prefix, item.section)]
    return min(declared, key=IMPACTS.index)


def acts_beyond(check: type[Check], limit: str) -> bool:
    return IMPACTS.index(check.impact) > IMPACTS.index(limit)


def _declared_impact(variables: HostVariables, name: str, default: str) -> str:
    try:
        value = variables.get(name, default)
    except BrokenVariable:
        return IMPACTS[0]
    return value if value in IMPACTS else IMPACTS[0]


def _readers_variables(item: Item, host: str, inventory: Inventory) -> HostVariables:
    """Return the variables that are *item*'s on *host*: its own, or those of the item's group where it is not of that group."""
    readers = inventory.hosts(item.group)
    return inventory.variables(host if host in readers or not readers else readers[0])


def entry(check: type[Check], item: Item, host: str, inventory: Inventory, *, own: bool = False) -> Entry:
    """Return what *check* would do for *item* on *host*. Its variables are those of the item's own group; with *own*, the host's own."""
    variables = inventory.variables(host) if own else _readers_variables(item, host, inventory)
    try:
        raw = resolve(check, item, variables)
    except BrokenVariable as broken:
        return Entry(check, item, host, {}, [], _problem("common.broken_variable", variable=broken.name, message=broken.message))
    missing = missing_options(check, raw)
    if missing:
        example = "\n".join(str(check.options[option].get("example", option)) for option in missing)
        return Entry(check, item, host, raw, [], _problem("verdict.undeclared", example=example))
    try:
        options = validated(check, raw)
        targets = (check.targets(options) or [("host", host)]) if check.wanted(options, hosts=bool(vantage_hosts(check, inventory))) else []
    except BadOptions as bad:
        return Entry(check, item, host, raw, [], _problem("common.bad_option", check=check.name, message=str(bad)))
    return Entry(check, item, host, raw, targets, None)


def asks(found: Entry) -> bool:
    """Whether an entry asks for anything; what is not declared as it must be asks to be."""
    return bool(found.targets or found.problem)


def build(
    inventory: Inventory, recorded: Recorded, *, environment: str, impact: str, check_mode: bool, tags: list[str], limit: str | None, in_play: list[str]
) -> dict[str, t.Any]:
    """Return the manifest of a run: ``{schema, environment, impact, check_mode, tags, limit, hosts_in_play[], items{}, rows[]}``."""
    wanted = selected_items(tags)
    rows: list[Row] = []
    for item in catalogue.items().values():
        rows += [dict(row, selected=item.id in wanted) for row in _item_rows(item, inventory, impact)]
    return {
        "schema": SCHEMA,
        "environment": environment,
        "impact": impact,
        "check_mode": check_mode,
        "tags": tags,
        "limit": limit,
        "hosts_in_play": [*in_play, CONTROL] if limit is None else in_play,
        "items": {item.id: _fields(item, inventory, recorded) for item in catalogue.items().values()},
        "rows": rows,
    }


def selected_items(tags: t.Sequence[str]) -> set[str]:
    """Return the items that the tags of the run select: all, a section's, or single ones."""
    if not tags or "all" in tags:
        return set(catalogue.items())
    return {item.id for item in catalogue.items().values() if item.id in tags or item.section in tags}


def unknown_tags(tags: t.Sequence[str]) -> list[str]:
    """Return the tags that neither the catalogue nor Ansible knows."""
    known = {"all", "always", "inventory", "tagged", "untagged", "never"}
    return [tag for tag in tags if tag not in known | set(catalogue.items()) | set(catalogue.sections())]


def carried(manifest: dict[str, t.Any], last: dict[str, t.Any] | None, retired: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Return *manifest* with the rows that the last sealed one had and this one lacks, as ``scope_reduced``, unless an approved declaration retires them."""
    if last is None:
        return manifest
    have = {_identity(row) for row in manifest["rows"]}
    lost = [row for row in last["rows"] if row["check"] and _identity(row) not in have and not any(retires(entry, row) for entry in retired)]
    for row in lost:
        target = f"{row['item']} · {row['target']['host']} · {row['target']['name']}"
        row["problem"] = _problem("verdict.scope_reduced", target=target)
    return {**manifest, "rows": manifest["rows"] + lost}


def _identity(row: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    return row["item"], row["check"], row["target"]["host"], row["target"]["kind"], row["target"]["name"]


def retires(entry_: t.Mapping[str, t.Any], row: t.Mapping[str, t.Any]) -> bool:
    """``{host, item, target, reason, by, approver}``: what is given must match, and at least a host, an item or a target is."""
    if signatures.not_applicable_flaw(entry_) is not None:
        return False
    given = {name: entry_[name] for name in ("host", "item", "target") if name in entry_}
    have = {"host": row["target"]["host"], "item": row["item"], "target": row["target"]["name"]}
    return bool(given) and all(have[name] == value for name, value in given.items())


def _item_rows(item: Item, inventory: Inventory, impact: str) -> t.Iterator[Row]:
    checks = [check for check in CHECKS.values() if item.id in check.items]
    if not checks:
        yield _row(item, "", "", "item", item.id, _problem("verdict.no_check"))
    for check in checks:
        hosts = vantage_hosts(check, inventory)
        if not hosts and asks(entry(check, item, CONTROL, inventory)):
            yield _row(item, check.name, "", "item", item.id, _problem("verdict.no_hosts", group=check.vantage, item=item.prefix))
        for host in hosts:
            limit = allowed(check, host, inventory, impact)
            found = entry(check, item, host, inventory)
            if found.problem:
                yield _row(item, check.name, host, "host", host, found.problem)
            for kind, name in found.targets:
                yield {
                    **_row(item, check.name, host, kind, name, None),
                    "basis": found.basis(kind, name),
                    "impact": check.impact,
                    "drill": check.drill,
                    "proven_by": check.proven_by,
                    "allowed": limit,
                    "beyond_impact": acts_beyond(check, limit),
                }


def _row(item: Item, check: str, host: str, kind: str, name: str, problem: dict[str, t.Any] | None) -> Row:
    return {"item": item.id, "check": check, "target": {"host": host, "kind": kind, "name": name}, "basis": "", "impact": "passive", "problem": problem}


def _problem(code: str, **params: t.Any) -> dict[str, t.Any]:
    return {"code": code, "params": params}


def _fields(item: Item, inventory: Inventory, recorded: Recorded) -> dict[str, t.Any]:
    hosts = inventory.hosts(item.group)
    host = hosts[0] if hosts else CONTROL
    variables = inventory.variables(host)
    return {
        "severity": item.severity,
        "waivable": item.waivable,
        "max_age_h": item.max_age_h,
        "release_bound": item.release_bound,
        "attestation": item.attestation,
        "group": item.group,
        "owner": owner(item, variables),
        "not_applicable": _not_applicable(item, variables, bool(hosts), lambda name: recorded(host, name)),
    }


def _not_applicable(item: Item, variables: HostVariables, has_hosts: bool, recorded: t.Callable[[str], Record]) -> dict[str, t.Any] | None:
    """Return the state and reason that a declaration gives the item, or None where nobody declared anything."""
    for name in (f"{item.prefix}_not_applicable", f"{item.section}_not_applicable"):
        declared = variables.get(name)
        if declared is MISSING:
            continue
        flaw = signatures.not_applicable_flaw(declared) or signatures.record_flaw({**declared, signatures.RECORDED: recorded(name)})
        if flaw is not None:
            return {"state": "unknown", "reason": _problem("verdict.not_applicable_refused", variable=name, flaw=flaw)}
        if has_hosts and item.group == item.section:
            return {"state": "fail", "reason": _problem("verdict.contradicted", group=item.group)}
        return {"state": "not_applicable", "reason": _problem("verdict.not_applicable", **{key: declared[key] for key in ("reason", "by", "approver")})}
    return None
