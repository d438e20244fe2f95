# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the terminal shows beside Ansible's own output: each box as it is looked at, and the verdict at the end. It decides nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
name: checklist
type: aggregate
short_description: Show the checklist filling in, and the verdict
version_added: 0.1.0
description:
  - Shows each item as its host answers, and at the end the verdict with its blockers, their owners and the report's place.
  - It is an aggregate callback, beside the one that writes the standard output. Without it the verdict and the report are the same.
requirements:
  - enable it with C(callbacks_enabled = resto.golive.checklist) in C(ansible.cfg)
options:
  language:
    description: Language of what is shown.
    type: str
    choices: [es, en]
    default: es
    ini:
      - section: golive
        key: language
    env:
      - name: GOLIVE_LANGUAGE
author:
  - Resto Golive (@resto-golive)
"""

import typing as t

from ansible.plugins.callback import CallbackBase

from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, texts

MARKS = {"pass": "[x]", "warn": "[!]", "fail": "[ ]"}
COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "resto.golive.checklist"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._decided: dict[str, t.Any] | None = None

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._take(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._take(result)

    def _take(self, result: t.Any) -> None:
        ours = result.result.get("golive")
        if not isinstance(ours, dict):
            return
        if "verdict" in ours:
            self._decided = ours
        for row in ours.get("rows", ()):
            self._show(result.host.get_name(), row)

    def _show(self, host: str, row: dict[str, t.Any]) -> None:
        item, status = catalogue.items()[row["item"]], row["status"]
        where = row["target"]["name"] if row["target"]["name"] != host else host
        reason = "" if status == "pass" else "\n        " + texts.render(row["reason"]["code"], row["reason"]["params"])[self._language()].split("\n")[0]
        line = f"  {MARKS.get(status, '[?]')} {item.number} {item.title[self._language()]} · {where} · {row['check']}{reason}"
        self._display.display(line, color=COLOURS.get(status, "purple"))

    def _language(self) -> str:
        return str(self.get_option("language"))

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        if self._decided is None:
            return
        self._display.banner("GO-LIVE")
        self._display.display(self._decided["text"][self._language()])
