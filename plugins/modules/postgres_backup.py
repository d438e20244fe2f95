#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``postgres_backup``: there is a fresh, whole, encrypted copy of the database on another machine."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_backup
short_description: Prove that Postgres has a fresh, whole, encrypted backup on another machine
version_added: 0.1.0
description:
  - Looks at the newest backup (age, manifest, the SHA-256 of every file, roles, size against the median of the runs before), at the last attempt, at what
    the backup's role may do, at the cluster that the backup says it is of, and at the encrypted repository on the other machine.
  - The age is held against the RPO that is promised, and the RPO against the engine. A dump cannot hold less than an hour.
  - With O(fix=true) gives the job its secrets (files that only its user reads), its least-privilege role (C(BYPASSRLS), never a superuser) and its
    repository. The job itself and its schedule are set up by the role C(resto.golive.postgres).
  - With the engine V(pgbackrest) looks at its backups, at gaps in the archived WAL (which its own C(verify) does not notice), at how the server archives,
    at encryption, and at options that the installed version does not know.
  - With V(external) and V(managed) judges age, size, encryption and place by the word of O(report). What that does not say reads C(error).
requirements:
  - psycopg >= 3.1 (Debian package C(python3-psycopg))
  - restic >= 0.14, or pgBackRest >= 2.45
extends_documentation_fragment:
  - resto.golive.check
  - resto.golive.postgres.backups
author:
  - Resto Golive (@resto-golive)
options:
  repository:
    description:
      - Where the second copy is. Variable C(postgres_backups_repository).
      - A path is one on the first host of the group C(backup_store); else a repository as restic names it, such as C(sftp:USER@HOST:/PATH) or
        C(s3:https://HOST/BUCKET). Needed with V(dump) and V(pgbackrest).
    type: str
  repository_password:
    description:
      - Password that the repository is encrypted with. Variable C(postgres_backups_repository_password), whose value is a name in the secret store.
      - Who loses it loses every backup, so it must not be on the database's host alone. Needed with V(dump) and V(pgbackrest).
    type: str
  access_key:
    description: Access key of an S3 repository. Variable C(postgres_backups_access_key), whose value is a name in the secret store.
    type: str
  secret_key:
    description: Secret key of an S3 repository. Variable C(postgres_backups_secret_key), whose value is a name in the secret store.
    type: str
  password:
    description:
      - Password of the role C(golive_backup), where C(postgres_host) is an address. Variable C(postgres_backups_password), whose value is a name in the secret
        store. Over the socket none is needed.
      - There you make the role yourself, with C(BYPASSRLS) and what O(fix) grants over the socket. Nobody can be sure of a role that another server made, so
        it is judged by what it sees.
    type: str
  directory:
    description: Where the newest copies are kept on the host. Variable C(postgres_backups_directory).
    type: str
    default: /var/backups/golive
  rpo_minutes:
    description:
      - How many minutes of orders may be lost at most. Variable C(postgres_backups_rpo_minutes). Default 60, with V(pgbackrest) 15.
      - Older than 1.2 times this warns, older than twice fails.
    type: float
  left_out:
    description:
      - Databases of the cluster that need no backup. Variable C(postgres_backups_left_out). With V(dump), every other database beside the one that is backed
        up, C(postgres) and templates warns. V(pgbackrest) backs the whole cluster up.
    type: list
    elements: str
    default: []
  size_share_min:
    description: The least size, as a share of the median of the seven runs before. Variable C(postgres_backups_size_share_min).
    type: float
    default: 0.5
"""

EXAMPLES = r"""
- name: See whether there is a backup to rely on
  resto.golive.postgres_backup:

- name: Give the job its role, its secrets and its repository
  resto.golive.postgres_backup:
    fix: true
"""

RETURN = r"""
golive:
  description: What was observed.
  returned: success
  type: dict
  contains:
    rows:
      description: One observation of the item C(postgres.backups).
      type: list
      elements: dict
      sample:
        - item: postgres.backups
          check: postgres_backup
          target: {kind: host, name: db1}
          status: pass
          reason: {code: postgres_backup.rpo_possible, params: {rpo: 60}}
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_backup import PostgresBackup
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(PostgresBackup)


if __name__ == "__main__":
    main()
