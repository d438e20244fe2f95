# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who put a signature on record: git is asked whether the entry stands in the last commit just as it is used, and who wrote its lines there.

A *record* is what ``signatures`` judges and the report shows beside the entry: its ``state``, and for a committed one ``by`` (the author), ``at`` and
``commit`` of its newest line. States: ``committed``; ``uncommitted`` (the last commit does not have it, or has it otherwise); ``ignored`` (git was told to
leave the file out); ``template`` (what it says stands elsewhere); ``unreadable`` (git gave no answer); ``no_git`` (the inventory is in no git work tree).
"""

from __future__ import annotations

import datetime
import os
import pathlib
import subprocess
import typing as t

import yaml

from ansible_collections.resto.golive.plugins.plugin_utils.lint import source
from ansible_collections.resto.golive.plugins.plugin_utils.lint.view import CONTROL, InventoryView, Setting, bare, templated

Record = dict[str, str]

#: What is signed, and so must be on record.
SIGNED = ("golive_waivers", "golive_attestations", "golive_retired")
#: Asking about one small file takes milliseconds; a repository on a dead network disk must not hold the run.
TIMEOUT_S = 20


class GitSilent(Exception):
    """Git could not be asked; says why in one line."""


def records(view: InventoryView, host: str = CONTROL, names: t.Collection[str] = SIGNED) -> dict[str, list[Record]]:
    """Return for each of the signed variables that *host* has the record of each of its entries, in their order. A declaration is its own one entry."""
    settings = view.settings(host)
    return {name: _of_setting(settings[name]) for name in names if name in settings and settings[name].origin.kind != "extra"}


def _of_setting(setting: Setting) -> list[Record]:
    entries = [setting.raw] if isinstance(setting.raw, t.Mapping) else setting.raw
    if not isinstance(entries, (list, tuple)):
        return []  # one template for all of it: the entries that it makes have no record
    file = setting.origin.file
    path = pathlib.Path(os.path.realpath(file))
    if not in_work_tree(path):
        return [{"state": "no_git"} for _entry in entries]
    try:
        committed = LastCommit(path, setting.name)
        return [{"state": "template", "file": file} if templated(entry) else {"file": file, **committed.record(bare(entry))} for entry in entries]
    except GitSilent as silent:
        return [{"state": "unreadable", "file": file, "problem": str(silent)} for _entry in entries]


def in_work_tree(path: pathlib.Path) -> bool:
    """Say whether *path* lies below something called ``.git``: found without git, so that a missing or unwilling git never reads as no repository."""
    return any((parent / ".git").exists() for parent in path.parents)


class LastCommit:
    """One file as the last commit has it, and in it the list, or the one declaration, called *name*."""

    def __init__(self, path: pathlib.Path, name: str) -> None:
        self._path = path
        _said(path, "rev-parse", "--git-dir")  # a repository that git does not trust, or cannot read, is no file that is missing
        found = _git(path, "show", f"HEAD:./{path.name}")
        self._text = None if found.returncode else found.stdout
        self._ignored = found.returncode != 0 and _git(path, "check-ignore", "--quiet", "--", path.name).returncode == 0
        self._entries = list(_entries(self._text or "", name))

    def record(self, entry: t.Any) -> Record:
        if self._ignored:
            return {"state": "ignored"}
        if self._text is None:
            return {"state": "uncommitted"}
        same = next((node for value, node in self._entries if value == entry), None)
        if same is not None:
            return self._written(same.start_mark.line + 1, _last_line(same))
        # Not YAML that can be read here (an INI inventory, a file that ansible-vault encrypted): then the file as a whole.
        if not self._entries and self._text == self._path.read_text(encoding="utf-8", errors="replace"):
            return self._written(1, len(self._text.splitlines()))
        return {"state": "uncommitted"}

    def _written(self, first: int, last: int) -> Record:
        # Merges and commits of the same second are git's to sort out: it names the newest that touched any of these lines.
        said = _said(self._path, "log", "-1", "--no-patch", "--format=%H %ct %ae", f"-L{first},{last}:{self._path.name}", "HEAD")
        commit, at, author = said.strip().split(" ", 2)
        when = datetime.datetime.fromtimestamp(int(at), datetime.UTC)
        return {"state": "committed", "by": author, "at": when.strftime("%Y-%m-%dT%H:%M:%SZ"), "commit": commit}


def _entries(text: str, name: str) -> t.Iterator[tuple[t.Any, yaml.Node]]:
    """Yield each entry of the list *name* in *text*, or the declaration that it is, with its place."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        return
    node = next((place.node for key, _raw, place in source.entries(source.read(text) or yaml.MappingNode("", [])) if key == name), None)
    if not isinstance(values, dict) or node is None:
        return
    if isinstance(values.get(name), list) and isinstance(node, yaml.SequenceNode):
        yield from zip(values[name], node.value, strict=True)
    elif isinstance(values.get(name), dict):
        yield values[name], node


def _last_line(node: yaml.Node) -> int:
    """Return the last line of *node*, from 1. A block's own end is where the next thing begins, so its last value is asked."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.line + bool(node.end_mark.column))


def _git(path: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git beside *path*. ``GIT_DIR`` and its kin would have us ask another repository than the one that the file is in."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        return subprocess.run(
            ["git", "-C", str(path.parent), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            env={**clean, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
        )
    except FileNotFoundError as error:
        raise GitSilent("git is not installed on the control node") from error
    except subprocess.TimeoutExpired as error:
        raise GitSilent(f"git {arguments[0]} gave no answer in {TIMEOUT_S} s") from error


def _said(path: pathlib.Path, *arguments: str) -> str:
    done = _git(path, *arguments)
    if done.returncode:
        raise GitSilent((done.stderr.strip().splitlines() or [f"git {arguments[0]}: rc {done.returncode}"])[0])
    return done.stdout
