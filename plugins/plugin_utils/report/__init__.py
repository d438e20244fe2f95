# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: everything people and machines read about a run, as functions of one dict, the run's ``golive.json``.

A renderer reads nothing else (no clock, no variable, no host) and decides nothing. Whoever has a report may come in; only :func:`write_all` and
:func:`publish` touch a disk.
"""

from __future__ import annotations

import json
import os
import pathlib
import secrets
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._redact import scrub
from ansible_collections.resto.golive.plugins.plugin_utils.report import junit, markdown, page, prometheus, runbook, sarif
from ansible_collections.resto.golive.plugins.plugin_utils.report.model import Report

JSON = "golive.json"
LATEST = "latest"

RENDERERS: dict[str, t.Callable[[Report], str]] = {
    "golive.es.md": markdown.spanish,
    "golive.md": markdown.english,
    "golive.html": page.render,
    "runbook-restore.es.md": runbook.spanish,
    "runbook-restore.md": runbook.english,
    "junit.xml": junit.render,
    "golive.sarif": sarif.render,
    "golive.prom": prometheus.render,
}

#: A report names hosts, owners and weaknesses: its group may read it, others may not.
DIRECTORY_MODE, FILE_MODE = 0o750, 0o640


def write_all(report: Report, directory: pathlib.Path) -> list[pathlib.Path]:
    """Write *report* into *directory*: ``golive.json`` first, then every other format, each whole or not at all; returns the files.

    What is shaped like a secret is taken out once more: hosts and people wrote these strings. A format that cannot be rendered does not keep the others
    from being written; then this raises an ``ExceptionGroup``, with ``golive.json`` on disk.
    """
    clean = scrub(report)
    directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    # A lone surrogate is no UTF-8; its escape is the same JSON.
    written = [_write(directory / JSON, (json.dumps(clean, ensure_ascii=False, indent=2, default=str) + "\n").encode("utf-8", "backslashreplace"))]
    failed = []
    for name, render in RENDERERS.items():
        try:
            written.append(_write(directory / name, render(clean).encode()))
        except Exception as error:  # Any renderer's fault: it is raised below, after the others had their turn.
            error.add_note(f"while writing {name}")
            failed.append(error)
    if failed:
        raise ExceptionGroup("some formats of the report could not be written", failed)
    return written


def publish(directory: pathlib.Path) -> pathlib.Path:
    """Make ``latest`` beside *directory* point to it, in one step; returns the link."""
    link = directory.parent / LATEST
    if link.is_symlink() and os.readlink(link) == directory.name:
        return link
    temporary = directory.parent / f".{LATEST}.{secrets.token_hex(6)}"
    temporary.symlink_to(directory.name, target_is_directory=True)
    try:
        temporary.replace(link)
    except OSError:
        temporary.unlink()
        raise
    return link


def _write(path: pathlib.Path, data: bytes) -> pathlib.Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path
