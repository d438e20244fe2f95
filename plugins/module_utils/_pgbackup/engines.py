# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engines behind the job, the checks and the drill: each does the same few things, and who calls does not ask which it is."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import typing as t

from . import cage, dump, files, foreign, labels, look, offsite, physical, pitr, retain, sight

Json = t.Any
Config = t.Mapping[str, Json]


@dataclasses.dataclass(frozen=True)
class Engine:
    """``take`` makes a backup and returns its manifest; ``look`` sees what there is; ``stored`` says what a drill must know before it begins; ``fetch`` brings
    a backup; ``copy`` makes a cluster of it in the cage; ``begin`` makes the place that backups go to, and says what it did; ``kept`` says what there is and
    what there was; ``accept`` takes what is gone for gone.
    """

    take: t.Callable[[Config, datetime.datetime], dict[str, Json]]
    look: t.Callable[[Config], dict[str, Json]]
    stored: t.Callable[[Config], dict[str, Json]]
    fetch: t.Callable[[Config], dict[str, Json]]
    begin: t.Callable[[Config], Json]
    kept: t.Callable[[Config, datetime.datetime], dict[str, Json]]
    accept: t.Callable[[Config, datetime.datetime], dict[str, Json]]
    copy: t.Callable[[cage.Plan], cage.Copy]


def _stored(config: Config) -> dict[str, Json]:
    """``local_system`` is the identifier of the cluster that the job backs up, as its newest local copy has it: the live one is asked for nothing."""
    directory = pathlib.Path(config["directory"])
    running = look.running(directory)
    if running is not None:
        return {"running_s": running, "newest": None, "manifest": None}  # what it makes and prunes right now is nobody's to read
    # The history first: a copy that is carried while we ask is not missed then.
    here, history = files.listed(directory), files.history(directory)
    copies = offsite.stored(config)
    newest = copies[0] if copies else None
    return {
        "running_s": running,
        "newest": newest,
        "unlisted": offsite.unlisted(history, copies),
        "local_system": retain.system_of(directory / here[0]) if here else "",
        **(_manifest(config, newest["snapshot"]) if newest else {"manifest": None}),
    }


def _manifest(config: Config, snapshot: str) -> dict[str, Json]:
    """Return the newest copy's manifest; one that is damaged where it is stored is an answer of its own, and says which copy it is."""
    try:
        return {"manifest": offsite.manifest_of(config, snapshot)}
    except offsite.Refused as problem:
        if problem.name != "damaged":
            raise
        return {"manifest": None, "failed": problem.phase, "name": problem.name, "why": str(problem)}


def _fetch(order: Config) -> dict[str, Json]:
    retain.mark_in_use(order["config"], str(order["id"]), datetime.datetime.now(datetime.UTC))
    return offsite.fetch(order)


ENGINES = {
    "dump": Engine(dump.take, look.look, _stored, _fetch, offsite.begin, retain.told, retain.accept, cage.Copy),
    "pgbackrest": Engine(pitr.take, sight.look, pitr.stored, pitr.fetch, pitr.begin, labels.kept, labels.accept, physical.Physical),
}


#: How a copy is made of what others brought. They take, keep and bring it themselves.
COPIES: dict[str, t.Callable[[cage.Plan], cage.Copy]] = {
    **{name: engine.copy for name, engine in ENGINES.items()},
    "external": foreign.copy,
    "managed": foreign.copy,
}


def of(config: Config) -> Engine:
    """Return the engine of a job's configuration, of an order or of a plan."""
    return ENGINES[str((config.get("config") or config).get("engine") or "dump")]
