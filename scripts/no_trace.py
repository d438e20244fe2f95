# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See that lab/destroy.yml left no trace of the lab. Usage: no_trace.py [--purged]

The image stays as a cache; with --purged it must be gone too. Asks without Ansible, whose playbook is what is judged.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import yaml

ROOT = pathlib.Path(__file__).parents[1]
LAB: dict[str, str] = yaml.safe_load((ROOT / "lab" / "vars.yml").read_text(encoding="utf-8"))

#: What podman is asked for, each with the lab's label.
KINDS = {
    "container": ["ps", "--all", "--format", "{{.Names}}"],
    "network": ["network", "ls", "--format", "{{.Name}}"],
    "volume": ["volume", "ls", "--format", "{{.Name}}"],
}
IMAGES = {"image": ["images", "--all", "--quiet"]}
#: What the lab keeps outside of podman.
PLACES = (
    ROOT / ".lab",
    ROOT / "inventories" / "staging" / "group_vars" / "all" / "90_decisions.yml",
    pathlib.Path("/var/lib/cni/networks") / LAB["lab_network"],
)


def traces(podman: t.Callable[[list[str]], str], places: t.Iterable[pathlib.Path], *, purged: bool = False) -> list[str]:
    """Return what is left of the lab; *podman* runs podman with these arguments and returns what it says."""
    kinds = KINDS | (IMAGES if purged else {})
    found = {kind: podman([*argv, "--filter", f"label={LAB['lab_label']}"]).split() for kind, argv in kinds.items()}
    return [f"{kind} {name}" for kind, names in found.items() for name in names] + [str(place) for place in places if os.path.lexists(place)]


def _podman(argv: list[str]) -> str:
    """As the lab does it: as root, and with the runtime of this machine (lab/vars.yml)."""
    rootly = [] if os.geteuid() == 0 else ["sudo"]
    runtime = "crun" if shutil.which("crun") and os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "runc"
    return subprocess.run([*rootly, "podman", "--runtime", runtime, *argv], stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    left = traces(_podman, PLACES, purged="--purged" in sys.argv[1:])
    if left:
        sys.exit("lab/destroy.yml left behind:\n" + "\n".join(left))
    print("no trace of the lab is left")
