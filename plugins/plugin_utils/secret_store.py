# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secret store, read on the control node: a name ``path#key`` becomes a value that goes to the host in a ``no_log`` option and nowhere else."""

from __future__ import annotations

import json
import pathlib
import typing as t
import urllib.error

TIMEOUT_S = 10


class SecretError(Exception):
    """A secret cannot be read; ``str()`` says why, without values."""


class NoSuchPath(SecretError):
    """The store answers, and has nothing at that path."""


def values(wanted: t.Iterable[str], store: t.Mapping[str, t.Any] | None, variables: t.Callable[[str], t.Any]) -> dict[str, str]:
    """Return the values of the names in *wanted*. Raises :class:`SecretError`.

    *store* is ``environment_secrets_store``; *variables* resolves a variable of the control node, for the kind ``ansible_vault``.
    """
    found: dict[str, str] = {}
    read: dict[str, dict[str, t.Any]] = {}
    for name in wanted:
        path, separator, key = name.partition("#")
        if not separator:
            raise SecretError("a secret is named path#key")
        if path not in read:
            read[path] = keys_of(path, store, variables)
        if key not in read[path]:
            raise SecretError(f"{path} has no key {key}; it has {', '.join(sorted(read[path])) or 'none'}")
        found[name] = str(read[path][key])
    return found


def keys_of(path: str, store: t.Mapping[str, t.Any] | None, variables: t.Callable[[str], t.Any]) -> dict[str, t.Any]:
    """Return everything at *path* of *store*. Raises :class:`SecretError`."""
    if not store:
        raise SecretError("environment_secrets_store is not declared")
    readers: dict[str, t.Callable[..., dict[str, t.Any]]] = {"openbao": _openbao, "vault": _openbao, "ansible_vault": _ansible_vault}
    reader = readers.get(str(store.get("kind")))
    if reader is None:
        raise SecretError(f"the store kind {store.get('kind')} is not supported here; supported: {', '.join(sorted(readers))}")
    return reader(path, store, variables)


def _openbao(path: str, store: t.Mapping[str, t.Any], variables: t.Callable[[str], t.Any]) -> dict[str, t.Any]:
    """KV version 2 over HTTP; the token comes from a file that only its owner reads."""
    # It loads all that Ansible knows of HTTP, Kerberos and proxies; a run that asks no store does not wait for it.
    from ansible.module_utils.urls import open_url

    try:
        token = pathlib.Path(str(store["token_file"])).expanduser().read_text(encoding="utf-8").strip()
    except KeyError:
        raise SecretError("environment_secrets_store.token_file is not declared") from None
    except OSError as error:
        raise SecretError(f"token file: {error.strerror}") from None
    url = f"{store['url']}/v1/{store['mount']}/data/{path}"
    try:
        answer = open_url(url, headers={"X-Vault-Token": token}, timeout=TIMEOUT_S, ca_path=store.get("ca"))
        return t.cast("dict[str, t.Any]", json.load(answer)["data"]["data"])
    except urllib.error.HTTPError as error:
        if error.code == 404:  # KV version 2 answers so for a path that is not there
            raise NoSuchPath(f"there is nothing at {store['mount']}/{path}") from None
        raise SecretError(f"{url} answered {error.code}") from None
    except (OSError, ValueError, KeyError) as error:
        raise SecretError(f"{url}: {type(error).__name__}") from None


def _ansible_vault(path: str, store: t.Mapping[str, t.Any], variables: t.Callable[[str], t.Any]) -> dict[str, t.Any]:
    """The dictionary of that name in the inventory, as ansible-vault encrypts it."""
    found = variables(path)
    if not isinstance(found, dict):
        raise NoSuchPath(f"the inventory has no dictionary {path}")
    return found
