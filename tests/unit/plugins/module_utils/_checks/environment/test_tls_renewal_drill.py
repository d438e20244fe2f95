# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``tls_renewal_drill``: passes only if a new serial is served and is the one on disk. The server is real; certbot is a fake that writes files."""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import typing as t

import pytest
import tls_servers as servers

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Completed, run_target, worst
from ansible_collections.resto.golive.plugins.module_utils._checks.environment.tls_renewal import LETS_ENCRYPT
from ansible_collections.resto.golive.plugins.module_utils._checks.environment.tls_renewal_drill import TlsRenewalDrill
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext
from ansible_collections.resto.golive.plugins.module_utils._options import validated

DIRECTORY = "https://ca.test/dir"
NAMES = ("shop.test", "api.shop.test")


class Edge(RunContext):
    """A host whose certbot does what a test says; ``served`` is what its server has in memory."""

    def __init__(self, folder: pathlib.Path, port: int, **given: t.Any) -> None:
        domains = {str(number): name for number, name in enumerate(NAMES)}
        chosen = {"domains": domains, "directory": DIRECTORY, "config_dir": str(folder), "port": port, "reload_timeout_s": 0.6, **given}
        super().__init__(validated(TlsRenewalDrill, chosen), {}, "", 20)
        self.authority = servers.Authority(folder)
        self.disk = folder / "disk.pem"
        self.served = self.issue("first")
        self.rc, self.renews, self.reloads, self.says = 0, True, True, "Hook 'deploy-hook' ran with output:\n ok\n"
        self.calls: list[tuple[list[str], dict[str, str]]] = []
        (folder / "renewal").mkdir()
        (folder / "renewal" / "golive.conf").write_text(f"cert = {self.disk}\n[renewalparams]\nserver = {chosen['directory']}\n")

    def issue(self, name: str) -> pathlib.Path:
        path = self.authority.issue(name, NAMES)
        self.disk.write_bytes(path.read_bytes())
        return path

    def run(self, argv: t.Sequence[str], **given: t.Any) -> Completed:
        self.calls.append((list(argv), dict(given["env"])))
        renewed = self.issue("second") if self.renews else self.served
        if self.reloads:
            self.served = renewed
        return Completed(self.rc, self.says, "")

    def answer(self, connection: socket.socket) -> None:
        servers.tls(self.served)(connection)


@contextlib.contextmanager
def edge(folder: pathlib.Path, **given: t.Any) -> t.Iterator[Edge]:
    hosts: list[Edge] = []

    def answer(connection: t.Any) -> None:
        hosts[0].answer(connection)

    with servers.listening(answer) as port:
        hosts.append(Edge(folder, port, **given))
        yield hosts[0]


@pytest.fixture(autouse=True)
def _as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def drill(host: Edge) -> list[Assertion]:
    return run_target(TlsRenewalDrill(), host).assertions["environment.tls"]


def codes(assertions: t.Iterable[Assertion]) -> set[tuple[str, str]]:
    return {(assertion.status, assertion.code.removeprefix("tls_renewal_drill.")) for assertion in assertions}


def test_a_new_serial_that_is_served_and_on_disk_passes(tmp_path: pathlib.Path) -> None:
    with edge(tmp_path, ca_bundle="/etc/ca.pem") as host:
        assertions = drill(host)
    assert codes(assertions) == {("pass", "renewed"), ("pass", "serial_changed")}
    assert len(assertions) == 1 + len(NAMES)
    ((argv, env),) = host.calls
    assert argv[:5] == ["certbot", "renew", "--cert-name", "golive", "--force-renewal"]
    assert "--dry-run" not in argv
    assert env == {"REQUESTS_CA_BUNDLE": "/etc/ca.pem"}


def test_a_hook_that_did_not_reload_fails(tmp_path: pathlib.Path) -> None:
    with edge(tmp_path) as host:
        host.reloads = False
        assert codes(drill(host)) == {("pass", "renewed"), ("fail", "still_old")}


def test_nothing_renewed_fails_although_certbot_said_success(tmp_path: pathlib.Path) -> None:
    with edge(tmp_path) as host:
        host.renews = False
        assert codes(drill(host)) == {("pass", "renewed"), ("fail", "disk_unchanged")}


def test_certbot_failed(tmp_path: pathlib.Path) -> None:
    with edge(tmp_path) as host:
        host.rc, host.renews, host.says = 1, False, "Challenge failed for domain shop.test\n"
        assertions = drill(host)
    assert ("fail", "renew_failed") in codes(assertions)
    assert "Challenge failed" in assertions[0].excerpt


def test_a_failed_hook_is_told_although_certbot_ends_with_0(tmp_path: pathlib.Path) -> None:
    with edge(tmp_path) as host:
        host.reloads, host.says = False, "Hook 'deploy-hook' reported error code 1\n"
        assert ("fail", "hook_failed") in codes(drill(host))


def test_something_else_is_served_afterwards(tmp_path: pathlib.Path) -> None:
    with edge(tmp_path) as host:
        other = host.authority.issue("other", NAMES)
        real = host.run

        def run(argv: t.Sequence[str], **given: t.Any) -> Completed:
            done = real(argv, **given)
            host.served = other
            return done

        host.run = run  # type: ignore[method-assign]  # the instance's certbot, for this test
        assert ("fail", "serves_other") in codes(drill(host))


def test_a_server_that_is_down_fails(tmp_path: pathlib.Path) -> None:
    host = Edge(tmp_path, servers.closed_port())
    assert ("fail", "not_served") in codes(drill(host))


# Where nothing may be renewed


def refused(host: Edge) -> str:
    with pytest.raises(CannotKnow) as raised:
        TlsRenewalDrill().observe(host)
    assert host.calls == []
    return raised.value.code


def test_without_a_lineage(tmp_path: pathlib.Path) -> None:
    host = Edge(tmp_path, 1)
    (tmp_path / "renewal" / "golive.conf").unlink()
    assert refused(host) == "tls_renewal_drill.no_lineage"


def test_at_another_ca_than_the_declared_one(tmp_path: pathlib.Path) -> None:
    host = Edge(tmp_path, 1)
    (tmp_path / "renewal" / "golive.conf").write_text(f"cert = {host.disk}\n[renewalparams]\nserver = {LETS_ENCRYPT}\n")
    assert refused(host) == "tls_renewal_drill.directory_other"


def test_a_young_certificate_of_a_ca_with_limits(tmp_path: pathlib.Path) -> None:
    assert refused(Edge(tmp_path, 1, directory=LETS_ENCRYPT)) == "tls_renewal_drill.too_soon"


def test_another_client(tmp_path: pathlib.Path) -> None:
    assert refused(Edge(tmp_path, 1, client="caddy")) == "tls_renewal_drill.other_client"


def test_without_root(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert refused(Edge(tmp_path, 1)) == "common.missing_privilege"


def test_the_drill_is_declared_as_one() -> None:
    assert (TlsRenewalDrill.drill, TlsRenewalDrill.impact, TlsRenewalDrill.proven_by) == (True, "active", "staging")
    assert worst([]) == "error"
