#!/bin/sh
# Says what a run could change, a line a thing, so that two moments can be compared. Usage: state.sh [FOLDER...]
# Of the folders: files and links, with their times. Without a folder, of this whole host, as root: its packages, units, listeners, what its servers were told and
# what there is in their databases, too.
set -eu

# A folder that is not there yet may come.
files() {
    for folder; do
        [ ! -d "$folder" ] || find "$folder" -xdev -path /srv/backup -prune -o \( -type f -o -type l \) -printf 'file %p %m %u %s %T@ %l\n'
    done | sort
}

# Where a host that lives writes all the time, whoever looks: what there is, whose and for whom, and not when. But for what comes and goes by itself: Debian's
# own copies and metrics, the backups that a timer makes, a copy that a drill restores, files that are being written, histories, caches, Ansible's own.
names() {
    for place; do
        [ ! -e "$place" ] || find "$place" -xdev \
            \( -path '/var/backups/*.[0-9]*' -o -path '/var/backups/golive/*' -o -path '/var/lib/golive/drill-*' -o -path '/var/lib/golive/rehearsal-*' \
            -o -path '/var/lib/prometheus/node-exporter/[!g]*' -o -name '*.new' -o -name '*.tmp' -o -name '.*_history' -o -name .lesshst \
            -o -name .cache -o -name __pycache__ -o -name .ansible -o -name .ansible_async \) -prune -o -printf 'name %p %y %m %u %g %l\n'
    done | sort
}

if [ $# -gt 0 ]; then
    files "$@"
    exit 0
fi

# Copies of the database arrive in /srv/backup by a timer, whoever looks meanwhile.
files /etc /usr/local /var/www /var/spool/cron /opt /srv
names /var/lib/golive* /var/lib/prometheus/node-exporter /var/backups /root /home
dpkg-query --show --showformat 'package ${Package} ${Version} ${db:Status-Abbrev}\n'
systemctl list-unit-files --no-pager --no-legend
ss --no-header --listening --numeric --tcp | awk '{ print "listens", $4 }' | sort

if systemctl --quiet is-active postgresql; then
    cd /
    runuser -u postgres -- psql -XAtq <<'SQL'
select 'setting', name, setting, pending_restart from pg_settings where name <> 'application_name' order by name;
select 'role', rolname, rolsuper, rolbypassrls, rolcanlogin, rolconfig from pg_roles order by rolname;
select 'member', roleid::regrole, member::regrole from pg_auth_members order by 2, 3;
select 'database', datname, datacl from pg_database order by datname;
SQL
    runuser -u postgres -- psql -XAtqc 'select datname from pg_database where datallowconn order by datname' | while read -r database; do
        runuser -u postgres -- psql -XAtqd "$database" <<'SQL'
select 'schema', current_database(), nspname, nspowner::regrole, nspacl from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' order by 3;
select 'extension', current_database(), extname, extversion from pg_extension order by 3;
select 'relation', current_database(), oid::regclass, relkind, relowner::regrole, relacl from pg_class
  where relnamespace in (select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema') order by oid::regclass::text;
select 'function', current_database(), oid::regprocedure, proowner::regrole, proacl from pg_proc
  where pronamespace in (select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema') order by oid::regprocedure::text;
SQL
    done
fi
if systemctl --quiet is-active redis-server; then
    REDISCLI_AUTH=$(awk '$1 == "requirepass" { gsub("\"", "", $2); print $2 }' /etc/redis/redis.conf)
    export REDISCLI_AUTH
    # Every other line is a value.
    redis-cli config get '*' | paste - - | awk '$1 !~ /pass|auth/ { print "redis", $0 }'
fi
