# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audits of the running lab, and what its hosts' journals told meanwhile."""

from __future__ import annotations

import base64
import typing as t

from .conftest import ROOT, Project, Ran
from .test_lab import connect

HOSTS = ("edge1", "app1", "db1", "cache1", "ops1", "probe1")


def audit(project: Project, *arguments: str, over: dict[str, t.Any] | None = None, playbook: str = "playbooks/audit.yml") -> Ran:
    """Audit the lab, with *over* (hosts and their variables) laid over its inventory."""
    sources: list[t.Any] = ["-i", ROOT / "staging"]
    if over:
        sources += ["-i", project.inventory("over.yml", {"all": {"hosts": over}})]
    return project.play(playbook, *sources, *arguments)


def journal_end(host: str) -> str:
    """Return where the journal of *host* ends now."""
    return str(connect(host).check_output("journalctl --no-pager --quiet -n 0 --show-cursor | tail -1").partition("cursor: ")[2])


def journal_whole(host: str, mark: str) -> str:
    """Return every field of what the journal of *host* took in since *mark*: the arguments of whoever wrote, and what is no text, too."""
    command = "journalctl --no-pager --quiet --all --output=export --after-cursor=%s | base64 --wrap=0"
    return base64.b64decode(connect(host).check_output(command, mark)).decode("utf-8", "replace")


def journal_since(host: str, mark: str) -> str:
    return str(connect(host).check_output("journalctl --no-pager --quiet --after-cursor=%s", mark))
