# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host of a test's own: a container of the lab's image with systemd in it, reached over SSH, on podman's own network. The lab neither sees nor needs it.

The image is built by the lab's own tasks where it is missing; where the lab is made at the same time, it is there long before anyone comes here.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import secrets
import subprocess
import sys
import typing as t

ROOT = pathlib.Path(__file__).parents[2]
PLAYBOOK = pathlib.Path(sys.executable).with_name("ansible-playbook")

#: As root may: the lab's containers too belong to root (lab/vars.yml, whose limits these are).
ROOTLY = [] if os.geteuid() == 0 else ["sudo", "-n"]
LIMITS = ["--ulimit=nofile=16384:16384", "--ulimit=nproc=16384:16384"]


def _run(*argv: t.Any, **more: t.Any) -> str:
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=300, check=False, **more)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def _podman(*argv: t.Any) -> str:
    runtime = "runc" if not pathlib.Path("/sys/fs/cgroup/cgroup.controllers").is_file() or not pathlib.Path("/usr/bin/crun").exists() else "crun"
    return _run(*ROOTLY, "podman", "--runtime", runtime, *argv)


def image(folder: pathlib.Path) -> str:
    """Return the name of the lab's image, which is built where it is not there."""
    told = folder / "image"
    _run(PLAYBOOK, "-i", "inventories/staging", "lab/image.yml", "-e", f"lab_image_told={told}", cwd=ROOT)
    return told.read_text()


class Host:
    """A host that has booted. ``variables`` is how Ansible reaches it; ``address`` is its own, which this machine reaches too."""

    def __init__(self, name: str, folder: pathlib.Path, image_name: str, address_of_ssh: str = "127.0.0.1::22") -> None:
        self.name, self.folder = name, folder
        tree = folder / name
        (tree / "etc/ssh/authorized_keys").mkdir(parents=True, mode=0o755)
        for key in (folder / f"{name}.key", tree / "etc/ssh/ssh_host_ed25519_key"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key)
        (tree / "etc/ssh/authorized_keys/golive").write_text((folder / f"{name}.key.pub").read_text())
        (tree / "etc/machine-id").write_text(f"{secrets.token_hex(16)}\n")
        _podman(
            "create", "--name", name, "--hostname", name, "--label", "io.resto.golive=test", "--systemd", "always", "--cap-add", "NET_ADMIN",
            "--publish", address_of_ssh, *LIMITS, image_name,
        )  # fmt: skip
        _podman("cp", f"{tree}/.", f"{name}:/")
        _podman("start", name)
        seen = json.loads(_podman("inspect", name))[0]["NetworkSettings"]
        self.address, self.gateway = seen["IPAddress"], seen["Gateway"]
        self.port = int(seen["Ports"]["22/tcp"][0]["HostPort"])
        host_key = (tree / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]
        (folder / f"{name}.known_hosts").write_text(f"[127.0.0.1]:{self.port} {' '.join(host_key)}\n")
        # A moment passes before systemd can be asked anything.
        self.run("timeout", "60", "sh", "-c", "until [ -S /run/dbus/system_bus_socket ]; do sleep 0.1; done; systemctl is-system-running --wait")

    @property
    def variables(self) -> dict[str, t.Any]:
        options = (
            f"-o UserKnownHostsFile={self.folder / self.name}.known_hosts -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes"
            " -o IdentitiesOnly=yes -o ConnectTimeout=10"
        )
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": "golive",
            "ansible_ssh_private_key_file": str(self.folder / f"{self.name}.key"),
            "ansible_ssh_common_args": options,
            "ansible_python_interpreter": "/usr/bin/python3",
        }

    def run(self, *argv: t.Any, user: str = "root") -> str:
        """Run a command there and return what it said."""
        return _podman("exec", "--user", user, "--workdir", "/", self.name, *argv)

    def shell(self, script: str, user: str = "root") -> str:
        return self.run("bash", "-euc", script, user=user)

    def write(self, path: str, text: str) -> None:
        """Write a file there that every user may read."""
        local = self.folder / "written"
        local.write_text(text)
        local.chmod(0o644)
        _podman("cp", local, f"{self.name}:{path}")


@contextlib.contextmanager
def booted(folder: pathlib.Path) -> t.Iterator[Host]:
    """Lend a host for the length of a ``with``."""
    name = f"golive-test-{secrets.token_hex(4)}"
    try:
        yield Host(name, folder, image(folder))
    finally:
        _podman("rm", "--force", "--ignore", "--volumes", "--time", "0", name)
