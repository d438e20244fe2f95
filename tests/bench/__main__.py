# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All comparisons in one run on a lab that runs, and one table: ``make bench``. Nothing in CI runs this: a shared machine's clock proves nothing.

Usage: python -m ansible_collections.resto.golive.tests.bench [--write] [PART...]; ``--write`` puts the table into docs/performance.md. Ends with 1 when a
floor is missed.
"""

from __future__ import annotations

import argparse
import datetime
import os
import pathlib
import platform
import subprocess
import sys
import time

from ansible.release import __version__ as ansible_version

from ansible_collections.resto.golive.tests.bench import audit, endpoints, engine, host_checks, lab, observations, overlay, postgres
from ansible_collections.resto.golive.tests.bench.table import Row, missed, placed, rendered

PARTS = {
    "engine": engine.rows,
    "audit": audit.rows,
    "endpoints": endpoints.rows,
    "host_checks": host_checks.rows,
    "observations": observations.rows,
    "postgres": postgres.rows,
}
PAGE = lab.ROOT / "docs" / "performance.md"


def machine() -> str:
    """Return what it was measured on: a clock without its machine says nothing."""
    cpu = [line.partition(":")[2].strip() for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
    memory = [line.split()[1] for line in pathlib.Path("/proc/meminfo").read_text(encoding="utf-8").splitlines() if line.startswith("MemTotal")]
    openssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.split(",")[0]
    return (
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC; {os.cpu_count()} × {cpu[0] if cpu else platform.machine()}, {int(memory[0]) >> 20} GiB; "
        f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}, {openssh}; Python {platform.python_version()}, "
        f"ansible-core {ansible_version}; hosts: six containers of the lab on the same machine"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    asked = parser.parse_args()
    unknown = set(asked.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    started, load = time.monotonic(), os.getloadavg()[0]
    lab.prepare()
    overlay.make()
    rows: list[Row] = []
    for name in asked.parts or PARTS:
        print(f"• {name} (after {time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)
        more = PARTS[name]()
        print(rendered(more), file=sys.stderr, flush=True)
        rows += more
    took = f"{machine()}; load before {load:.2f}, of all runs {os.getloadavg()[0]:.2f} at the end; {time.monotonic() - started:.0f} s in all."
    told = f"{rendered(rows)}\n{took}\n"
    print(told)
    if asked.write:
        PAGE.write_text(placed(PAGE.read_text(encoding="utf-8"), told), encoding="utf-8")
    lost = missed(rows)
    for row in lost:
        print(f"✗ {row.what}: {row.cells()[3]}, wanted {row.floor}", file=sys.stderr)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
