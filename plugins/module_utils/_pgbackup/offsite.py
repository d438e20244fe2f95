# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second place: an encrypted restic repository on another machine (sftp, S3, REST). Its password comes from a file, never from an argument."""

from __future__ import annotations

import json
import pathlib
import re
import time
import typing as t

from . import files, programs
from .programs import Failed

Json = t.Any

TAG = "golive"

#: How long restic may take to say what is stored, in seconds. From 0.17 on it tries again for a quarter of an hour where a bucket or a server is not there.
LOOK_S = 60.0

#: What restic says, and what it means: (regular expression, name). In lower case; the first that fits is told.
COMPLAINTS: tuple[tuple[str, str], ...] = (
    ("wrong password or no key found", "password_rotated"),
    (r"permission denied \(publickey", "login_refused"),
    ("host key verification failed", "host_key"),
    ("no route to host", "unreachable"),
    ("connection refused", "unreachable"),
    ("could not resolve", "unreachable"),
    ("connection timed out", "unreachable"),
    ("connection lost", "unreachable"),
    ("unable to start the sftp session", "unreachable"),  # ssh ended before it said why
    ("connection reset", "unreachable"),
    ("i/o timeout", "unreachable"),
    ("access denied", "keys_refused"),  # S3, in several words
    ("accessdenied", "keys_refused"),
    ("access key id you provided does not exist", "keys_refused"),
    ("request signature we calculated does not match", "keys_refused"),
    ("certificate", "unreachable"),
    ("no space left", "full"),
    ("repository is already locked", "locked"),
    # What is stored is not what was written: a piece, a pack, an index or a snapshot was changed, cut short or removed.
    ("ciphertext verification failed", "damaged"),
    ("invalid data returned", "damaged"),
    ("unexpected eof", "damaged"),
    ("not found in repository", "damaged"),
    (r"load\(<data/.*(no such file|file does not exist|key does not exist)", "damaged"),
    # Last: with an object store restic says this also of a server that is not there, and a second repository would be made.
    ("is there a repository at the following location", "no_repository"),
    ("unable to open config file", "no_repository"),
    ("the specified bucket does not exist", "no_repository"),
)


class Refused(Failed):
    """restic did not do it; ``name`` says what that means, ``other`` where nobody knows."""

    def __init__(self, why: str, said: str = "") -> None:
        super().__init__("offsite", why, said)
        self.name = next((name for words, name in COMPLAINTS if re.search(words, self.said.lower())), "other")


def command(config: t.Mapping[str, Json], *arguments: str) -> list[str]:
    """Return the command that :func:`restic` runs. No secret is in it: files have them."""
    place = config["offsite"]
    return ["restic", "--repo", place["repository"], "--password-file", place["password_file"], *place.get("options", ()), *arguments]


def restic(config: t.Mapping[str, Json], *arguments: str, cwd: str | None = None, user: str | None = None, within_s: float | None = None) -> str:
    """Run restic on the configured repository and return what it said. Raises :class:`Refused`."""
    try:
        return programs.run("offsite", command(config, *arguments), env=_extra(config["offsite"]), cwd=cwd, user=user, within_s=within_s)
    except Failed as problem:
        raise Refused(_holder(problem.said) or str(problem), problem.said) from None


def _holder(said: str) -> str:
    """Return the line in which restic says whose lock it met, which is not among its last words; empty where it met none."""
    return next((line.strip()[:400] for line in said.splitlines() if "already locked" in line), "")


def locking(config: t.Mapping[str, Json], *arguments: str, cwd: str | None = None) -> str:
    """Run restic where it takes a lock, and once more where a lock stood in its way that a killed restic left. Raises :class:`Refused`.

    ``restic unlock`` removes no other: only those whose process is gone from this very host, and those that nobody refreshed for half an hour.
    """
    try:
        return restic(config, *arguments, cwd=cwd)
    except Refused as problem:
        if problem.name != "locked":
            raise
    restic(config, "unlock", within_s=LOOK_S)
    return restic(config, *arguments, cwd=cwd)


def _extra(place: t.Mapping[str, Json]) -> dict[str, str]:
    """Return the credentials of an object store: lines NAME=value of a file that only the job's user reads."""
    path = place.get("environment_file")
    if not path or not pathlib.Path(path).exists():
        return {}
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def begin(config: t.Mapping[str, Json]) -> bool:
    """Make the repository where there is none. Return whether it was made."""
    try:
        restic(config, "cat", "config", "--no-lock", "--quiet", within_s=LOOK_S)
    except Refused as problem:
        if problem.name != "no_repository":
            raise
        restic(config, "init")
        return True
    return False


def send(config: t.Mapping[str, Json], name: str, made: t.Mapping[str, Json]) -> str:
    """Carry the backup *name* there and return the snapshot's id. The folder is read from inside, so that no path of this host is in the snapshot's tree."""
    folder = pathlib.Path(config["directory"]) / name
    tags = [f"--tag={TAG}", f"--tag=id:{name}", f"--tag=system:{made['system_identifier']}"]
    said = locking(config, "backup", "--json", f"--host={config['name']}", *tags, ".", cwd=str(folder))
    for line in said.splitlines():
        told = json.loads(line)
        if told.get("message_type") == "summary":
            return str(told["snapshot_id"])
    raise Refused("restic ended without a summary")


def stored(config: t.Mapping[str, Json], user: str | None = None) -> list[dict[str, Json]]:
    """Return what the repository holds of this host, newest first, each as ``{snapshot, id, system_identifier, at}``."""
    said = restic(config, "snapshots", "--json", "--no-lock", f"--host={config['name']}", f"--tag={TAG}", user=user, within_s=LOOK_S)
    found = []
    for snapshot in json.loads(said) or ():
        tags = dict(tag.split(":", 1) for tag in snapshot.get("tags") or () if ":" in tag)
        if files.ID.match(tags.get("id", "")):
            found.append({"snapshot": snapshot["id"], "id": tags["id"], "system_identifier": tags.get("system", ""), "at": snapshot["time"]})
    return sorted(found, key=lambda one: str(one["id"]), reverse=True)


def unlisted(history: t.Sequence[t.Mapping[str, Json]], copies: t.Sequence[t.Mapping[str, Json]]) -> str:
    """Return the id of the backup that the job last carried there where *copies* do not have it, else an empty text.

    restic leaves a snapshot that it cannot read out of its list and ends with 0: an answer without the newest copy is no answer.
    """
    carried = [str(line["id"]) for line in history if line.get("snapshot")]
    return carried[-1] if carried and carried[-1] not in {one["id"] for one in copies} else ""


def manifest_of(config: t.Mapping[str, Json], snapshot: str) -> dict[str, Json] | None:
    """Return the manifest inside a snapshot without fetching the rest; None where there is none that can be read."""
    try:
        return t.cast("dict[str, Json]", json.loads(locking(config, "dump", snapshot, f"/{files.MANIFEST}")))
    except ValueError:
        return None
    except Refused as problem:
        if problem.name != "other":
            raise
        return None


def fetch(order: t.Mapping[str, Json]) -> dict[str, Json]:
    """Bring the snapshot ``order["snapshot"]`` of ``order["config"]`` into ``order["target"]``, every file read back.

    Under restic's lock: nothing is pruned meanwhile, which would read as damage.
    """
    started = time.monotonic()
    words = ("restore", str(order["snapshot"]), "--target", str(order["target"]), "--verify")
    locking(order["config"], *words)
    return {"seconds": round(time.monotonic() - started, 2), "argv": command(order["config"], *words)}
