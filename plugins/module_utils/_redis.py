# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection to a Redis (or Valkey) server, with deadlines, whose every refusal has a name.

Checks of the section ``redis`` come in by :func:`connect` and declare :data:`CONNECTION` among their options. Works with redis-py 4.3 (Debian 12) and later.
"""

from __future__ import annotations

import contextlib
import functools
import re
import socket
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json, Options

#: How long a connection may take, and each answer after it, in seconds. Redis answers in microseconds: a server that needs seconds is in trouble.
CONNECT_S = 5.0
ANSWER_S = 5.0

#: Options that every check of the section shares: one server, said once, as ``redis_host``, ``redis_port``, …
CONNECTION: dict[str, dict[str, t.Any]] = {
    "host": {"type": "str", "default": "127.0.0.1", "widest": "section", "example": "redis_host: 127.0.0.1"},
    "port": {"type": "int", "default": 6379, "widest": "section", "example": "redis_port: 6379"},
    "username": {"type": "str", "widest": "section", "example": "redis_username: golive"},
    "password": {"type": "str", "secret": True, "widest": "section", "example": 'redis_password: "worker#REDIS_PASSWORD"'},
    "tls": {"type": "bool", "default": False, "widest": "section", "example": "redis_tls: true"},
    "tls_ca_file": {"type": "str", "widest": "section", "example": "redis_tls_ca_file: /etc/redis/ca.pem"},
}

#: What a refusal means: (exception class, pattern in its words, code, status). The first that fits is told; none of the server's own words are,
#: because Redis repeats the arguments of a command it does not know, and a password may be one of them.
REFUSALS: tuple[tuple[str, str, str, str], ...] = (
    ("BusyLoadingError", "", "loading", "error"),
    ("NoPermissionError", "", "no_permission", "error"),
    ("RedisError", "without any password|no password is set", "password_unneeded", "error"),
    ("RedisError", "authentication required|noauth", "password_missing", "error"),
    ("RedisError", "invalid username-password|invalid password|wrongpass", "password_wrong", "error"),
    ("RedisError", "protected mode", "protected_mode", "error"),
    ("RedisError", "max number of clients", "clients_exhausted", "error"),
    ("ResponseError", "unknown (sub)?command", "command_disabled", "error"),
    ("RedisError", "ssl|certificate|no such file", "tls_refused", "error"),
    ("TimeoutError", "", "no_answer", "unreachable"),
    ("ConnectionError", "connection refused", "refused", "unreachable"),
    ("ConnectionError", "name or service|name resolution|no address associated", "name_unknown", "unreachable"),
    ("ConnectionError", "", "closed", "unreachable"),
)


def refusal(problem: BaseException, **params: Json) -> CannotKnow:
    """Return what *problem* means to the team."""
    classes = {kind.__name__ for kind in type(problem).__mro__}
    words = str(problem).lower()
    for kind, pattern, code, status in REFUSALS:
        if kind in classes and re.search(pattern, words):
            return CannotKnow(f"redis_persistence.{code}", status, **params)
    return CannotKnow("redis_persistence.odd_answer", error=type(problem).__name__, **params)


class Server:
    """A connected server. Every method raises :class:`CannotKnow` with a code of its own for each way to be refused."""

    def __init__(self, client: t.Any, errors: tuple[type[Exception], ...], where: str, user: str) -> None:
        self._client = client
        self._errors = errors
        self._where = where
        self._user = user

    def _ask(self, command: str, ask: t.Callable[[], t.Any]) -> t.Any:
        try:
            return ask()
        except self._errors as problem:
            raise refusal(problem, where=self._where, user=self._user, command=command) from None

    def info(self, section: str, *needed: str) -> dict[str, Json]:
        """Return one section of INFO (one a call: Redis 6 and KeyDB refuse several). A section that lacks a *needed* field is an odd answer."""
        answer = self._ask("info", lambda: self._client.info(section))
        if not isinstance(answer, dict) or not answer:
            raise CannotKnow("common.empty_answer", what=f"INFO {section} ({self._where})")
        missing = [name for name in needed if name not in answer]
        if missing:
            raise CannotKnow("redis_persistence.field_missing", where=self._where, fields=", ".join(missing))
        return answer

    def settings(self, names: t.Iterable[str]) -> dict[str, str]:
        """Return the running values of *names*; one that this version of the server does not know is an empty string."""
        found = {}
        for name in names:
            answer = self._ask("config|get", functools.partial(self._client.config_get, name))
            if not isinstance(answer, dict):
                raise CannotKnow("redis_persistence.odd_answer", error=type(answer).__name__, where=self._where, user=self._user, command="config|get")
            found[name] = str(answer.get(name, ""))
        return found

    def key_counts(self) -> tuple[int, int]:
        """Return how many keys there are in all databases, and how many of them expire. No database, no line: an empty answer is zero here."""
        databases = self._ask("info", lambda: self._client.info("keyspace"))
        lines = [line for line in databases.values() if isinstance(line, dict)]
        return sum(int(line["keys"]) for line in lines), sum(int(line["expires"]) for line in lines)

    def change(self, name: str, value: str) -> None:
        """Set *name* in the running server."""
        self._order("config|set", lambda: self._client.config_set(name, value), f"CONFIG SET {name}")

    def rewrite_config(self) -> None:
        """Make the server write its running configuration into its configuration file."""
        self._order("config|rewrite", self._client.config_rewrite, "CONFIG REWRITE")

    def rewrite_aof(self) -> None:
        """Start writing the append-only file anew."""
        self._order("bgrewriteaof", self._client.bgrewriteaof, "BGREWRITEAOF")

    def save(self) -> None:
        """Start writing a snapshot."""
        self._order("bgsave", self._client.bgsave, "BGSAVE")

    def _order(self, command: str, give: t.Callable[[], t.Any], words: str) -> None:
        """Give an order. Its refusal is told in the server's words: orders carry no secrets, and the words hold the reason (read-only, no space)."""
        try:
            give()
        except self._errors as problem:
            known = refusal(problem, where=self._where, user=self._user, command=command)
            if known.code != "redis_persistence.odd_answer":
                raise known from None
            raise CannotKnow("redis_persistence.order_refused", where=self._where, command=words, message=str(problem)[:200]) from None

    def local(self, host: str, port: int) -> bool:
        """Whether the server listens on this very host: both ends of a connection to it then have the same address."""
        try:
            with socket.create_connection((host, port), CONNECT_S) as link:
                return bool(link.getsockname()[0] == link.getpeername()[0])
        except OSError as problem:
            raise refusal(problem, where=self._where, user=self._user, command="connect") from None


@contextlib.contextmanager
def connect(options: Options, secrets: t.Mapping[str, str]) -> t.Iterator[Server]:
    """Lend a :class:`Server` for the length of a ``with``."""
    try:
        import redis
        import redis.backoff
        import redis.retry
    except ImportError:
        raise CannotKnow("common.library_missing", library="redis", package="python3-redis") from None
    host, port = options["host"], options["port"]
    arguments: dict[str, t.Any] = {
        "host": host,
        "port": port,
        "username": options.get("username"),
        "password": secrets.get("password") or None,
        "socket_connect_timeout": CONNECT_S,
        "socket_timeout": ANSWER_S,
        "retry": redis.retry.Retry(redis.backoff.NoBackoff(), 0),  # later versions try ten times by themselves: a deadline must be a deadline
        "decode_responses": True,
        "encoding_errors": "replace",
    }
    if options.get("tls"):
        arguments.update(ssl=True, ssl_ca_certs=options.get("tls_ca_file"), ssl_check_hostname=True)
    if int(redis.__version__.split(".")[0]) >= 5:
        arguments["protocol"] = 2  # the one that every server speaks
    client = redis.Redis(**arguments)
    try:
        # redis-py parses whatever it is given: an answer that is no Redis' comes out as any of these, or as its own error, as versions go.
        yield Server(
            client, (redis.RedisError, OSError, ValueError, LookupError, AttributeError, TypeError), f"{host}:{port}", options.get("username") or "default"
        )
    finally:
        client.connection_pool.disconnect()
