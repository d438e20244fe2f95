# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that the job and the drill start: PostgreSQL's own and restic. Argument lists only; no secret ever stands among them."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import typing as t

#: Given with every session of ours: where nothing is given, libpq takes PGOPTIONS of whoever calls.
SESSION = "-c statement_timeout=0"

#: Where Debian and PGDG put the programs of each major version.
PLACES = ("/usr/lib/postgresql/{major}/bin", "/usr/pgsql-{major}/bin")

#: With a server of this version or newer, that too: (first version, option).
SESSION_SINCE = ((170000, "-c transaction_timeout=0"),)


class Failed(Exception):
    """A step did not work. ``phase`` says which, ``str()`` says why in the program's own last words; ``said`` is all that it complained about."""

    def __init__(self, phase: str, why: str, said: str = "") -> None:
        super().__init__(why)
        self.phase = phase
        self.said = said or why


def last_words(text: str, limit: int = 400) -> str:
    """Return the end of what a program complained about, on one line."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return " | ".join(lines[-3:])[-limit:]


def run(
    phase: str,
    argv: t.Sequence[str | pathlib.Path],
    *,
    env: t.Mapping[str, str] | None = None,
    user: str | None = None,
    cwd: str | None = None,
    ok: int = 0,
    within_s: float | None = None,
) -> str:
    """Run one program to its end and return what it said. Raises :class:`Failed` unless it ended with *ok*."""
    done = ended(phase, argv, env=env, user=user, cwd=cwd, within_s=within_s)
    if done.returncode != ok:
        said = done.stderr or done.stdout
        raise Failed(phase, f"{os.path.basename(str(argv[0]))} ended with {done.returncode}: {last_words(said)}", said)
    return done.stdout


def ended(
    phase: str,
    argv: t.Sequence[str | pathlib.Path],
    *,
    env: t.Mapping[str, str] | None = None,
    user: str | None = None,
    cwd: str | None = None,
    within_s: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run one program to its end, however that is. Raises :class:`Failed` where it cannot be started, and with what it said so far where it takes too long."""
    words = [str(word) for word in argv]
    try:
        return subprocess.run(words, check=False, capture_output=True, text=True, errors="replace", env=environment(env), user=user, cwd=cwd, timeout=within_s)
    except OSError as problem:
        raise Failed(phase, f"{words[0]}: {problem.strerror}") from None
    except subprocess.TimeoutExpired as late:
        so_far = (late.stderr or b"").decode(errors="replace")  # bytes, whatever was asked for
        raise Failed(phase, f"{os.path.basename(words[0])} did not end within {within_s:g} s: {last_words(so_far)}", so_far) from None


def environment(more: t.Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the child's environment: nothing of a PG* variable that the caller happens to have may choose another server."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**own, "LC_ALL": "C.UTF-8", **(more or {})}


def session(server: int) -> str:
    """Return the options of a session with a server of that version: what its roles and databases have set must not end a drill."""
    return " ".join([SESSION, *(option for since, option in SESSION_SINCE if server >= since)])


def postgres(program: str, major: int) -> pathlib.Path:
    """Return *program* of the given major version: Debian's and PGDG's places, else the one on ``PATH`` if it is of that version. Raises :class:`Failed`."""
    for place in PLACES:
        path = pathlib.Path(place.format(major=major)) / program
        if path.is_file():
            return path
    found = shutil.which(program)
    if found and version(pathlib.Path(found)) // 10000 == major:
        return pathlib.Path(found)
    raise Failed("preflight", f"{program} of PostgreSQL {major} is not on this host")


def majors() -> list[int]:
    """Return the major versions of PostgreSQL's servers on this host, newest first."""
    found = (path for place in PLACES for path in pathlib.Path("/").glob(f"{place.format(major='*')[1:]}/postgres"))
    return sorted({int(path.parts[-3].rpartition("-")[2]) for path in found}, reverse=True)


def version(program: pathlib.Path) -> int:
    """Return a program's version as the server counts them: 150018 is 15.18. Raises :class:`Failed`."""
    found = re.search(r"(\d+)\.(\d+)|(\d+)(?:devel|beta|rc)", run("preflight", [program, "--version"]))
    if not found:
        raise Failed("preflight", f"{program} does not say its version")
    return int(found[1] or found[3]) * 10000 + int(found[2] or 0)
