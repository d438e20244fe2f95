# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One value held against its spec, as deep as it goes. Nothing is converted: what YAML made of an unquoted text is a mistake, not a text."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils.lint import formats
from ansible_collections.resto.golive.plugins.plugin_utils.lint.files import Definition
from ansible_collections.resto.golive.plugins.plugin_utils.lint.mistakes import Mistake, Text, sensitive, word
from ansible_collections.resto.golive.plugins.plugin_utils.lint.names import suggestion
from ansible_collections.resto.golive.plugins.plugin_utils.lint.names_inside import NamesInside, words
from ansible_collections.resto.golive.plugins.plugin_utils.lint.source import Path

Spec = t.Mapping[str, t.Any]

_KIND_OF: tuple[tuple[type, str], ...] = ((bool, "bool"), (int, "number"), (float, "number"), (str, "text"), (dict, "dict"), (list, "list"))
#: The kinds of values that each type takes. A number may come as text (``-e n=30``), and never the other way round.
_TAKES = {
    "str": ("text",),
    "int": ("number",),
    "number": ("number",),
    "bool": ("bool",),
    "list": ("list",),
    "dict": ("dict",),
    "any": ("text", "number", "bool", "date", "dict", "list"),
}
_AS_TEXT = {"int": re.compile(r"^-?\d+$"), "number": re.compile(r"^-?\d+(\.\d+)?$"), "bool": re.compile(r"^(true|false|yes|no|on|off)$", re.IGNORECASE)}


def kind_of(value: t.Any) -> str:
    if value is None:
        return "nothing"
    return next((kind for python, kind in _KIND_OF if isinstance(value, python)), "date")


@dataclasses.dataclass
class ValueLint:
    """Looks through one value. ``mistakes`` grows; ``secrets`` collects ``(name of the place, secret's name, line)`` for whoever asks the store."""

    names: NamesInside
    origin: Definition
    variable: str
    templated: bool
    mistakes: list[Mistake] = dataclasses.field(default_factory=list)
    secrets: list[tuple[str, str, int]] = dataclasses.field(default_factory=list)

    def look(self, value: t.Any, spec: Spec, path: Path = (), *, in_words: bool = False) -> None:
        """Hold *value* at *path* against *spec*."""
        chosen = self._alternative(value, spec)
        if chosen is None:
            self._wrong_type(value, spec, path)
            return
        in_words = in_words or bool(chosen.get("words")) or bool(spec.get("words"))
        if isinstance(value, str):
            self._text(value, chosen, path, in_words)
        elif isinstance(value, dict):
            self._mapping(value, chosen, path, in_words)
        elif isinstance(value, list):
            for index, entry in enumerate(value):
                self.look(entry, chosen.get("elements", {"type": "any"}), (*path, index), in_words=in_words)
        if "choices" in chosen and str(value) not in [str(choice) for choice in chosen["choices"]]:
            self._say("choice", path, choices=", ".join(str(choice) for choice in chosen["choices"]))

    def _alternative(self, value: t.Any, spec: Spec) -> Spec | None:
        """Return the alternative of *spec* that *value* has the type of."""
        if "or" in spec:
            return next((found for alternative in spec["or"] if (found := self._alternative(value, alternative)) is not None), None)
        kind, wanted = kind_of(value), spec.get("type", "any")
        whole = wanted != "int" or not isinstance(value, float)
        fits = (kind in _TAKES[wanted] and whole) or (kind == "text" and wanted in _AS_TEXT and bool(_AS_TEXT[wanted].match(value)))
        return spec if fits else None

    def _wrong_type(self, value: t.Any, spec: Spec, path: Path) -> None:
        kind = kind_of(value)
        if kind in ("number", "bool", "date") and takes_text(spec):
            written = self.origin.place.inside(path).raw if self.origin.place and not self.templated else None
            if self._sensitive(path, spec):
                self._say("eaten", path, kind=word(f"bare_{kind}"), value=word("hidden"), raw=word("hidden"))
            else:
                self._say("eaten", path, kind=word(f"bare_{kind}"), value=shown(value), raw=written or shown(value))
        else:
            self._say("type", path, kind=word(f"kind_{kind}"), wanted=wanted(spec))

    def _text(self, value: str, spec: Spec, path: Path, in_words: bool) -> None:
        if self.templated and spec.get("format") == "secret" and not formats.SECRET_NAME.match(value):
            self._say("secret_resolved", path)
            return
        for code, params in formats.check(value, spec, self.names):
            self._say(code, path, **params)
        if spec.get("format") == "secret" and formats.SECRET_NAME.match(value) and not formats.SECRET_VALUE.search(value):
            self.secrets.append((self._called(path), value, self.origin.inside(path)))
        if "refers" in spec:
            for code, params in formats.reference(value, spec["refers"], self.names):
                self._say(code, path, **params)
        for inside in words(value) if in_words else ():
            if inside not in self.names.words:
                self._say("word", path, word="{" + inside + "}", known=", ".join(self.names.words))

    def _mapping(self, value: dict[t.Any, t.Any], spec: Spec, path: Path, in_words: bool) -> None:
        keys: Spec = spec.get("keys", {})
        present = [key for key in value if not str(key).startswith("x_")]
        if spec.get("nonempty") and not present:
            self._say("empty", path)
        for missing in spec.get("required", ()):
            if value.get(missing) in (None, "", [], {}):
                self._say("key_missing", path, missing=missing)
        if "one_of" in spec and len([key for key in spec["one_of"] if key in value]) != 1:
            self._say("one_of", path, keys=", ".join(spec["one_of"]))
        for key in present:
            self._entry(key, value[key], spec, keys, path, in_words)

    def _entry(self, key: t.Any, value: t.Any, spec: Spec, keys: Spec, path: Path, in_words: bool) -> None:
        if not isinstance(key, str) and kind_of(key) != "nothing" and not (isinstance(key, int) and spec.get("type") == "any"):
            written = self.origin.place.inside(path).raw_key(key) if self.origin.place else None
            self._say("eaten_key", path, kind=word(f"bare_{kind_of(key)}"), value=shown(key), raw=written or shown(key))
            return
        if key in keys:
            if value is not None:
                self.look(value, keys[key], (*path, key), in_words=in_words)
            return
        if "keys_refer" in spec:
            for code, params in formats.reference(key, spec["keys_refer"], self.names):
                if keys:
                    code, params = "key", _unknown_key(key, [*keys, *self.names.of[spec["keys_refer"]]])
                self._say(code, (*path, key), **params)
        elif keys and "values" not in spec:
            self._say("key", (*path, key), **_unknown_key(key, list(keys)))
            return
        if value is not None:
            self.look(value, spec.get("values", {"type": "any"}), (*path, key), in_words=in_words)

    def _sensitive(self, path: Path, spec: Spec) -> bool:
        return spec.get("format") == "secret" or sensitive(self._called(path))

    def _called(self, path: Path) -> str:
        """Return the place as people write it: ``integrations_providers.stripe.keys.signing``. A key that looks like a secret is not shown."""
        steps = ["…" if formats.SECRET_VALUE.search(str(step)) else str(step)[:60] for step in path]
        return self.variable + "".join(f"[{step}]" if isinstance(real, int) else f".{step}" for step, real in zip(steps, path, strict=True))

    def _say(self, code: str, path: Path, **params: t.Any) -> None:
        self.mistakes.append(Mistake(code, self.origin.file, self.origin.inside(path), {"name": self._called(path), **params}))


def _unknown_key(key: str, known: t.Sequence[str]) -> dict[str, t.Any]:
    near = suggestion(key, known)
    return {"hint": word("hint", suggestion=near) if near else "", "known": ", ".join(known)}


def takes_text(spec: Spec) -> bool:
    return spec.get("type") == "str" or any(takes_text(alternative) for alternative in spec.get("or", ()))


def wanted(spec: Spec) -> Text:
    """Return what to say was wanted: the spec's own words, or its type's."""
    if "wanted" in spec:
        return t.cast("Text", spec["wanted"])
    if "or" in spec:
        parts, between = [wanted(alternative) for alternative in spec["or"]], word("wanted_or")
        return {language: between[language].join(dict.fromkeys(part[language] for part in parts)) for language in between}
    return word(f"wanted_{spec.get('type', 'any')}")


def shown(value: t.Any) -> str:
    """Return a number, a boolean or a date as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)[:60]
