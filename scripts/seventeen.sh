#!/usr/bin/env bash
# The tests of PostgreSQL once more, on Debian 13 and what it brings: PostgreSQL 17, Python 3.13, and its own psycopg, restic and pgBackRest.
# Debian 13 is a folder, made once and entered by chroot: nothing boots, no registry is asked, and this checkout is in it read-only.
# Usage: scripts/seventeen.sh [TEST...]; without a test, all that start PostgreSQL and need no lab.
source "$(dirname "$0")/lib.sh"

major=17
# flask-cors: Debian's moto does not bring it, and no S3 server starts without.
packages=(
    ansible-core nginx-light pgbackrest "postgresql-$major" python3-flask-cors python3-moto python3-psycopg python3-pytest python3-pytest-xdist python3-yaml restic sudo
)
# What these tests find on the control node, as in every other stage.
squawk=$(readlink -f .venv/bin/squawk)

# This machine's own mirror; the lab's where it has none, as Ubuntu does.
mirror() {
    # shellcheck disable=SC2016  # apt's own variable
    { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' && awk '$1 == "lab_mirror:" {print $2}' lab/vars.yml; } |
        awk '/\/debian\/?$/ {print; exit}'
}

# inside COMMAND...: run it as root there. Its mounts and its processes end with it, whatever happens.
inside() {
    # shellcheck disable=SC2016,SC2153  # that shell's own variables; ROOT is lib.sh's
    as_root unshare --mount --pid --fork --kill-child bash -euc '
        root=$1 project=$2 squawk=$3
        shift 3
        mount --bind "$project" "$root/srv/golive"
        mount --options remount,bind,ro "$root/srv/golive"
        mount --bind "$squawk" "$root/usr/local/bin/squawk"
        mount --types proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount --types tmpfs tmpfs "$root/tmp"
        exec chroot "$root" env --ignore-environment --chdir=/srv/golive LC_ALL=C.UTF-8 HOME=/root \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
    ' bash "$root" "$ROOT" "$squawk" "$@"
}

make_root() {
    local from
    from=$(mirror)
    # A mirror now and then answers an index whose signature does not verify.
    for try in 1 2 3; do
        as_root rm -rf "$ROOT"/.cache/debian13-*
        as_root debootstrap --variant=minbase trixie "$root" "$from" && break
        ((try < 3)) || die "debootstrap could not make Debian 13"
        sleep 5
    done
    as_root mkdir -p "$root/srv/golive" "$root/etc/postgresql-common"
    as_root touch "$root/usr/local/bin/squawk"
    # Nothing starts there, tests make their own clusters, and a folder that can be made again needs no fsync.
    printf 'create_main_cluster = false\n' | as_root tee "$root/etc/postgresql-common/createcluster.conf"
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$root/usr/sbin/policy-rc.d"
    as_root chmod 0755 "$root/usr/sbin/policy-rc.d"
    printf 'force-unsafe-io\n' | as_root tee "$root/etc/dpkg/dpkg.cfg.d/golive"
    # shellcheck disable=SC2016  # that shell's own variables
    inside DEBIAN_FRONTEND=noninteractive sh -euc '
        for try in 1 2 3; do apt-get update -q && break; sleep 5; done
        apt-get install -q -y --no-install-recommends "$@"
        apt-get clean
    ' sh "${packages[@]}"
    as_root touch "$root/.made"
}

recipe=$({ printf '%s\n' "${packages[@]}" && declare -f make_root; } | sha256sum | cut -c -12)
root="$ROOT/.cache/debian13-$recipe"
[[ -e $root/.made ]] || long "Making Debian 13 with PostgreSQL $major" make_root

shopt -s extglob
(($#)) || set -- tests/integration/test_postgres_!(lab).py
seen=/var/tmp/golive-clusters
as_root rm -f "$root$seen"
inside PYTHONDONTWRITEBYTECODE=1 GOLIVE_POSTGRES="$major" GOLIVE_POSTGRES_SEEN="$seen" \
    python3 -m pytest -o cache_dir=/tmp/pytest -q -n 2 --dist loadfile "$@"

# What was tested is what the servers themselves said, not what was meant to be.
[[ -s $root$seen ]] || die "no server was started: nothing was tested"
sort "$root$seen" | uniq -c | while read -r count version; do say "tested: PostgreSQL $version ($count clusters)"; done
# shellcheck disable=SC2016  # dpkg's own variables
inside dpkg-query --show --showformat '  ${Package} ${Version}\n' python3 python3-psycopg restic pgbackrest
! grep -qv "^$major\." "$root$seen" || die "not every server was PostgreSQL $major"
