#!/usr/bin/env bash
# The system's side: programs that pip does not bring. Asks for programs, not packages, so that a prepared machine of any kind passes.
# Usage: scripts/packages.sh run|dev
source "$(dirname "$0")/lib.sh"

# program or file: Debian package
declare -A NEEDS=(
    [podman]=podman [runc]=runc [iptables]=iptables [debootstrap]=debootstrap [git]=git [ssh-keygen]=openssh-client [curl]=curl
    [/usr/lib/cni/bridge]=containernetworking-plugins
)
if [[ ${1:-run} == dev ]]; then
    # postgresql: the newest server of the release, for clusters that tests start. redis-tools carries the server's program under another name and, unlike redis-server, starts no service.
    NEEDS+=([chromium]=chromium [redis-check-rdb]=redis-tools [/usr/share/postgresql-common/pg_wrapper]=postgresql [restic]=restic [pgbackrest]=pgbackrest)
    # What debootstrap knows Debian 13 by, also on Ubuntu.
    NEEDS+=([/usr/share/keyrings/debian-archive-keyring.gpg]=debian-archive-keyring)
    # The second opinion on limits; tests start one of their own on loopback.
    NEEDS+=([nginx]=nginx-light)
fi

have() { [[ -e $1 ]] || PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null; }

missing=() packages=()
for need in "${!NEEDS[@]}"; do
    have "$need" || { missing+=("$need") packages+=("${NEEDS[$need]}"); }
done
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    missing+=(python3-venv) packages+=(python3-venv)
fi
((${#missing[@]})) || exit 0

. /etc/os-release
case "${ID:-}-${VERSION_ID:-}" in
    debian-12 | debian-13 | ubuntu-24.04) ;;
    *) die "missing: ${missing[*]}. Install them your system's way (Debian 12, 13 and Ubuntu 24.04 are done for you), then try again" ;;
esac

# A mirror now and then answers an index whose signature does not verify.
update() {
    local try
    for try in 1 2 3; do
        as_root apt-get update -q && return
        sleep $((try * 5))
    done
    return 1
}

install() {
    update || return 1
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}"
}

long "Installing ${packages[*]}" install
