# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``tls_renewal``: what certbot and systemd leave on a host, and how it is judged. Certificates, files and the server are real; systemd is a fake."""

from __future__ import annotations

import os
import pathlib
import time
import typing as t

import pytest
import tls_servers as servers

from ansible_collections.resto.golive.plugins.module_utils import _systemd
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Completed, run_target, worst
from ansible_collections.resto.golive.plugins.module_utils._checks.environment import _certbot, tls_renewal
from ansible_collections.resto.golive.plugins.module_utils._checks.environment.tls_renewal import TlsRenewal
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext
from ansible_collections.resto.golive.plugins.module_utils._options import validated

DIRECTORY = "https://ca.test/dir"
HOOK = "#!/bin/sh\n# puts it to use\nsystemctl reload nginx\n"


def words(at: float) -> str:
    return time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def starts(command: str) -> str:
    """As systemd shows what a service starts."""
    return f"{{ path={command.split()[0]} ; argv[]={command} ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }}"


class Host:
    """An edge host in a folder: a lineage of certbot, a timer, and a server that serves what ``serve`` says."""

    def __init__(self, folder: pathlib.Path, names: t.Sequence[str] = ("shop.test", "api.shop.test")) -> None:
        self.folder = folder
        self.config_dir = folder / "letsencrypt"
        self.names = names
        (self.config_dir / "renewal").mkdir(parents=True)
        (self.config_dir / "renewal-hooks" / "deploy").mkdir(parents=True)
        self.hook = self.config_dir / "renewal-hooks" / "deploy" / "reload"
        self.hook.write_text(HOOK)
        self.hook.chmod(0o755)
        self.authority = servers.Authority(folder)
        self.cert = self.authority.issue("lineage", names)
        self.conf = self.config_dir / "renewal" / "golive.conf"
        self.settings(server=DIRECTORY)
        now = time.time()
        self.units: dict[str, dict[str, str]] = {
            "certbot.timer": {"UnitFileState": "enabled", "ActiveState": "active", "NextElapseUSecRealtime": words(now + 3600), "NextElapseUSecMonotonic": "0"},
            "certbot.service": {
                "ActiveState": "inactive",
                "Result": "success",
                "ExecMainStatus": "0",
                "ExecMainStartTimestamp": words(now - 3600),
                "ExecStart": starts("certbot -q renew"),
            },
        }

    def settings(self, **given: str) -> None:
        lines = [f"{key} = {value}" for key, value in given.items() if key == "autorenew"]
        lines += [f"cert = {self.cert}", "[renewalparams]", "authenticator = webroot"]
        lines += [f"{key} = {value}" for key, value in given.items() if key != "autorenew"]
        self.conf.write_text("\n".join([*lines, "[[webroot_map]]", "server = /not/a/server", ""]))

    def options(self, **given: t.Any) -> dict[str, t.Any]:
        domains = {f"d{number}": name for number, name in enumerate(self.names)}
        return validated(TlsRenewal, {"domains": domains, "directory": DIRECTORY, "config_dir": str(self.config_dir), "connect_timeout_s": 2.0, **given})

    def look(self, served: pathlib.Path | None = None, **given: t.Any) -> list[Assertion]:
        with servers.listening(servers.tls(served or self.cert)) as port:
            context = FakeContext(self, self.options(port=port, **given))
            return run_target(TlsRenewal(), context).assertions["environment.tls"]


class FakeContext(RunContext):
    """The real context with another systemd."""

    def __init__(self, host: Host, options: t.Mapping[str, t.Any]) -> None:
        super().__init__(options, {}, "", 10)
        self._host = host

    def run(self, argv: t.Sequence[str], **given: t.Any) -> Completed:
        assert argv[:2] == ["systemctl", "show"]
        assert given["env"] == {"TZ": "UTC"}
        units = [word for word in argv[2:] if not word.startswith("--")]
        blocks = [{"Id": unit, "LoadState": "loaded" if unit in self._host.units else "not-found", **self._host.units.get(unit, {})} for unit in units]
        return Completed(0, "\n\n".join("\n".join(f"{key}={value}" for key, value in block.items()) for block in blocks) + "\n", "")


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(tls_renewal, "CRONTABS", (f"{tmp_path}/cron.d/*",))
    folders = {client: {**traces, "folders": tuple(f"{tmp_path}/{client}" for _unused in traces["folders"])} for client, traces in tls_renewal.CLIENTS.items()}
    monkeypatch.setattr(tls_renewal, "CLIENTS", folders)
    return Host(tmp_path)


def codes(assertions: t.Iterable[Assertion], *statuses: str) -> set[str]:
    return {assertion.code.removeprefix("tls_renewal.") for assertion in assertions if not statuses or assertion.status in statuses}


def test_a_healthy_host_passes_whole(host: Host) -> None:
    assertions = host.look()
    assert codes(assertions, "fail", "warn", "error", "unreachable") == set()
    assert {"client_found", "name_covered", "serves_lineage", "directory_same", "hook_reloads", "timer_in_time", "last_succeeded"} <= codes(assertions, "pass")


def _unit(name: str, **changes: str) -> t.Callable[[Host], None]:
    return lambda host: host.units[name].update(changes)


def _hook(text: str, mode: int = 0o755) -> t.Callable[[Host], None]:
    def change(host: Host) -> None:
        host.hook.write_text(text)
        host.hook.chmod(mode)

    return change


NOW = time.time()
BROKEN: dict[str, tuple[t.Callable[[Host], None], str, str]] = {
    "timer stopped": (_unit("certbot.timer", ActiveState="inactive"), "fail", "timer_inactive"),
    "timer gone": (lambda host: host.units.pop("certbot.timer") and None, "fail", "timer_inactive"),
    "timer not enabled": (_unit("certbot.timer", UnitFileState="disabled"), "fail", "timer_disabled"),
    "timer without a next run": (_unit("certbot.timer", NextElapseUSecRealtime=""), "fail", "timer_never"),
    "timer once a week": (_unit("certbot.timer", NextElapseUSecRealtime=words(NOW + 7 * 86400)), "fail", "timer_rare"),
    "service starts something else": (_unit("certbot.service", ExecStart=starts("/bin/true")), "error", "service_other"),
    "service only lists": (_unit("certbot.service", ExecStart=starts("certbot certificates")), "error", "service_other"),
    "service starts nothing": (_unit("certbot.service", ExecStart=""), "error", "service_other"),
    "last run failed": (_unit("certbot.service", Result="exit-code", ExecMainStatus="1"), "fail", "last_failed"),
    "last run long ago": (_unit("certbot.service", ExecMainStartTimestamp=words(NOW - 49 * 3600)), "fail", "last_long_ago"),
    "never ran": (_unit("certbot.service", ExecMainStartTimestamp=""), "warn", "never_ran"),
    "hook not executable": (_hook(HOOK, 0o644), "fail", "hook_not_executable"),
    "hook does not reload": (_hook("#!/bin/sh\n# systemctl reload nginx\ntrue\n"), "fail", "hook_does_not_reload"),
    "no hook": (lambda host: host.hook.unlink(), "fail", "hook_missing"),
    "other CA": (lambda host: host.settings(server="https://other.test/dir"), "fail", "directory_other"),
    "renewal turned off": (lambda host: host.settings(server=DIRECTORY, autorenew="False"), "fail", "autorenew_off"),
    "issued by hand": (lambda host: host.settings(server=DIRECTORY, authenticator="manual"), "fail", "by_hand"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_host_is_caught(host: Host, case: str) -> None:
    change, status, code = BROKEN[case]
    change(host)
    assertions = host.look()
    assert worst(assertion.status for assertion in assertions) == status
    assert code in codes(assertions, status)


def test_an_old_certificate_in_the_servers_memory_is_caught(host: Host) -> None:
    assertions = host.look(served=host.authority.issue("old", host.names))
    assert codes(assertions, "fail") == {"serves_other"}


def test_a_name_that_no_lineage_covers_is_caught(host: Host) -> None:
    assertions = host.look(domains={"a": "shop.test", "b": "new.shop.test"})
    assert codes(assertions, "fail") == {"name_uncovered"}


def test_a_server_that_is_down_is_a_fail(host: Host) -> None:
    context = FakeContext(host, host.options(port=servers.closed_port()))
    assertions = run_target(TlsRenewal(), context).assertions["environment.tls"]
    assert codes(assertions, "fail") == {"not_served"}


def test_a_hook_named_in_the_settings_counts(host: Host) -> None:
    host.hook.unlink()
    host.settings(server=DIRECTORY, renew_hook="systemctl reload nginx")
    assert "hook_reloads" in codes(host.look(), "pass")
    host.settings(server=DIRECTORY, installer="nginx")
    assert "hook_reloads" in codes(host.look(), "pass")
    host.settings(server=DIRECTORY, installer="None")
    (host.config_dir / "cli.ini").write_text(f"deploy-hook = {host.folder}/script\n")
    (host.folder / "script").write_text("#!/bin/sh\nnginx -s reload\n")
    assert "hook_reloads" in codes(host.look(), "pass")


def test_nobody_renews(host: Host) -> None:
    host.conf.unlink()
    del host.units["certbot.timer"]
    assert codes(host.look()) == {"no_client"}


@pytest.mark.parametrize("client", ["lego", "dehydrated", "acme_sh", "caddy"])
def test_another_client_is_named_and_proves_nothing(host: Host, client: str) -> None:
    host.conf.unlink()
    del host.units["certbot.timer"]
    (host.folder / client).mkdir()
    (host.folder / client / "shop.test").touch()
    (assertion,) = host.look()
    assert (assertion.status, assertion.code, assertion.params) == ("error", "tls_renewal.client_by_name", {"client": client})


def test_a_second_client_is_a_warning(host: Host) -> None:
    (host.folder / "lego").mkdir()
    (host.folder / "lego" / "shop.test.json").touch()
    assert codes(host.look(), "warn") == {"two_renew"}


def test_a_declared_client_must_be_there(host: Host) -> None:
    assert codes(host.look(client="lego"), "fail") == {"client_absent"}


def test_managed_holds_unless_contradicted(host: Host) -> None:
    assert codes(host.look(client="managed"), "fail") == {"managed_contradicted"}
    host.conf.unlink()
    (assertion,) = host.look(client="managed")
    assert (assertion.status, assertion.code) == ("pass", "tls_renewal.managed")


def test_cron_alone_is_a_warning_and_debians_own_line_is_none(host: Host) -> None:
    (host.folder / "cron.d").mkdir()
    line = "0 */12 * * * root test -x /usr/bin/certbot -a \\! -d /run/systemd/system && certbot -q renew\n"
    (host.folder / "cron.d" / "certbot").write_text(f"# certbot renew\n{line}")
    assert codes(host.look(), "warn") == set()
    (host.folder / "cron.d" / "ours").write_text("0 3 * * * root certbot -q renew\n")
    assert codes(host.look(), "warn") == {"two_renew"}
    host.units["certbot.timer"]["ActiveState"] = "inactive"
    assert codes(host.look(), "warn") >= {"cron_renews"}


def test_without_root_nothing_is_known(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (assertion,) = host.look()
    assert (assertion.status, assertion.code) == ("error", "common.missing_privilege")


def test_an_empty_answer_of_systemd_is_an_error(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeContext, "run", lambda *args, **kwargs: Completed(0, "\n", ""))
    (assertion,) = host.look()
    assert (assertion.status, assertion.code) == ("error", "common.empty_answer")


def test_a_lineage_without_its_file_covers_nothing(host: Host) -> None:
    with servers.listening(servers.tls(host.cert)) as port:
        host.conf.write_text("cert = /nonexistent/cert.pem\n[renewalparams]\nserver = x\n")
        assertions = run_target(TlsRenewal(), FakeContext(host, host.options(port=port))).assertions["environment.tls"]
    assert "name_uncovered" in codes(assertions, "fail")


def test_a_broken_file_of_a_lineage_is_an_error(host: Host) -> None:
    host.cert.with_name("broken.pem").write_text("-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n")
    with pytest.raises(CannotKnow, match="unreadable"):
        _certbot.on_disk(str(host.cert.with_name("broken.pem")))


def test_settings_of_nested_sections_are_left_out() -> None:
    text = "# x = 1\nautorenew = True\n[renewalparams]\nserver = 'https://a'\n[[webroot_map]]\nserver = /var\n"
    assert _certbot.read_settings(text) == {"autorenew": "True", "server": "https://a"}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("1d 2h 3min 4.5s", 93784.5), ("12h", 43200), ("1month 1w", 3234600), ("15min 10ms", 900.01), ("0", None), ("", None), ("infinity", None)],
)
def test_spans(value: str, seconds: float | None) -> None:
    assert _systemd.span(value) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("value", "at"), [("Tue 2026-11-24 15:10:42 UTC", 1795533042.0), ("", None), ("n/a", None), ("0", None), ("Tue 2026-11-24 15:10:42 CET", None)]
)
def test_moments(value: str, at: float | None) -> None:
    assert _systemd.moment(value) == at


def test_a_timer_that_counts_from_boot_has_a_next_run_too() -> None:
    due = _systemd.next_elapse({"NextElapseUSecRealtime": "", "NextElapseUSecMonotonic": "1d"}, 1000.0)
    assert due == pytest.approx(1000 - time.monotonic() + 86400, abs=5)


@pytest.mark.parametrize(
    ("fired", "well"),
    [("Tue 2026-11-24 15:10:42 UTC", True), ("Mon 2026-11-23 15:11:43 UTC", True), ("Mon 2026-11-23 15:11:42 UTC", False), ("", False)],
)
def test_a_timer_whose_service_runs_fires_now_unless_that_hangs(fired: str, well: bool) -> None:
    """As systemd 252 shows it meanwhile: the next moment is not said."""
    now = _systemd.moment("Tue 2026-11-24 15:11:42 UTC")
    assert now is not None
    shown = {"SubState": "running", "LastTriggerUSec": fired, "NextElapseUSecRealtime": "", "NextElapseUSecMonotonic": "infinity"}
    assert _systemd.next_elapse(shown, now) == (now if well else None)
