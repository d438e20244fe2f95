# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill where no systemd runs: what it would start is started without it, and what systemd would have been asked for is held against what is promised."""

from __future__ import annotations

import json
import pathlib
import sys
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Completed
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import _caged
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext

from .postgres_server import USER, Cluster


class Uncaged(RunContext):
    """Runs what systemd and runuser would, and remembers what was stopped, and what was asked of systemd-run."""

    stopped: t.ClassVar[list[str]] = []
    asked: t.ClassVar[list[list[str]]] = []

    def run(self, argv: t.Sequence[str], **more: t.Any) -> Completed:
        if argv[0] == "systemctl":
            self.stopped.append(argv[-1])
            return Completed(0, "", "")
        if argv[0] == "systemd-run":
            self.asked.append(list(argv))
            plan = pathlib.Path(argv[-1])
            plan.write_text(json.dumps({**json.loads(plan.read_text()), "caged": False, "user": USER}))
        return super().run(argv[argv.index(sys.executable) :], **more)


#: What shuts the copy in, in systemd's words: no network, nobody else's files, low priority, a cap on memory, tasks and time.
PROMISED = {
    "PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX", "IPAddressDeny=any", "NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes",
    "InaccessiblePaths=-/var/lib/postgresql", "InaccessiblePaths=-/run/postgresql", "Nice=19", "IOSchedulingClass=idle", "CPUWeight=20", "IOWeight=10",
    "MemoryMax=1536M", "MemorySwapMax=0", "TasksMax=200", "OOMPolicy=kill", "LimitCORE=0", "RuntimeMaxSec=14400",
}  # fmt: skip


def caged_as_promised(server: Cluster, argv: list[str]) -> None:
    given = {word.removeprefix("--property=") for word in argv if word.startswith("--property=")}
    (plan,) = [pathlib.Path(word) for word in argv if word.endswith("/plan.json")]
    own = {f"User={_caged.USER}", f"ReadWritePaths={plan.parent}", f"WorkingDirectory={plan.parent / 'work'}"}
    live = {f"InaccessiblePaths=-{server.data.resolve()}", f"InaccessiblePaths=-{server.sockets.resolve()}"}
    assert given >= PROMISED | own | live, sorted((PROMISED | own | live) - given)
    assert [word for word in given if word.startswith("ReadWritePaths=")] == [f"ReadWritePaths={plan.parent}"]
    assert argv[:6] == ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", f"--unit={_caged.unit(plan.parent)}"]
