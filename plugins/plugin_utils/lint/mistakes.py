# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lint hands out: a mistake with its place, and what `-t inventory` shows of a variable. Their texts are in ``messages/lint.yml``."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils import texts

Text = dict[str, str]

#: Ends of names whose values are shown nowhere.
_SENSITIVE = ("password", "passwd", "passphrase", "secret", "token", "private_key", "signing", "credential", "credentials", "api_key", "apikey", "totp")


def sensitive(name: str) -> bool:
    """Say whether *name*, of a variable or a key, says of itself that its value is a secret."""
    return name.lower().endswith(_SENSITIVE)


def word(code: str, **params: t.Any) -> Text:
    """Return the piece of a sentence called *code*, in every language."""
    return {language: texts.render(f"lint.{code}", {name: _in(language, value) for name, value in params.items()})[language] for language in texts.LANGUAGES}


def _in(language: str, value: t.Any) -> t.Any:
    return value[language] if isinstance(value, dict) and set(value) == set(texts.LANGUAGES) else value


@dataclasses.dataclass(frozen=True)
class Mistake:
    """``code`` is the text's name in ``messages/lint.yml``; ``line`` is 0 where there is none; ``params`` are plain, or ``{es, en}``."""

    code: str
    file: str
    line: int
    params: t.Mapping[str, t.Any]

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def text(self) -> Text:
        """The whole sentence in every language, behind its place."""
        said = word(self.code, **self.params)
        return {language: f"{self.where}: {said[language]}" for language in texts.LANGUAGES}

    @property
    def order(self) -> tuple[str, int, str, str]:
        return self.file, self.line, self.code, self.text["en"]

    def as_dict(self) -> dict[str, t.Any]:
        return {"code": f"lint.{self.code}", "file": self.file, "line": self.line, "params": dict(self.params), "text": self.text}


@dataclasses.dataclass(frozen=True)
class Row:
    """A variable as `-t inventory` shows it. ``kind`` is ``set``, ``default`` or ``foreign``; ``items`` read it (none: the engine); ``hosts`` have it."""

    variable: str
    value: str
    kind: str
    origin: Text
    items: tuple[str, ...]
    hosts: tuple[str, ...]

    def as_dict(self) -> dict[str, t.Any]:
        return dataclasses.asdict(self)
