# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second opinion on ``environment.tls`` after the role: what openssl, certbot and systemd themselves say over plain SSH, without our own modules.

Needs a lab that runs and was mended (``make demo`` or molecule's ``converge``). Nothing here changes a host.
"""

from __future__ import annotations

import functools
import re
import typing as t
from pathlib import Path

import pytest
import testinfra
import yaml

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / ".lab"
PORTS = {"edge1": 22011, "probe1": 22016}
STAGING = yaml.safe_load((ROOT / "inventories/staging/group_vars/all/50_staging.yml").read_text(encoding="utf-8"))
NAMES = list(STAGING["golive_domains"].values())
LINEAGE = "/etc/letsencrypt/live/golive"
INSTALLED = "/etc/nginx/tls/comanda"
HOOK = "/etc/letsencrypt/renewal-hooks/deploy/golive-nginx"


@functools.cache
def connect(name: str) -> t.Any:
    known = f"-o UserKnownHostsFile={LAB / 'known_hosts'} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    return testinfra.get_host(f"ssh://golive@127.0.0.1:{PORTS[name]}", ssh_identity_file=str(LAB / "id_ed25519"), ssh_extra_args=known, sudo=True)


def serial_of(path: str) -> str:
    return str(connect("edge1").check_output("openssl x509 -noout -serial -in %s", path))


@pytest.mark.parametrize("name", NAMES)
def test_openssl_trusts_what_the_probe_is_served(name: str) -> None:
    said = connect("probe1").check_output(
        "openssl s_client -connect %s -servername %s -CAfile %s -verify_hostname %s -verify_return_error </dev/null",
        f"{name}:443",
        name,
        STAGING["golive_ca_bundle"],
        name,
    )
    assert "Verify return code: 0 (ok)" in said
    pem = re.search(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", said, re.DOTALL)
    assert pem is not None
    assert pem[0] == connect("edge1").file(f"{LINEAGE}/cert.pem").content_string.strip()


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_openssl_gets_no_old_version(version: str) -> None:
    said = connect("probe1").run("openssl s_client -connect %s -cipher ALL:@SECLEVEL=0 %s </dev/null", f"{NAMES[0]}:443", version)
    assert said.rc != 0
    assert "no protocols available" not in said.stderr


def test_nginx_reads_what_certbot_renewed() -> None:
    assert serial_of(f"{INSTALLED}/fullchain.pem") == serial_of(f"{LINEAGE}/cert.pem")


def test_the_private_key_is_roots_alone() -> None:
    key = connect("edge1").file(f"{INSTALLED}/privkey.pem")
    assert (key.user, key.mode) == ("root", 0o600)
    leftovers = connect("edge1").check_output("find %s -name '*.old' -o -name '*.new'", INSTALLED)
    assert leftovers == ""


def test_certbot_lists_one_valid_certificate_for_all_names() -> None:
    said = connect("edge1").check_output("certbot certificates --cert-name golive")
    domains = re.search(r"Domains: (.+)", said)
    assert domains is not None
    assert set(domains[1].split()) == set(NAMES)


def test_the_hook_runs_and_leaves_other_lineages_alone() -> None:
    assert connect("edge1").file(HOOK).mode == 0o755
    said = connect("edge1").run("env RENEWED_LINEAGE=/etc/letsencrypt/live/another RENEWED_DOMAINS=x %s", HOOK)
    assert (said.rc, said.stdout) == (0, "")


def test_the_timer_renews_without_anybody() -> None:
    timer = connect("edge1").service("certbot.timer")
    assert timer.is_running
    assert timer.is_enabled
    assert "certbot.service" in connect("edge1").check_output("systemctl list-timers --no-legend certbot.timer")
