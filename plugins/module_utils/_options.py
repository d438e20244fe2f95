# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of checks: how a check's declaration becomes an argument spec, and raw values become valid ones."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.resto.golive.plugins.module_utils._check import Check, Options

#: Keys of an option that argument specs do not know.
OUR_KEYS = frozenset({"widest", "variable", "secret", "secrets", "example", "required_with"})

#: Options that every check's own module has besides those of its class.
COMMON_SPEC: dict[str, dict[str, t.Any]] = {
    "fix": {"type": "bool", "default": False},
    "target": {"type": "str"},
}


class BadOptions(Exception):
    """An option is missing, unknown or of the wrong type; ``str()`` says which, without values of secrets."""


def argument_spec(check: type[Check]) -> dict[str, dict[str, t.Any]]:
    """Return the argument spec of *check*'s options, secrets marked ``no_log``."""
    spec = {}
    for name, option in check.options.items():
        spec[name] = {key: value for key, value in option.items() if key not in OUR_KEYS}
        if option.get("secret"):
            spec[name]["no_log"] = True
    return spec


def validated(check: type[Check], raw: Options) -> dict[str, t.Any]:
    """Return *raw* with defaults filled in and types converted. Raises :class:`BadOptions`.

    A secret never counts as missing here: its value travels apart, and whether it is declared was asked on the control node.
    """
    secrets = set(secret_options(check))
    spec = {name: {**option, "required": False} if name in secrets else option for name, option in argument_spec(check).items()}
    result = ArgumentSpecValidator(spec).validate(dict(raw))
    if result.error_messages:
        raise BadOptions("; ".join(result.error_messages))
    return t.cast("dict[str, t.Any]", result.validated_parameters)


def missing_options(check: type[Check], raw: Options) -> list[str]:
    """Return the options that must be declared and are not: ``required`` always, ``required_with`` where another option has one of the values named."""
    return [name for name, option in check.options.items() if raw.get(name) in (None, "", [], {}) and _wanted(check, option, raw)]


def _wanted(check: type[Check], option: t.Mapping[str, t.Any], raw: Options) -> bool:
    when: t.Mapping[str, t.Collection[str]] = option.get("required_with", {})
    return bool(option.get("required")) or any((raw.get(name) or check.options[name].get("default")) in values for name, values in when.items())


def secret_options(check: type[Check]) -> list[str]:
    """Return the names of the options whose variable holds a name in the secret store."""
    return [name for name, option in check.options.items() if option.get("secret")]


def secret_names(check: type[Check], options: Options) -> dict[str, str]:
    """Return the names in the secret store that *options* hold, by place: ``password``, ``logins.owner.password``.

    Places inside dictionaries are those that the option's ``secrets`` point to (``*.password``; ``*`` is any key), and of these the ones that the check
    says it needs: a secret that nobody uses does not travel.
    """
    found = {name: str(options[name]) for name in secret_options(check) if options.get(name)}
    for name, option in check.options.items():
        for pattern in option.get("secrets", ()):
            found |= dict(_inside(options.get(name), pattern.split("."), name))
    needed = check.secrets_needed(options)
    return found if needed is None else {place: value for place, value in found.items() if place in needed}


def _inside(value: t.Any, steps: list[str], place: str) -> t.Iterator[tuple[str, str]]:
    if not steps:
        if isinstance(value, str) and value:
            yield place, value
    elif isinstance(value, t.Mapping):
        for key in list(value) if steps[0] == "*" else [steps[0]]:
            if key in value:
                yield from _inside(value[key], steps[1:], f"{place}.{key}")
