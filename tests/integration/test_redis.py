# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``redis.persistence`` against real Redis servers on loopback: what is seen, how every refusal is named, and that the fix loses nothing.

Needs ``redis-server`` (Debian: redis-tools or redis-server). Each test starts its own on a free port and ends it by its pid.
"""

from __future__ import annotations

import builtins
import contextlib
import datetime
import ipaddress
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import typing as t

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Outcome, run_target, worst
from ansible_collections.resto.golive.plugins.module_utils._checks.redis import redis_files
from ansible_collections.resto.golive.plugins.module_utils._checks.redis.redis_persistence import RedisPersistence
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext
from ansible_collections.resto.golive.plugins.module_utils._options import validated

PASSWORD = "lab-only-4f1c9a"
KEYS = 201

#: A little over what Debian ships: a password, no append-only file, no memory limit.
BARE = "bind 127.0.0.1\nport {port}\ndir {dir}\nrequirepass {password}\nappendonly no\nenable-debug-command local\n"


class Redis:
    """A server of this test's own, which can be stopped and started again over the same files."""

    def __init__(self, folder: pathlib.Path, *, config: str = BARE, arguments: t.Sequence[str] = (), user: str | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.config = folder / "redis.conf"
        self.config.write_text(config.format(port=self.port, dir=folder, password=PASSWORD))
        # Under a name of our own: the kernel calls a process by the name it was started under, and redis-tools has the program as redis-check-rdb.
        program = folder / "redis-server"
        program.symlink_to(redis_server())
        self._argv = [str(program), *(arguments or [str(self.config)])]
        self._user = user
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [word.format(port=self.port, dir=self.folder) for word in self._argv],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            user=self._user,
        )
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                break
            assert self.process.poll() is None, "redis-server ended by itself"
            time.sleep(0.02)
        with self.client() as client:
            while client.info("persistence")["loading"]:
                time.sleep(0.02)

    def client(self) -> redis.Redis:
        password = PASSWORD if "requirepass" in self.config.read_text() else None
        return redis.Redis(port=self.port, password=password, socket_timeout=5)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(10)

    def restart(self) -> None:
        self.stop()
        self.start()

    def fill(self) -> None:
        with self.client() as client:
            for number in range(KEYS):
                client.set(f"order:{number}", "pending")

    def count(self) -> int:
        with self.client() as client:
            return t.cast(int, client.dbsize())


def redis_server() -> str:
    program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
    assert program, "redis-server is missing: apt-get install redis-server (or redis-tools, which has the program under another name)"
    return os.path.realpath(program)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return t.cast(int, probe.getsockname()[1])


@pytest.fixture
def server(tmp_path: pathlib.Path) -> t.Iterator[Redis]:
    running = Redis(tmp_path)
    yield running
    running.stop()


def context(port: int, *, password: str = PASSWORD, timeout_s: float = 30, **options: t.Any) -> RunContext:
    return RunContext(validated(RedisPersistence, {"port": port, **options}), {"password": password} if password else {}, "", timeout_s)


def run(port: int, *, fix: bool = False, check_mode: bool = False, **options: t.Any) -> Outcome:
    return run_target(RedisPersistence(), context(port, **options), fix=fix, check_mode=check_mode)


def status(outcome: Outcome) -> str:
    return worst(assertion.status for assertion in outcome.assertions["redis.persistence"])


def codes(outcome: Outcome) -> list[str]:
    return [a.code.removeprefix("redis_persistence.") for a in outcome.assertions["redis.persistence"] if a.status != "pass"]


def why_not(port: int, **options: t.Any) -> tuple[str, str]:
    """Return status and code of a look that must be impossible, and see that it tells no password."""
    with pytest.raises(CannotKnow) as caught:
        RedisPersistence().observe(context(port, **options))
    assert PASSWORD not in str(caught.value.params)
    assert caught.value.__cause__ is None
    return caught.value.status, caught.value.code.removeprefix("redis_persistence.")


# What is seen, and mended


def test_a_redis_as_debian_ships_it_fails_and_the_fix_keeps_every_key_over_a_restart(server: Redis) -> None:
    server.fill()
    before = run(server.port)
    assert status(before) == "fail"
    assert codes(before) == ["aof_off", "memory_unlimited"]

    planned = run(server.port, fix=True, check_mode=True)
    assert planned.would_change
    assert codes(run(server.port)) == codes(before), "check mode changed something"

    mended = run(server.port, fix=True)
    assert (status(mended), codes(mended)) == ("pass", [])
    assert mended.changes[0] == "CONFIG SET appendonly: 'no' -> 'yes'"
    assert PASSWORD not in str(mended)

    server.restart()
    assert server.count() == KEYS
    again = run(server.port, fix=True)
    assert (status(again), again.changes, again.would_change) == ("pass", [], False)


def test_a_crash_after_the_fix_loses_nothing_that_was_synced(server: Redis) -> None:
    run(server.port, fix=True)
    server.fill()
    time.sleep(1.5)  # appendfsync everysec
    server.process.kill()
    server.process.wait(10)
    server.start()
    assert server.count() == KEYS


def test_the_wrong_order_loses_every_key(server: Redis) -> None:
    """What the fix exists for: the file edited, the server restarted, as a template and a handler would do it."""
    server.fill()
    server.config.write_text(server.config.read_text().replace("appendonly no", "appendonly yes"))
    assert codes(run(server.port))[0] == "restart_empties"
    server.restart()
    assert server.count() == 0


def test_a_file_edited_too_early_is_disarmed(server: Redis) -> None:
    server.fill()
    server.config.write_text(server.config.read_text().replace("appendonly no", "appendonly yes"))
    assert status(run(server.port, fix=True)) == "pass"
    server.restart()
    assert server.count() == KEYS


def test_a_setting_that_only_the_running_server_knows_is_a_fault_and_is_written_down(server: Redis) -> None:
    run(server.port, fix=True)
    with server.client() as client:
        client.config_set("appendfsync", "always")
    assert codes(run(server.port)) == ["file_differs"]
    mended = run(server.port, fix=True)
    assert mended.changes == [f"CONFIG REWRITE {server.config}"]
    assert "appendfsync always" in server.config.read_text()


def test_a_later_include_that_overrides_is_seen(server: Redis) -> None:
    run(server.port, fix=True)
    extra = server.folder / "extra.conf"
    extra.write_text("maxmemory-policy allkeys-lru\n")
    server.config.write_text(server.config.read_text() + f"include {extra}\n")
    assert codes(run(server.port)) == ["file_differs"]


def test_an_append_only_file_that_was_deleted_is_written_anew(server: Redis) -> None:
    run(server.port, fix=True)
    server.fill()
    shutil.rmtree(server.folder / "appendonlydir")
    (server.folder / "appendonlydir").mkdir()
    assert codes(run(server.port)) == ["aof_missing"]
    assert status(run(server.port, fix=True)) == "pass"
    server.restart()
    assert server.count() == KEYS


def test_a_cache_gets_a_limit_and_eviction_and_no_append_only_file(server: Redis) -> None:
    assert codes(run(server.port, strategy="cache")) == ["cache_full", "memory_unlimited"]
    mended = run(server.port, fix=True, strategy="cache", maxmemory_mb=64)
    assert (status(mended), codes(mended)) == ("pass", [])
    text = server.config.read_text()
    assert "maxmemory 64mb" in text
    assert "maxmemory-policy allkeys-lru" in text
    assert "appendonly no" in text


def test_a_snapshot_that_failed_is_tried_again(server: Redis) -> None:
    run(server.port, fix=True)
    obstacle = server.folder / "dump.rdb"
    obstacle.unlink(missing_ok=True)
    obstacle.mkdir()
    with server.client() as client:
        client.bgsave()
        while client.info("persistence")["rdb_bgsave_in_progress"]:
            time.sleep(0.02)
    assert codes(run(server.port)) == ["write_failed"]
    assert codes(run(server.port, fix=True)) == ["snapshot_failed"]
    obstacle.rmdir()
    mended = run(server.port, fix=True)
    assert (status(mended), mended.changes) == ("pass", ["BGSAVE"])


def test_without_room_nothing_is_touched(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    text = server.config.read_text()
    monkeypatch.setattr(redis_files, "room", lambda root, folder: 1024)
    assert codes(run(server.port, fix=True)) == ["disk_short"]
    assert server.config.read_text() == text
    with server.client() as client:
        assert client.config_get("appendonly") == {"appendonly": "no"}


def test_a_limit_below_what_is_in_use_is_refused(server: Redis) -> None:
    with server.client() as client:
        client.set("big", "x" * 3 * 1024**2)
    text = server.config.read_text()
    assert codes(run(server.port, fix=True, strategy="cache", maxmemory_mb=1)) == ["memory_short"]
    assert server.config.read_text() == text


@pytest.fixture
def open_folder() -> t.Iterator[pathlib.Path]:
    """A folder that another user may enter; pytest keeps its own to this user."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)
        os.chmod(name, 0o755)


def test_a_configuration_file_that_cannot_be_written_stops_the_fix_before_it_changes_anything(open_folder: pathlib.Path) -> None:
    data = open_folder / "data"
    data.mkdir()
    data.chmod(0o777)
    running = Redis(open_folder, config=BARE.replace("{dir}", str(data)), user="nobody" if os.geteuid() == 0 else None)
    open_folder.chmod(0o555)
    try:
        assert codes(run(running.port, fix=True)) == ["order_refused"]
        with running.client() as client:
            assert client.config_get("appendonly") == {"appendonly": "no"}
    finally:
        running.stop()


def test_no_configuration_file_is_a_fault_that_no_fix_hides(tmp_path: pathlib.Path) -> None:
    running = Redis(tmp_path, config="", arguments=["--port", "{port}", "--bind", "127.0.0.1", "--dir", "{dir}"])
    try:
        mended = run(running.port, fix=True, password="")
        assert "no_config_file" in codes(mended)
        assert (status(mended), mended.changes) == ("fail", [])
    finally:
        running.stop()


# Every way to be refused


def test_wrong_missing_and_needless_passwords(server: Redis) -> None:
    assert why_not(server.port, password="not-" + PASSWORD) == ("error", "password_wrong")
    assert why_not(server.port, password="") == ("error", "password_missing")
    with server.client() as client:
        client.config_set("requirepass", "")
    assert why_not(server.port) == ("error", "password_unneeded")


@pytest.mark.parametrize(("rights", "fix"), [(["+info"], False), (["+config|get"], False), (["+info", "+config|get"], True)])
def test_a_user_without_the_rights(server: Redis, rights: list[str], fix: bool) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "golive", "on", f">{PASSWORD}", "+ping", *rights)
    outcome = run(server.port, fix=fix, username="golive")
    assert codes(outcome) == ["no_permission"]
    assert outcome.assertions["redis.persistence"][0].params["user"] == "golive"


def test_a_renamed_command(tmp_path: pathlib.Path) -> None:
    running = Redis(tmp_path, config=BARE + 'rename-command CONFIG ""\n')
    try:
        assert why_not(running.port) == ("error", "command_disabled")
    finally:
        running.stop()


def test_a_closed_port() -> None:
    assert why_not(free_port()) == ("unreachable", "refused")


def test_a_name_that_nobody_knows() -> None:
    assert why_not(6379, host="cache.invalid") == ("unreachable", "name_unknown")


def test_a_server_that_hangs_costs_one_deadline(server: Redis) -> None:
    server.process.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    assert why_not(server.port) == ("unreachable", "no_answer")
    assert time.monotonic() - started < 8


def test_tls_asked_of_a_server_without(server: Redis) -> None:
    assert why_not(server.port, tls=True) == ("unreachable", "no_answer"), "Redis takes a handshake for half a line and waits for the rest"
    assert why_not(server.port, tls=True, tls_ca_file="/nonexistent/ca.pem") == ("error", "tls_refused")


def test_tls_is_verified(tmp_path: pathlib.Path) -> None:
    certificate = self_signed(tmp_path)
    port = free_port()
    files = f"tls-cert-file {certificate}\ntls-key-file {certificate}\ntls-ca-cert-file {certificate}\ntls-auth-clients no\n"
    running = Redis(tmp_path, config=f"{BARE}tls-port {port}\n{files}")
    try:
        assert why_not(port, tls=True) == ("error", "tls_refused")
        assert why_not(port) == ("unreachable", "closed")
        assert status(run(port, tls=True, tls_ca_file=str(certificate))) == "fail"
    finally:
        running.stop()


def self_signed(folder: pathlib.Path) -> pathlib.Path:
    """Return a file with a key and a certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cache")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(hours=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "redis.pem"
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_replica(server: Redis) -> None:
    with server.client() as client:
        client.replicaof("127.0.0.1", free_port())
    assert why_not(server.port) == ("error", "is_replica")


def test_a_server_elsewhere_is_never_a_pass(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    run(server.port, fix=True)
    monkeypatch.setattr(redis_files, "find_process", lambda process_id: None)
    outcome = run(server.port, fix=True)
    assert (status(outcome), codes(outcome)) == ("error", ["files_not_seen", "files_not_seen"])


def test_the_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_redis(name: str, *rest: t.Any, **more: t.Any) -> t.Any:
        if name == "redis":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_redis)
    with pytest.raises(CannotKnow) as caught:
        RedisPersistence().observe(context(6379))
    assert (caught.value.code, caught.value.params) == ("common.library_missing", {"library": "redis", "package": "python3-redis"})


@contextlib.contextmanager
def impostor(answer: bytes) -> t.Iterator[int]:
    """Something that listens and says *answer* to everything; with nothing to say it hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                with contextlib.suppress(OSError):
                    link, _address = listener.accept()
                    with link:
                        link.settimeout(2)
                        while answer and link.recv(4096):
                            link.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "closed"),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "odd_answer"),
        (b"\x00\xff\xfe\r\n", "odd_answer"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "loading"),
        (b"-DENIED Redis is running in protected mode because\r\n", "protected_mode"),
        (b"-ERR max number of clients reached\r\n", "clients_exhausted"),
        (b"$0\r\n\r\n", "common.empty_answer"),
        (b"$9\r\nfoo:bar\r\n\r\n", "field_missing"),
        (b":42\r\n", "odd_answer"),
        (b"*0\r\n", "odd_answer"),
    ],
)
def test_something_else_answers(answer: bytes, code: str) -> None:
    with impostor(answer) as port:
        assert why_not(port, password="")[1] == code
