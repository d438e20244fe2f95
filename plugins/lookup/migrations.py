# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release's repository says of its migrations."""

from __future__ import annotations

DOCUMENTATION = r"""
name: migrations
short_description: The migrations that a repository carries
version_added: 0.1.0
author: Resto Golive (@resto-golive)
description:
  - Reads the migrations of Alembic, Django, Rails, dbmate, golang-migrate, Flyway, Prisma, Knex or Laravel from a working copy, without running any code of it.
  - Those that are SQL are looked at by squawk (PyPI C(squawk-cli)), if it is on the control node; where it is not, C(linter) is empty and the check says so.
  - The check M(resto.golive.postgres_migrations) holds the database against the result.
options:
  _terms:
    description: Working copy, on the control node.
    type: list
    elements: str
    required: true
  tool:
    description: The tool whose migrations are meant, where there are several tools'.
    type: str
    choices: [alembic, django, rails, dbmate, golang-migrate, flyway, prisma, knex, laravel]
"""

EXAMPLES = r"""
- name: See what the release carries
  ansible.builtin.debug:
    msg: "{{ lookup('resto.golive.migrations', '~/src/comanda') }}"
"""

RETURN = r"""
_raw:
  description: One dictionary a working copy, with C(tool), C(linter) and C(migrations), each with C(id), C(path), C(after), C(checksum) and C(findings).
  type: list
  elements: dict
"""

import pathlib
import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.resto.golive.plugins.plugin_utils import migration_files


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[dict[str, t.Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        tool = self.get_option("tool") or ""
        try:
            return [migration_files.read(pathlib.Path(str(term)).expanduser(), tool) for term in terms]
        except migration_files.Unreadable as problem:
            raise AnsibleLookupError(str(problem)) from problem
