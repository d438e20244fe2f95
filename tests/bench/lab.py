# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as the bench reaches it: SSH, playbooks, and the inventories beside ``staging`` that only the bench needs.

Every run starts without a connection that an earlier one left open: what is timed is a command as it is typed, connecting included.
"""

from __future__ import annotations

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import typing as t

import yaml

ROOT = pathlib.Path(__file__).parents[2].resolve()
WORK = ROOT / ".cache" / "bench"
BIN = pathlib.Path(sys.executable).parent
STAGING = ROOT / "staging"
SSH_CONFIG = WORK / "ssh_config"

Play = dict[str, t.Any]


def ports() -> dict[str, int]:
    """Return the published SSH port of every host."""
    groups = yaml.safe_load((STAGING / "hosts.yml").read_text(encoding="utf-8"))["all"]["children"]["lab"]["children"].values()
    return {host: values["ansible_port"] for group in groups for host, values in group["hosts"].items() if values}


def addresses() -> dict[str, str]:
    """Return the address of every host in the lab's own network."""
    groups = yaml.safe_load((STAGING / "hosts.yml").read_text(encoding="utf-8"))["all"]["children"]["lab"]["children"].values()
    return {host: values["lab_ip"] for group in groups for host, values in group["hosts"].items() if values}


def prepare() -> None:
    """Make what all comparisons share: the work directory and the SSH configuration of those who are not Ansible."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    own = ROOT / ".lab"
    blocks = [
        f"Host {host}\n  HostName 127.0.0.1\n  Port {port}\n  User golive\n  IdentityFile {own}/id_ed25519\n  UserKnownHostsFile {own}/known_hosts\n"
        "  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  IdentitiesOnly yes\n"
        for host, port in ports().items()
    ]
    SSH_CONFIG.write_text("\n".join(blocks), encoding="utf-8")


def inventory(name: str, hosts: dict[str, dict[str, t.Any]]) -> pathlib.Path:
    """Write an inventory that is read after ``staging``: *hosts*, of group ``lab``, with the variables in which they differ."""
    path = WORK / f"{name}.yml"
    path.write_text(yaml.safe_dump({"all": {"children": {"lab": {"hosts": hosts}}}}), encoding="utf-8")
    return path


def playbook(name: str, *plays: Play) -> pathlib.Path:
    """Write a playbook; its plays are pinned as ``playbooks/observe.yml`` pins its own, unless they say otherwise."""
    pinned = {"gather_facts": False, "strategy": "ansible.builtin.linear", "any_errors_fatal": False, "become": True, "vars": {"ansible_pipelining": True}}
    path = WORK / f"{name}.yml"
    path.write_text(yaml.safe_dump([{"name": "Bench", **pinned, **play} for play in plays], sort_keys=False), encoding="utf-8")
    return path


def play(*arguments: object, collections: pathlib.Path | None = None, **environment: str) -> str:
    """Run ``ansible-playbook`` on the lab and return what it printed; what fails ends the bench with that."""
    with tempfile.TemporaryDirectory(prefix="cp", dir="/tmp") as sockets:
        own = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets, **environment}
        if collections:
            own |= {"ANSIBLE_COLLECTIONS_PATH": f"{collections}:{BIN.parent / 'share' / 'ansible_collections'}"}
        try:
            return checked([BIN / "ansible-playbook", "-i", STAGING, *arguments], env={**os.environ, **own})
        finally:
            hang_up(pathlib.Path(sockets))


def hang_up(sockets: pathlib.Path) -> None:
    """End the masters that ControlPersist keeps."""
    for socket in sockets.iterdir():
        subprocess.run(["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "bench"], capture_output=True, check=False)


def ssh(host: str, *command: str) -> list[str]:
    """Return the argv that runs *command* on *host* over a connection of its own."""
    return ["ssh", "-F", str(SSH_CONFIG), host, shlex.join(command)]


def checked(argv: t.Sequence[object], **options: t.Any) -> str:
    done = subprocess.run([str(one) for one in argv], cwd=ROOT, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        sys.exit(f"{shlex.join(str(one) for one in argv)}: rc {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout
