# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``postgres_health`` asks the server: plain SELECTs on catalogues and statistics, tried on PostgreSQL 15 and 17. Only that check comes in.

None reads a table of the user's, and none can take long: the largest scans the catalogue once.
"""

from __future__ import annotations

#: Who asks, when, and whether the others' sessions can be seen: without pg_monitor, pg_stat_activity shows them without their states, as if they were at rest.
IDENTITY = """
select current_setting('server_version_num')::int as version, pg_is_in_recovery() as standby,
       extract(epoch from pg_postmaster_start_time())::float8 as started, extract(epoch from clock_timestamp())::float8 as now,
       (select rolsuper from pg_roles where rolname = current_user)
         or (pg_has_role(current_user, 'pg_read_all_stats', 'usage') and pg_has_role(current_user, 'pg_read_all_settings', 'usage')) as sees_all
"""

SETTINGS = "select name, setting, pending_restart from pg_settings where name = any(%s)"

#: Settings that are judged or needed. A version that lacks one has no row for it.
SETTING_NAMES = (
    "max_connections",
    "superuser_reserved_connections",
    "reserved_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "autovacuum",
    "autovacuum_freeze_max_age",
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "zero_damaged_pages",
    "ignore_checksum_failure",
    "data_directory",
    "ssl",
    "password_encryption",
    "listen_addresses",
    "idle_in_transaction_session_timeout",
    "log_lock_waits",
    "log_min_duration_statement",
    "archive_mode",
    "max_slot_wal_keep_size",
)

#: Dumps and base backups live long by nature: their names are given.
SESSIONS = """
select count(*) filter (where backend_type = 'client backend')::int as used,
       coalesce(max(age(backend_xmin)), 0)::bigint as xmin_age
  from pg_stat_activity
"""

#: The session that is longest at something, with what one needs to find it. %s: application names that may.
LONGEST = """
select pid, coalesce(usename, '') as "user", coalesce(application_name, '') as application, state,
       extract(epoch from clock_timestamp() - xact_start)::float8 as transaction_s,
       extract(epoch from clock_timestamp() - state_change)::float8 as state_s
  from pg_stat_activity
 where backend_type = 'client backend' and pid <> pg_backend_pid() and xact_start is not null and not (application_name = any(%s))
 order by xact_start limit 50
"""

#: waitstart is new in 14; before it, a session that waits has not changed its state since.
WAITING = """
select l.pid, coalesce(a.application_name, '') as application, coalesce(l.relation::regclass::text, l.locktype) as what,
       greatest(0, extract(epoch from clock_timestamp() - {since}))::float8 as seconds, pg_blocking_pids(l.pid) as blockers
  from pg_locks l join pg_stat_activity a using (pid)
 where not l.granted
 order by seconds desc limit 50
"""

LOCKS = "select count(*)::int as held from pg_locks"

#: Databases that were never reset have no date of their own: the archiver's counters begin with the cluster.
DEADLOCKS = """
select coalesce(sum(deadlocks), 0)::bigint as total,
       extract(epoch from clock_timestamp() - coalesce(min(d.stats_reset), (select stats_reset from pg_stat_archiver)))::float8 as seconds,
       coalesce(sum(checksum_failures), 0)::bigint as checksum_failures
  from pg_stat_database d
"""

PREPARED = """
select count(*)::int as count, coalesce(max(extract(epoch from clock_timestamp() - prepared)), 0)::float8 as seconds,
       coalesce(max(age(transaction)), 0)::bigint as xmin_age
  from pg_prepared_xacts
"""

WRAPAROUND = "select max(age(datfrozenxid))::bigint as xid_age, max(mxid_age(datminmxid))::bigint as multixact_age from pg_database"

DEAD = """
select format('%I.%I', schemaname, relname) as name, n_dead_tup as dead, (n_dead_tup::float8 / (n_live_tup + n_dead_tup)) as ratio
  from pg_stat_user_tables where n_dead_tup > 10000
 order by ratio desc limit 5
"""

#: How much of a sequence is gone, held against the column that it fills where that is narrower (an int behind a bigint sequence). A sequence that this role
#: may not read looks as if it had never been used, so those are counted.
SEQUENCES = """
select format('%I.%I', s.schemaname, s.sequencename) as name, has_sequence_privilege(c.oid, 'SELECT') as seen,
       (s.last_value::float8 / least(s.max_value, coalesce(min(case a.atttypid when 'int2'::regtype then 32767 when 'int4'::regtype then 2147483647 end),
        s.max_value))) as ratio
  from pg_sequences s
  join pg_namespace n on n.nspname = s.schemaname
  join pg_class c on c.relnamespace = n.oid and c.relname = s.sequencename and c.relkind = 'S'
  left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
  left join pg_depend u on u.refclassid = 'pg_class'::regclass and u.refobjid = c.oid and u.classid = 'pg_attrdef'::regclass
  left join pg_attrdef f on f.oid = u.objid
  left join pg_attribute a on (a.attrelid, a.attnum) in ((d.refobjid, d.refobjsubid), (f.adrelid, f.adnum))
 where s.increment_by > 0 and not s.cycle
 group by s.schemaname, s.sequencename, s.last_value, s.max_value, c.oid
 order by ratio desc nulls last
"""

#: An index that is being built is not valid yet, and says so here.
INVALID = """
select format('%I.%I', n.nspname, c.relname) as name, 'index' as kind
  from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
 where not i.indisvalid and c.relkind = 'i' and not exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)
union all
select format('%I on %s', conname, conrelid::regclass), 'constraint' from pg_constraint where not convalidated and contype in ('c', 'f')
"""

ARCHIVER = """
select coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) as failing,
       extract(epoch from clock_timestamp() - last_failed_time)::float8 as failed_s,
       (select count(*) from pg_ls_archive_statusdir() where name like '%.ready')::int as ready
  from pg_stat_archiver
"""

SLOTS = """
select slot_name as name, active, coalesce(wal_status, '') as wal_status, greatest(age(xmin), age(catalog_xmin))::bigint as xmin_age,
       (case when pg_is_in_recovery() then 0 else pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) end)::float8 as retained
  from pg_replication_slots
"""

REPLICATION = """
select coalesce(application_name, '') as name, coalesce(extract(epoch from replay_lag), 0)::float8 as seconds,
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::float8 as bytes
  from pg_stat_replication where state <> 'backup' and not pg_is_in_recovery()
"""

TABLESPACES = "select spcname as name, pg_tablespace_location(oid) as path from pg_tablespace where pg_tablespace_location(oid) <> ''"

#: Lines that let in without a password from elsewhere, and lines that PostgreSQL itself cannot read.
ACCESS = """
select line_number as line, coalesce(type, '') as type, coalesce(auth_method, '') as method, coalesce(error, '') as error
  from pg_hba_file_rules where error is not null or (auth_method = 'trust' and type <> 'local')
"""

#: By name.
PARTS = {
    "sessions": SESSIONS, "locks": LOCKS, "deadlocks": DEADLOCKS, "prepared": PREPARED, "wraparound": WRAPAROUND, "dead": DEAD, "sequences": SEQUENCES,
    "invalid": INVALID, "slots": SLOTS, "replication": REPLICATION, "tablespaces": TABLESPACES, "access": ACCESS,
}  # fmt: skip

#: Those whose one row is the answer; of the others all rows are.
SINGLE = frozenset({"sessions", "locks", "deadlocks", "prepared", "wraparound"})
