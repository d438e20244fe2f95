#!/bin/sh
# Says what a run could change, a line a thing, so that two moments can be compared. Usage: state.sh [FOLDER...]
# Of the folders: files and links, with their times. Without a folder, of this whole host, as root: its packages, units, listeners and what its servers were told, too.
set -eu

# A folder that is not there yet may come.
files() {
    for folder; do
        [ ! -d "$folder" ] || find "$folder" -xdev -path /srv/backup -prune -o \( -type f -o -type l \) -printf 'file %p %m %u %s %T@ %l\n'
    done | sort
}

if [ $# -gt 0 ]; then
    files "$@"
    exit 0
fi

# Copies of the database arrive in /srv/backup by a timer, whoever looks meanwhile.
files /etc /usr/local /var/www /var/spool/cron /opt /srv
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
fi
if systemctl --quiet is-active redis-server; then
    REDISCLI_AUTH=$(awk '$1 == "requirepass" { gsub("\"", "", $2); print $2 }' /etc/redis/redis.conf)
    export REDISCLI_AUTH
    # Every other line is a value.
    redis-cli config get '*' | paste - - | awk '$1 !~ /pass|auth/ { print "redis", $0 }'
fi
