# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds a release: a clean clone of one tag, with its libraries, in one archive. Deployments and CI come in; nothing is taken from a working tree.

    build_release.py --repository DIR --tag v1.0.1 --out DIR --cache DIR --machine x86_64

writes `comanda-<version>.tar.gz`, `.sha256` (as `sha256sum -c` reads it) and `.manifest.json`, and prints `built` or `unchanged` with the digest.
The same tag gives the same bytes: order, owners, modes and times are fixed. Libraries are fetched once for each content of requirements.txt.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

# The host's Python (Debian 12) and the libc floors that its own libc satisfies.
PYTHON = "3.11"
PLATFORMS = ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
# Of Twilio's library we use the validator of signatures; its client is thousands of files.
UNUSED = ("bin", "twilio/rest")
# What of a clone runs; the rest (CI, this file) stays at home.
CARRIED = {"bin": "bin", "comanda": "app/comanda"}


def git(*arguments: str) -> str:
    """Ask git; hooks and templates of the machine stay out of a clean clone."""
    return subprocess.run(["git", "-c", "core.hooksPath=/dev/null", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def sha256(path: Path) -> str:
    """A file's digest."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def libraries(requirements: Path, cache: Path, machine: str) -> Path:
    """The pinned libraries for the host's Python and machine, unpacked; from the cache if they were fetched before."""
    key = hashlib.sha256(f"{PYTHON} {machine}\n{UNUSED}\n{requirements.read_text(encoding='utf-8')}".encode()).hexdigest()
    ready = cache / f"lib-{key[:16]}"
    if ready.is_dir():
        return ready
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        target = Path(scratch) / "lib"
        platforms = [f"--platform={platform}_{machine}" for platform in PLATFORMS]
        choice = ["--implementation=cp", f"--python-version={PYTHON}", "--only-binary=:all:", "--no-deps", "--no-compile"]
        quiet = ["--quiet", "--disable-pip-version-check", "--no-warn-script-location", "--root-user-action=ignore"]
        command = [sys.executable, "-m", "pip", "install", *quiet, f"--target={target}", *platforms, *choice, f"--requirement={requirements}"]
        subprocess.run(command, check=True, stdout=sys.stderr)
        # Scripts (bin) name the Python of the machine that built; a release has its own.
        for folder in UNUSED:
            shutil.rmtree(target / folder, ignore_errors=True)
        # Only a whole tree gets the name that says it is ready.
        target.rename(ready)
    return ready


def files(root: Path) -> Iterator[tuple[str, Path]]:
    """Every file below, by its path, in order."""
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(root).as_posix(), path


def entry(name: str, size: int, time: int, executable: bool) -> tarfile.TarInfo:
    """A member of the archive that tells nothing of who built it."""
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, time, 0o755 if executable else 0o644
    return member


def pack(clone: Path, lib: Path, version: str, machine: str, archive: Path) -> bytes:
    """Write the archive; returns the manifest that is in it."""
    carried = {f"{place}/{name}": path for source, place in CARRIED.items() for name, path in files(clone / source)}
    carried |= {f"lib/{name}": path for name, path in files(lib)}
    time = int(git("-C", str(clone), "log", "-1", "--format=%ct"))
    known = {
        "name": "comanda",
        "version": version,
        "commit": git("-C", str(clone), "rev-parse", "HEAD"),
        "built_for": {"python": PYTHON, "machine": machine},
        "requirements_sha256": sha256(clone / "requirements.txt"),
        "files": {name: sha256(path) for name, path in sorted(carried.items())},
    }
    manifest = (json.dumps(known, indent=1, sort_keys=True) + "\n").encode()
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        tar.addfile(entry("manifest.json", len(manifest), time, False), io.BytesIO(manifest))
        for name, path in sorted(carried.items()):
            with path.open("rb") as content:
                tar.addfile(entry(name, path.stat().st_size, time, name.startswith("bin/")), content)
    return manifest


def built(out: Path, version: str, commit: str, machine: str) -> str | None:
    """The digest of this commit's archive, if it stands there whole."""
    archive, manifest = out / f"comanda-{version}.tar.gz", out / f"comanda-{version}.manifest.json"
    noted = out / f"{archive.name}.sha256"
    if not (archive.is_file() and manifest.is_file() and noted.is_file()):
        return None
    known = json.loads(manifest.read_text(encoding="utf-8"))
    digest = sha256(archive)
    same = known["commit"] == commit and known["built_for"]["machine"] == machine and noted.read_text(encoding="utf-8").split()[0] == digest
    return digest if same else None


def build(repository: Path, tag: str, out: Path, cache: Path, machine: str) -> tuple[bool, str]:
    """Whether anything was built, and the digest."""
    version, commit = tag.removeprefix("v"), git("-C", str(repository), "rev-parse", f"{tag}^{{commit}}")
    if digest := built(out, version, commit, machine):
        return False, digest
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        clone, archive = Path(scratch) / "clone", Path(scratch) / f"comanda-{version}.tar.gz"
        git("-c", "advice.detachedHead=false", "clone", "--quiet", "--template=", "--no-hardlinks", "--branch", tag, str(repository), str(clone))
        manifest = pack(clone, libraries(clone / "requirements.txt", cache, machine), version, machine, archive)
        digest = sha256(archive)
        (out / f"comanda-{version}.manifest.json").write_bytes(manifest)
        (out / f"{archive.name}.sha256").write_text(f"{digest}  {archive.name}\n", encoding="utf-8")
        archive.replace(out / archive.name)
    return True, digest


def main() -> int:
    parser = argparse.ArgumentParser(description="Build a release of comanda from a clean clone.")
    for name in ("--repository", "--out", "--cache"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--tag", required=True, help="the tag to build, v<version>")
    parser.add_argument("--machine", required=True, help="the host's architecture, as uname -m says it")
    given = parser.parse_args()
    changed, digest = build(given.repository, given.tag, given.out, given.cache, given.machine)
    print(f"{'built' if changed else 'unchanged'} sha256:{digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
