# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries the package ``_pgbackup`` to where it runs under another OS user: as one zip file of what this very collection has, never of what is installed."""

from __future__ import annotations

import contextlib
import io
import json
import pathlib
import pkgutil
import sys
import tempfile
import typing as t
import zipfile

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Context, Json

if t.TYPE_CHECKING:  # Ansible packs what it reads here; nothing of it is imported where psycopg may be missing
    from ansible_collections.resto.golive.plugins.module_utils._pgbackup import (  # noqa: F401
        access,
        cage,
        digest,
        dump,
        engines,
        files,
        forecast,
        foreign,
        isolation,
        job,
        labels,
        look,
        manifest,
        migration_tools,
        offsite,
        pgbackrest,
        physical,
        pitr,
        programs,
        rehearsal,
        retain,
        retention,
        schema,
        sight,
        trial,
        walls,
    )

PACKAGE = "ansible_collections.resto.golive.plugins.module_utils._pgbackup"
MODULES = (
    "__init__",
    "access",
    "cage",
    "digest",
    "dump",
    "engines",
    "files",
    "forecast",
    "foreign",
    "isolation",
    "job",
    "labels",
    "look",
    "manifest",
    "migration_tools",
    "offsite",
    "pgbackrest",
    "physical",
    "pitr",
    "programs",
    "rehearsal",
    "retain",
    "retention",
    "schema",
    "sight",
    "trial",
    "walls",
)

#: The package's name on the host, installed by the role or in the zip.
NAME = "golive_pgbackup"
INSTALLED = pathlib.Path("/usr/local/lib/golive") / NAME

MAIN = f"import sys\nfrom {NAME} import job\nsys.exit(job.main())\n"


def sources() -> dict[str, bytes]:
    """Return the package's files by name."""
    return {f"{name}.py": pkgutil.get_data(PACKAGE, f"{name}.py") or b"" for name in MODULES}


def outdated(installed: pathlib.Path = INSTALLED) -> list[str]:
    """Return the installed files that are not what this collection has."""
    told = []
    for name, wanted in sources().items():
        try:
            if (installed / name).read_bytes() != wanted:
                told.append(name)
        except OSError:
            told.append(name)
    return told


def archive() -> bytes:
    """Return the package as a program: a zip file that ``python3`` runs."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("__main__.py", MAIN)
        for name, source in sources().items():
            packed.writestr(f"{NAME}/{name}", source)
    return data.getvalue()


@contextlib.contextmanager
def carried() -> t.Iterator[pathlib.Path]:
    """Lend the program as a file that every user may read and only we may write."""
    with tempfile.TemporaryDirectory(prefix="golive-") as folder:
        pathlib.Path(folder).chmod(0o755)
        program = pathlib.Path(folder) / "golive_pgbackup.pyz"
        program.write_bytes(archive())
        program.chmod(0o644)
        yield program


def ask(ctx: Context, user: str, what: str, config: str) -> dict[str, Json]:
    """Run the program as *user* on the file *config* and return its answer. Raises :class:`CannotKnow`."""
    with carried() as program:
        done = ctx.run(["runuser", "-u", user, "--", sys.executable, "-I", str(program), what, config], cwd="/", ok=None)
    if "No module named 'psycopg'" in done.stderr:
        raise CannotKnow("common.library_missing", library="psycopg", package="python3-psycopg")
    try:
        return t.cast("dict[str, Json]", json.loads(done.stdout))
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["-"])[-1]
        raise CannotKnow("common.command_failed", command=f"golive_pgbackup {what}", rc=done.rc, message=last[:300]) from None
