# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: runs with their observations, sealed so that a row changed, a file cut off or a run removed is seen.

``<reports>/<environment>/runs/<run_id>/`` holds ``start.json`` (who writes), ``manifest.json``, one ``<host>.jsonl`` a host (one writer, whole lines) and,
once the run is over, ``run.json``: its seal. A seal vouches for those before it that no other vouches for, and ``runs/HEAD`` for the newest: whichever runs
are removed, the newest of them is missed by a seal that is left or by HEAD. A HEAD that is gone is not made anew, or a later run would hide what went with it.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import os
import pathlib
import secrets
import socket
import typing as t

SCHEMA = 1
START, MANIFEST, SEAL, HEAD = "start.json", "manifest.json", "run.json", "HEAD"

Row = dict[str, t.Any]

#: Longer than any run takes, its drills included. What another machine began before that, and never sealed, was killed.
LONGEST = datetime.timedelta(hours=24)

#: What reading a file that anybody may have written raises.
_BROKEN = (OSError, ValueError, KeyError, TypeError, AttributeError)


@dataclasses.dataclass(frozen=True)
class Problem:
    """Something wrong with the run as a whole; ``code`` and ``params`` are of a text."""

    code: str
    params: dict[str, t.Any]


@dataclasses.dataclass
class Run:
    """A run on disk. ``rows`` are its lines in the order that the seal covers; ``seal`` is that of a sealed run that :func:`load` found intact."""

    path: pathlib.Path
    start: dict[str, t.Any]
    manifest: dict[str, t.Any]
    rows: list[Row]
    seal: dict[str, t.Any] = dataclasses.field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.path.name


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def timestamp(moment: datetime.datetime) -> str:
    """Return *moment* as RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def start(runs: pathlib.Path, environment: str, manifest: dict[str, t.Any]) -> pathlib.Path:
    """Make the directory of a new run below *runs* and write its manifest; returns the directory."""
    run_id = f"{now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    path = runs / run_id
    path.mkdir(parents=True, mode=0o750)
    write_atomically(
        path / START,
        {"schema": SCHEMA, "run_id": run_id, "environment": environment, "started_at": timestamp(now()), "pid": os.getppid(), "node": socket.gethostname()},
    )
    write_atomically(path / MANIFEST, manifest)
    return path


def append(path: pathlib.Path, host: str, rows: t.Iterable[Row]) -> None:
    """Add *rows* to the file of *host* in one write of whole lines."""
    data = "".join(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n" for row in rows)
    descriptor = os.open(path / f"{_safe(host)}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(data)


def read(path: pathlib.Path) -> Run:
    """Return the run at *path*. Raises ``OSError`` and ``ValueError``."""
    rows = [json.loads(line) for _name, line in _lines(path)]
    return Run(path, json.loads((path / START).read_text()), json.loads((path / MANIFEST).read_text()), rows)


def seal(path: pathlib.Path, *, adopted: bool = False, **facts: t.Any) -> dict[str, t.Any]:
    """Write the seal of the run at *path* and make it the newest. A last line that was not finished is not part of it."""
    run = read(path)
    head, lost = _head(path.parent)
    body = {
        "schema": SCHEMA,
        "run_id": run.id,
        "environment": run.start["environment"],
        "started_at": run.start["started_at"],
        "sealed_at": timestamp(now()),
        "adopted": adopted,
        "known": _unvouched(path.parent, head),
        **_sums(path),
        **facts,
    }
    write_atomically(path / SEAL, body)
    if lost is None:
        write_atomically(path.parent / HEAD, {"run_id": run.id, "seal_sha256": _sha256(path / SEAL)})
    return body


def adopt_leftovers(runs: pathlib.Path, current: pathlib.Path) -> None:
    """Seal what killed runs left behind, so that what they saw counts. A run that may still be going on is left alone: of another machine's, in a shared
    ledger, nobody here can say until it is older than any run may take."""
    for path in _directories(runs):
        if path != current and not (path / SEAL).exists() and (path / MANIFEST).exists() and (over(path) or _old(path)):
            seal(path, adopted=True)


def over(path: pathlib.Path) -> bool:
    """Say whether the run at *path* is certainly over: sealed, or killed on this very machine. Of another machine's nobody here can say."""
    if (path / SEAL).exists():
        return True
    try:
        started = json.loads((path / START).read_text())
    except (OSError, ValueError):
        return False
    return bool(started["node"] == socket.gethostname()) and not _alive(started)


def _old(path: pathlib.Path) -> bool:
    """Whether another machine's run began so long ago that it was killed."""
    started = json.loads((path / START).read_text())
    return started["node"] != socket.gethostname() and now() - datetime.datetime.fromisoformat(started["started_at"]) > LONGEST


def load(runs: pathlib.Path, environment: str) -> tuple[list[Run], list[Problem]]:
    """Return all sealed runs below *runs*, oldest first, and everything that is wrong with them."""
    found, problems = [], []
    head, lost = _head(runs)
    known = [head]
    for path in _sealed(runs):
        try:
            body = json.loads((path / SEAL).read_text())
            known.append(dict(body["known"]))
            run = read(path)
            problem = _flaw(run, body, environment)
        except _BROKEN as error:
            problems.append(Problem("ledger.unreadable", {"run": path.name, "message": str(error)[:200]}))
            continue
        if problem is None:
            found.append(dataclasses.replace(run, seal=body))
        else:
            problems.append(problem)
    if lost is not None:
        problems.append(Problem("ledger.head_lost", {"message": lost}))
    return found, problems + _missing(runs, known)


def observations(sealed: t.Iterable[Run]) -> list[Row]:
    """Return what the *sealed* runs saw, each row with the moment of its seal (``sealed_at``): a time after that is none at which it was seen."""
    return [{**row, "sealed_at": run.seal["sealed_at"]} for run in sealed for row in run.rows if row["row"] == "observation"]


def _flaw(run: Run, body: dict[str, t.Any], environment: str) -> Problem | None:
    """What is wrong with *run* by its own seal, or None."""
    if any(body[key] != value for key, value in _sums(run.path).items()):
        return Problem("ledger.broken_seal", {"run": run.id})
    foreign = {body["environment"], run.start["environment"]} | {row["environment"] for row in run.rows}
    if foreign != {environment}:
        return Problem("ledger.foreign", {"run": run.id, "environment": ", ".join(sorted(foreign - {environment}))})
    return None


def _missing(runs: pathlib.Path, known: t.Iterable[dict[str, str]]) -> list[Problem]:
    """Runs that a seal, or HEAD, vouches for, and that are gone or have another seal now."""
    problems = set()
    for run_id, digest in (pair for vouched in known for pair in vouched.items()):
        path = runs / run_id / SEAL
        if not path.exists():
            problems.add(("ledger.run_removed", run_id))
        elif _sha256(path) != digest:
            problems.add(("ledger.broken_seal", run_id))
    return [Problem(code, {"run": run_id}) for code, run_id in sorted(problems)]


def _head(runs: pathlib.Path) -> tuple[dict[str, str], str | None]:
    """Return what HEAD vouches for, and why it cannot be known although there was once a sealed run."""
    try:
        head = json.loads((runs / HEAD).read_text())
        return {str(head["run_id"]): str(head["seal_sha256"])}, None
    except FileNotFoundError:
        return {}, f"no {HEAD}" if _sealed(runs) else None
    except _BROKEN as error:
        return {}, str(error)[:200]


def _unvouched(runs: pathlib.Path, head: dict[str, str]) -> dict[str, str]:
    """What a new seal vouches for: what no seal that is here vouches for yet, and the newest as HEAD has it, even if it is gone."""
    sealed = _sealed(runs)
    vouched = {run_id for path in sealed for run_id in _known(path)}
    loose = {path.name: _sha256(path / SEAL) for path in sealed} | head
    return {run_id: digest for run_id, digest in loose.items() if run_id not in vouched}


def _known(path: pathlib.Path) -> dict[str, str]:
    """What the seal of the run at *path* vouches for: nothing, where it cannot be read."""
    try:
        return dict(json.loads((path / SEAL).read_text())["known"])
    except _BROKEN:
        return {}


def _sums(path: pathlib.Path) -> dict[str, t.Any]:
    """What the seal says of the run's content: number of rows, head of the chain, sums of manifest and start."""
    head, count = hashlib.sha256(), 0
    digest = ""
    for name, line in _lines(path):
        head = hashlib.sha256(f"{digest}\n{name}\n{line}".encode())
        digest, count = head.hexdigest(), count + 1
    return {"rows": count, "head": digest, "manifest_sha256": _sha256(path / MANIFEST), "start_sha256": _sha256(path / START)}


def _lines(path: pathlib.Path) -> t.Iterator[tuple[str, str]]:
    """Yield ``(file name, line)`` of every whole line of the run."""
    for file in sorted(path.glob("*.jsonl")):
        whole, _newline, _unfinished = file.read_text(encoding="utf-8").rpartition("\n")
        for line in whole.split("\n") if whole else []:
            yield file.name, line


def _directories(runs: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for path in runs.iterdir() if path.is_dir()) if runs.is_dir() else []


def _sealed(runs: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in _directories(runs) if (path / SEAL).exists()]


def _alive(started: dict[str, t.Any]) -> bool:
    """Whether the process of a run of this machine is there."""
    try:
        os.kill(started["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sha256(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _safe(host: str) -> str:
    """A file name for *host*: inventory names may hold anything."""
    return "".join(c if c.isalnum() or c in "._-" else f"%{ord(c):02x}" for c in host)


def write_atomically(path: pathlib.Path, body: t.Any) -> None:
    """Write *body* as JSON so that a reader sees the old file or the new one, never half of one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        json.dump(body, handle, indent=1, sort_keys=True, ensure_ascii=False)
        handle.write("\n")
    os.replace(temporary, path)
