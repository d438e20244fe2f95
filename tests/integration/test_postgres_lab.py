# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What watches PostgreSQL in the lab, looked at over plain SSH; its rules: ``test_restore_rules``."""

from __future__ import annotations

from .test_lab import connect


def test_the_exporters_role_may_only_read_statistics() -> None:
    db1 = connect("db1")
    sql = "runuser -u postgres -- psql -XAtc "
    query = "select rolsuper or rolcreatedb or rolcreaterole or rolbypassrls, array(select roleid::regrole::text from pg_auth_members where member = r.oid)"
    assert db1.check_output(sql + f"\"{query} from pg_roles r where rolname = 'prometheus'\"") == "f|{pg_monitor}"
