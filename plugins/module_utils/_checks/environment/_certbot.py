# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What certbot keeps on disk: lineages, their renewal settings and their hooks. ``tls_renewal`` and its drill come in.

The layout is certbot's own (its user guide, "Where are my certificates?"): ``renewal/NAME.conf``, ``live/NAME/``, ``renewal-hooks/``.
"""

from __future__ import annotations

import os
import pathlib
import re
import stat

from ansible_collections.resto.golive.plugins.module_utils import _tls
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json

#: What a hook says when it makes a server read its certificate again.
RELOADS = re.compile(r"\b(reload|try-reload-or-restart|reload-or-restart|restart|graceful|HUP)\b")

#: Settings of ``renewal/NAME.conf`` and ``cli.ini`` that name a command to run after a renewal.
HOOK_SETTINGS = ("renew_hook", "deploy_hook", "post_hook", "deploy-hook", "renew-hook", "post-hook")

#: certbot's installers that reload their server by themselves after a renewal.
RELOADING_INSTALLERS = frozenset({"nginx", "apache"})


def read_settings(text: str) -> dict[str, str]:
    """Return the settings of a renewal file, those of its nested sections (``[[webroot_map]]``) left out."""
    settings: dict[str, str] = {}
    depth = 0
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("["):
            depth = len(bare) - len(bare.lstrip("["))
        elif "=" in bare and not bare.startswith(("#", ";")) and depth < 2:
            key, _separator, value = bare.partition("=")
            settings[key.strip()] = value.strip().strip("\"'")
    return settings


def lineages(config_dir: str) -> list[dict[str, Json]]:
    """Return every lineage: ``name``, its settings, and ``certificate`` (None where the file is missing). Raises :class:`CannotKnow`.

    Only root sees all of it, and a glob passes over a folder that it may not read without a word: so nobody else is let in.
    """
    if os.geteuid() != 0:
        raise CannotKnow("common.missing_privilege", wanted="root")
    folder = pathlib.Path(config_dir)
    found = []
    for path in sorted(folder.glob("renewal/*.conf")):
        settings = read_settings(path.read_text(encoding="utf-8", errors="replace"))
        found.append({"name": path.stem, "settings": settings, "certificate": on_disk(settings.get("cert") or str(folder / "live" / path.stem / "cert.pem"))})
    return found


def on_disk(path: str) -> dict[str, Json] | None:
    """Return what the first certificate of *path* says, or None where there is no such file. Raises :class:`CannotKnow`."""
    try:
        data = pathlib.Path(path).read_bytes()
    except FileNotFoundError:
        return None
    return _tls.describe(data)


def covering(found: list[dict[str, Json]], name: str) -> list[dict[str, Json]]:
    """Return the lineages whose certificate is good for *name*."""
    return [lineage for lineage in found if lineage["certificate"] and _tls.matches(name, lineage["certificate"]["san"])]


def hooks(config_dir: str, lineage: dict[str, Json]) -> list[dict[str, Json]]:
    """Return what runs after *lineage* has been renewed: ``where``, ``runs`` (certbot would start it), ``reloads`` (its words say so)."""
    folder = pathlib.Path(config_dir)
    found = [_file_hook(path) for kind in ("deploy", "post") for path in sorted(folder.glob(f"renewal-hooks/{kind}/*")) if not path.name.endswith("~")]
    for where, settings in ((f"renewal/{lineage['name']}.conf", lineage["settings"]), ("cli.ini", _cli_settings(folder))):
        found += [
            {"where": f"{where}: {key}", "runs": True, "reloads": _command_reloads(settings[key])}
            for key in HOOK_SETTINGS
            if settings.get(key) not in (None, "", "None")
        ]
    installer = lineage["settings"].get("installer", "")
    if installer in RELOADING_INSTALLERS:
        found.append({"where": f"renewal/{lineage['name']}.conf: installer", "runs": True, "reloads": True})
    return found


def _cli_settings(folder: pathlib.Path) -> dict[str, str]:
    try:
        return read_settings((folder / "cli.ini").read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return {}


def _file_hook(path: pathlib.Path) -> dict[str, Json]:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8", errors="replace") if stat.S_ISREG(mode) else ""
    except OSError:
        return {"where": str(path), "runs": False, "reloads": False}
    return {"where": str(path), "runs": stat.S_ISREG(mode) and os.access(path, os.X_OK), "reloads": _says_reload(text)}


def _command_reloads(command: str) -> bool:
    """A setting holds either the command itself or the path of a script."""
    first = command.split()[0] if command.split() else ""
    return bool(RELOADS.search(command)) or (os.path.isabs(first) and _file_hook(pathlib.Path(first))["reloads"])


def _says_reload(text: str) -> bool:
    return any(RELOADS.search(line) for line in text.splitlines() if not line.lstrip().startswith("#"))
