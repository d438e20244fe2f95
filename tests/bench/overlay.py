# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as it stands, with the bench's checks in the place of the real ones: links to this checkout, but for the registry and the checks' modules.

So what is timed is the real door, the real runner and the real payload, and nothing of the bench ships.
"""

from __future__ import annotations

import pathlib
import shutil

from ansible_collections.resto.golive.tests.bench import reads
from ansible_collections.resto.golive.tests.bench.lab import ROOT, WORK

#: Not `collections`: Ansible searches a directory of that name beside a playbook before all others.
COLLECTIONS = WORK / "overlay"
HERE = ROOT / "tests" / "bench"

REGISTRY = """

# --- the bench's checks instead; the imports above stay, because a real payload carries them too
from ansible_collections.resto.golive.plugins.module_utils._checks.bench.trivial import CHECKS as _BENCH

CHECKS.clear()
CHECKS.update(_BENCH)
"""

#: One module a check, as thin as the real ones.
MODULE = """\
#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = "{{module: {name}, short_description: One read, author: [the bench]}}"

from ansible_collections.resto.golive.plugins.module_utils._checks.bench.trivial import CHECKS
from ansible_collections.resto.golive.plugins.module_utils._door import run_module

if __name__ == "__main__":
    run_module(CHECKS["{name}"])
"""


def names(stem: str) -> list[str]:
    """Return the checks of one set, ``everywhere`` or ``web_server``."""
    listed = {"everywhere": reads.EVERYWHERE, "web_server": reads.WEB_SERVER}[stem]
    return [f"{stem}_{number:02}" for number in range(1, len(listed) + 1)]


def make() -> None:
    """Build the overlay anew."""
    shutil.rmtree(COLLECTIONS, ignore_errors=True)
    top = COLLECTIONS / "ansible_collections" / "resto" / "golive"
    _opened(top, ROOT, ("galaxy.yml", "meta", "plugins", "roles"))
    for folder in ("plugins", "plugins/module_utils", "plugins/module_utils/_checks", "plugins/modules"):
        (top / folder).unlink()
        _opened(top / folder, ROOT / folder)
    checks = top / "plugins" / "module_utils" / "_checks"
    (checks / "registry.py").unlink()
    real = (ROOT / "plugins" / "module_utils" / "_checks" / "registry.py").read_text(encoding="utf-8")
    (checks / "registry.py").write_text(real + REGISTRY, encoding="utf-8")
    (checks / "bench").mkdir()
    (checks / "bench" / "__init__.py").touch()
    for name in ("reads.py", "trivial.py"):
        (checks / "bench" / name).symlink_to(HERE / name)
    for name in [*names("everywhere"), *names("web_server")]:
        (top / "plugins" / "modules" / f"{name}.py").write_text(MODULE.format(name=name), encoding="utf-8")


def _opened(folder: pathlib.Path, real: pathlib.Path, only: tuple[str, ...] | None = None) -> None:
    """Make *folder* with a link to everything that *real* has."""
    folder.mkdir(parents=True)
    for entry in real.iterdir():
        if entry.name != "__pycache__" and (only is None or entry.name in only):
            (folder / entry.name).symlink_to(entry)
