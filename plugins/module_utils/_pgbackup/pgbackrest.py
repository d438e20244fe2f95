# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgBackRest, asked: argument lists and what it says. Its return codes alone prove nothing: ``verify`` ends with 0 on a corrupt repository (tried with 2.45).

The configuration is a file of our own (``/etc/golive/pgbackrest.conf``) with the secrets in another beside it, so that no setting of the distribution's or of
the team's own file is shadowed. No secret ever stands among the arguments.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import pathlib
import re
import typing as t

from . import programs
from .programs import Failed

Json = t.Any
Config = t.Mapping[str, Json]

#: What pgBackRest's return codes mean to us (its ``error.auto``); all others are ``other``.
CODES = {
    26: "corrupt", 27: "option", 28: "corrupt", 29: "corrupt", 31: "option", 32: "option", 33: "option", 34: "option", 37: "option", 40: "not_empty",
    41: "unreadable", 49: "unreachable", 50: "locked", 55: "missing", 56: "no_server", 58: "other_cluster", 75: "no_such_set", 82: "archive_timeout",
    87: "not_archiving",
}  # fmt: skip

#: Options that need a newer version than some release of Debian or Ubuntu has (pgBackRest's release notes): what to say, not what decides.
SINCE = {"repo-sftp": "2.46", "repo-block": "2.46"}

#: A line of its log, with the lines that continue it. What it says of its configuration comes before it has read where to log: newer versions (2.55) then write
#: to the standard output, before the answer.
LOGGED = re.compile(r"^P\d{2,} +\w+: .*\n(?: {8,}.*\n)*", re.MULTILINE)

#: What it says of a file that a wrong passphrase made random bytes of: they make no line of a section, or, once in 256 files, no end of an enciphered file
#: (400 wrong passphrases tried with 2.45). What is wrong with a certificate is a ``CryptoError`` too, so that name alone tells nothing.
UNDECIPHERED = ("found outside of section", "is or was the repo encrypted?")

#: What ``info``, which ends with 0, says in a status of a repository that it cannot look at (its ``error.auto``): (words, name).
STATES = (*((words, "password") for words in UNDECIPHERED), ("[HostConnectError]", "unreachable"), ("unable to get address", "unreachable"))

#: How long an answer is waited for where somebody only looks, in seconds. It asks four times: with its own 60 s it takes minutes to hear that a store is gone.
LOOK_S = 10

#: The repository that the job backs up to. pgBackRest archives WAL into every one that is configured, and backs up into the first of them alone (its help,
#: "backup"), so what another one holds would be no backup.
REPOSITORY = "1"

#: Settings of a repository that may be told: no keys, no passwords.
TOLD = ("type", "path", "host", "s3-bucket", "s3-endpoint", "azure-account", "azure-container", "gcs-bucket", "sftp-host", "cipher-type")


class Refused(Failed):
    """pgBackRest did not do it; ``name`` says what that means."""

    def __init__(self, command: str, rc: int, said: str) -> None:
        super().__init__("pgbackrest", f"pgbackrest {command} ended with {rc}: {_printable(programs.last_words(said))}")
        encrypted = rc in (29, 95) and any(words in said for words in UNDECIPHERED)
        damaged = rc == 42 and ("[FormatError]" in said or "[ChecksumError]" in said)  # a segment that cannot be unpacked
        self.name = "password" if encrypted else "corrupt" if damaged else CODES.get(rc, "other")


def argv(config: Config, command: str, *arguments: str) -> list[str]:
    own = config["pgbackrest"]
    where = [f"--config={own['config']}", f"--config-include-path={own['include']}", f"--stanza={own['stanza']}"]
    return ["pgbackrest", *where, "--log-level-console=off", "--log-level-stderr=warn", *arguments, command]


def call(config: Config, command: str, *arguments: str, last: t.Sequence[str] = ()) -> str:
    """Run one command and return what it said. Raises :class:`Refused`."""
    return said(config, command, *arguments, last=last)[0]


def said(config: Config, command: str, *arguments: str, last: t.Sequence[str] = ()) -> tuple[str, str]:
    """Run one command and return what it said and what it warned of. Raises :class:`Refused`."""
    done = programs.ended("pgbackrest", [*argv(config, command, *arguments), *last], user=config.get("user"), cwd="/")
    if done.returncode:
        raise Refused(command, done.returncode, done.stderr or done.stdout)
    return LOGGED.sub("", done.stdout), done.stderr + "".join(LOGGED.findall(done.stdout))


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def version(config: Config) -> str:
    """Return the installed version, such as ``2.45``. Raises :class:`Failed`."""
    told = programs.run("pgbackrest", ["pgbackrest", "version"], user=config.get("user"), cwd="/")
    found = re.search(r"\d+(\.\d+)+", told)
    if not found:
        raise Failed("pgbackrest", "pgbackrest does not say its version")
    return found[0]


def unknown_options(complaints: str) -> list[str]:
    """Return the options of the configuration that this version does not know. It only warns, and goes on without them."""
    return sorted(set(re.findall(r"invalid option '([\w-]+)'", complaints)))


def since(option: str) -> str:
    """Return the first version that knows *option*, or an empty text."""
    bare = re.sub(r"^(repo|pg)\d+-", r"\1-", option)
    return next((first for name, first in SINCE.items() if bare.startswith(name)), "")


def info(config: Config) -> tuple[dict[str, Json], list[str]]:
    """Return what ``info`` says of the stanza, and the options that the configuration has and this version lacks. Raises :class:`Refused`."""
    out, complaints = said(config, "info", "--output=json", "--log-level-file=off", f"--io-timeout={LOOK_S}")
    # Not strict: with a wrong passphrase its message holds what it decrypted.
    found = [one for one in json.loads(out, strict=False) if one["name"] == config["pgbackrest"]["stanza"]]
    stanza = found[0] if found else {"backup": [], "archive": [], "db": [], "cipher": "none", "repo": [], "status": {"code": 1, "message": "no such stanza"}}
    return stanza, unknown_options(complaints)


def state(stanza: t.Mapping[str, Json]) -> tuple[str, str]:
    """Return ``(name, words)`` of what is wrong with a stanza whose status is neither good nor empty; ``repository`` where no name is known for it."""
    words = " ".join(str(one["status"]["message"]) for one in stanza.get("repo") or ()) or str(stanza["status"]["message"])
    return next((name for said, name in STATES if said in words), "repository"), _printable(words)[:300]


def repositories(config: Config) -> list[dict[str, str]]:
    """Return the repositories of the configuration, without secrets, each as ``{key, type, path, host…}``."""
    own = config["pgbackrest"]
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read([own["config"], *sorted(map(str, pathlib.Path(own["include"]).glob("*.conf")))], encoding="utf-8")
    found: dict[str, dict[str, str]] = {}
    for name, value in parser.items("global") if parser.has_section("global") else ():
        numbered = re.match(r"repo(\d+)-(.+)", name)
        if numbered:
            found.setdefault(numbered[1], {})[numbered[2]] = value
    return [{"key": key, "type": "posix", **{name: values[name] for name in TOLD if name in values}} for key, values in sorted(found.items())]


def archived(config: Config, archive_id: str) -> dict[str, str]:
    """Return the archived segments and histories by name, each with the SHA-1 of its content (empty for a history). Raises :class:`Refused`."""
    place = f"archive/{config['pgbackrest']['stanza']}/{archive_id}"
    out = call(config, "repo-ls", "--recurse", "--output=json", f"--repo={REPOSITORY}", "--log-level-file=off", f"--io-timeout={LOOK_S}", last=(place,))
    found = {}
    for path in json.loads(out):
        one = re.fullmatch(r"(?:[0-9A-F]{16}/)?([0-9A-F]{24}(?:\.partial)?)-([0-9a-f]{40})(?:\.\w+)?|(?:[0-9A-F]{16}/)?([0-9A-F]{8}\.history)", path)
        if one:
            found[one[1] or one[3]] = one[2] or ""
    return found


def segment(name: str) -> str:
    """Return what of the archive proves that *name* is there: for the label of a backup (``….00000028.backup``) the segment that it stands in."""
    return name[:24] if name.endswith(".backup") else name


def folders(config: Config) -> set[str]:
    """Return the labels of the backups whose folder is there; ``info`` reads a list, and does not look (tried with 2.45). Raises :class:`Refused`."""
    place = f"backup/{config['pgbackrest']['stanza']}"
    out = call(config, "repo-ls", "--output=json", f"--repo={REPOSITORY}", "--log-level-file=off", f"--io-timeout={LOOK_S}", last=(place,))
    return {name for name, one in json.loads(out).items() if one["type"] == "path"}


def verify(config: Config) -> list[dict[str, Json]]:
    """Read the whole repository and return what is damaged, each as ``{code, name, wanted, found}``. Raises :class:`Failed` where it could not look.

    It ends with 0 whatever it finds, also where the passphrase is wrong and it has read nothing, and it does not notice a segment that is gone (tried with
    2.45): :func:`gaps` does.
    """
    told, where = [], ""
    said = call(config, "verify", "--output=text", "--verbose", "--log-level-file=off")
    for line in said.splitlines():
        named = re.match(r"\s*(archiveId|backup): ([^,]+)", line)
        where = named[2] if named else where
        counts = {name: int(number) for name, number in re.findall(r"(missing|checksum invalid|size invalid|other): (\d+)", line)}
        if any(counts.values()):
            found = ", ".join(f"{name}: {number}" for name, number in counts.items() if number)
            told.append({"code": "bundle_corrupt", "name": where, "wanted": "0", "found": found})
    if not told and not re.search(r"^status: ok$", said, re.MULTILINE):
        raise Failed("verify", f"pgbackrest verify proved nothing: {_printable(' '.join(said.split()))[:300]}")
    return told


def number(segment: str, segment_bytes: int) -> int:
    """Return a segment's place in its timeline."""
    return int(segment[8:16], 16) * ((1 << 32) // segment_bytes) + int(segment[16:24], 16)


def named(timeline: str, place: int, segment_bytes: int) -> str:
    """Return the name of the segment at *place* of *timeline* (eight hexadecimal digits)."""
    each = (1 << 32) // segment_bytes
    return f"{timeline}{place // each:08X}{place % each:08X}"


def gaps(segments: t.Iterable[str], start: str, segment_bytes: int) -> list[str]:
    """Return the segments that are missing between *start*, where a backup begins, and the last one of each timeline."""
    there: dict[str, set[int]] = {}
    for one in segments:
        if len(one) == 24 and one[:8] >= start[:8]:
            there.setdefault(one[:8], set()).add(number(one, segment_bytes))
    missing = [] if start[:8] in there else [start]
    first = number(start, segment_bytes)
    for timeline, places in sorted(there.items()):
        low = first if timeline == start[:8] else max(first, min(places))
        missing += [named(timeline, place, segment_bytes) for place in range(low, max(places) + 1) if place not in places]
    return missing


def sha1(path: pathlib.Path) -> str:
    """Return the digest that a segment's name in the archive carries."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()
