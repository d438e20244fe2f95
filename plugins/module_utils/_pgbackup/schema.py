# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database's schema as a dictionary of definitions, so that two moments of it can be compared object by object. Changes nothing."""

from __future__ import annotations

import typing as t

#: kind, name, definition; of everything that a migration makes and that is not an extension's.
OBJECTS = """
with mine as (select oid, nspname from pg_namespace where nspname not in ('pg_catalog', 'information_schema') and nspname !~ '^pg_(toast|temp)'),
     owned as (select classid, objid from pg_depend where deptype = 'e')
select 'column', format('%I.%I.%I', n.nspname, c.relname, a.attname),
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end, pg_get_expr(d.adbin, d.adrelid),
                 nullif(a.attidentity, ''), nullif(a.attgenerated, ''))
  from pg_class c join mine n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where c.relkind in ('r', 'p', 'v', 'm', 'f') and (1259, c.oid) not in (select * from owned)
union all
select 'relation', format('%I.%I', n.nspname, c.relname), concat_ws(' ', c.relkind, pg_get_userbyid(c.relowner), c.relpersistence, c.relrowsecurity,
       c.relforcerowsecurity, c.reloptions, (select array_agg(acl::text order by acl::text) from unnest(c.relacl) acl))
  from pg_class c join mine n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and (1259, c.oid) not in (select * from owned)
union all
select 'index', format('%I.%I', n.nspname, c.relname), concat_ws(' ', pg_get_indexdef(c.oid), i.indisvalid, i.indisunique, i.indisprimary)
  from pg_class c join mine n on n.oid = c.relnamespace join pg_index i on i.indexrelid = c.oid
union all
select 'constraint', format('%I on %s', conname, conrelid::regclass), concat_ws(' ', pg_get_constraintdef(k.oid), convalidated)
  from pg_constraint k join mine n on n.oid = k.connamespace where conrelid <> 0
union all
select 'view', format('%I.%I', n.nspname, c.relname), pg_get_viewdef(c.oid) from pg_class c join mine n on n.oid = c.relnamespace where c.relkind in ('v', 'm')
union all
select 'function', format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       md5(concat_ws(' ', p.prosrc, p.prorettype::regtype, p.provolatile, p.prosecdef, p.proconfig,
           (select array_agg(acl::text order by acl::text) from unnest(p.proacl) acl)))
  from pg_proc p join mine n on n.oid = p.pronamespace where (1255, p.oid) not in (select * from owned)
union all
select 'trigger', format('%I on %s', tgname, tgrelid::regclass), concat_ws(' ', pg_get_triggerdef(g.oid), tgenabled)
  from pg_trigger g join pg_class c on c.oid = tgrelid join mine n on n.oid = c.relnamespace where not tgisinternal
union all
select 'policy', format('%I on %I.%I', policyname, schemaname, tablename), concat_ws(' ', permissive, roles, cmd, qual, with_check) from pg_policies
union all
select 'type', format('%I.%I', n.nspname, y.typname), concat_ws(' ', y.typtype,
       (select array_agg(enumlabel order by enumsortorder) from pg_enum where enumtypid = y.oid))
  from pg_type y join mine n on n.oid = y.typnamespace where y.typtype in ('e', 'd', 'r') and (1247, y.oid) not in (select * from owned)
union all
select 'extension', extname, extversion from pg_extension
"""

Schema = dict[str, str]


def read(connection: t.Any) -> Schema:
    """Return the definitions by ``kind name``."""
    return {f"{kind} {name}": str(definition) for kind, name, definition in connection.execute(OBJECTS).fetchall()}


def difference(before: Schema, after: Schema) -> dict[str, list[str]]:
    """Return the names of what was added, removed and changed, each in order."""
    return {
        "added": sorted(set(after) - set(before)),
        "removed": sorted(set(before) - set(after)),
        "changed": sorted(name for name in set(before) & set(after) if before[name] != after[name]),
    }
