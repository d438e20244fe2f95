# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP client for whatever is asked over the network: verified TLS, cookies, a deadline that holds, no proxy, no redirect followed, no retry.

Checks come in by :class:`Client`. Only the standard library is used: hosts have nothing else for certain. Nothing that is sent is ever put into a message.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import http.client
import http.cookiejar
import json
import socket
import ssl
import threading
import time
import typing as t
import urllib.parse
import urllib.request

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json

#: How long one request may take from the first packet to the last byte, in seconds, unless its caller says otherwise.
TIMEOUT_S = 10.0
#: Of a body this much is kept: evidence, not an archive.
BODY_LIMIT = 4 * 1024 * 1024
USER_AGENT = "resto.golive"

#: Resolver errors that mean "there is no such name", as opposed to "I could not ask".
_NO_SUCH_NAME = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)


class NoAnswer(CannotKnow):
    """A request without an answer; ``kind`` says what stood in the way.

    What the outside runs into as well (``refused``, ``certificate``, ``tls``, ``no_such_name``, ``broken``, ``plain``) is an ``error``; what may be the
    looking host's own fault (``timeout``, ``no_route``, ``resolver``) is ``unreachable``. A check that holds one of them against its target says so itself.
    """

    def __init__(self, kind: str, host: str, message: str = "", seconds: float = 0.0) -> None:
        status = "unreachable" if kind in ("timeout", "no_route", "resolver") else "error"
        super().__init__(f"request.{kind}", status, host=host, message=message, seconds=seconds)
        self.kind = kind


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a server answered. ``headers`` have lower-case names; of one that comes several times the values are joined with commas."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Json:
        """Return the body as JSON; ``None`` where it is none (``null`` proves as little)."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Stream:
    """An answer whose body goes on: lines as they come. ``close`` may be called from another thread and ends whoever waits for a line."""

    def __init__(self, connection: _Connection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    def lines(self) -> t.Iterator[str]:
        """Yield lines without their ends, until the server or ``close`` ends it."""
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
            while line := self._response.readline(65536):
                yield line.decode("utf-8", "replace").rstrip("\r\n")

    def close(self) -> None:
        self._connection.cut()
        with contextlib.suppress(OSError, ValueError):
            self._response.close()
        self._connection.close()


class Client:
    """One user agent. ``ca_bundle`` is trusted besides the system's authorities; ``source`` is the address that connections come from.

    May be used by several threads at once: every request has a connection of its own, the cookies are shared.
    """

    def __init__(self, ca_bundle: str | None = None, *, timeout_s: float = TIMEOUT_S, source: str | None = None) -> None:
        self.cookies = http.cookiejar.CookieJar()
        self._timeout_s = timeout_s
        self._source = source
        try:
            self.context = ssl.create_default_context()
            if ca_bundle:
                self.context.load_verify_locations(cafile=ca_bundle)
        except (OSError, ssl.SSLError) as error:
            raise CannotKnow("request.ca_bundle", path=ca_bundle, message=str(error)) from None

    def send(self, method: str, url: str, *, headers: t.Mapping[str, str] | None = None, body: bytes | None = None, timeout_s: float | None = None) -> Answer:
        """Return the answer, whatever its status. Raises :class:`NoAnswer`."""
        limit_s = timeout_s or self._timeout_s
        begun = time.monotonic()
        return self._whole(self._connection(url, limit_s), method, url, headers or {}, body, begun)

    def ready(self, url: str) -> Ready:
        """Return a connection to *url* that is open and verified: for requests that have to arrive together. Raises :class:`NoAnswer`."""
        connection = self._connection(url, self._timeout_s)
        with _told(connection, url):
            connection.open()
        return Ready(lambda method, headers, body: self._whole(connection, method, url, headers, body, time.monotonic()), connection.close)

    def stream(self, method: str, url: str, *, headers: t.Mapping[str, str] | None = None, timeout_s: float | None = None) -> Stream:
        """Return an answer whose body is still to come. Its head must come within the deadline. Raises :class:`NoAnswer`."""
        connection = self._connection(url, timeout_s or self._timeout_s)
        with self._exchange(connection, method, url, headers or {}, None) as response:
            connection.patient()
            return Stream(connection, response)

    def cookie_header(self, url: str) -> str:
        """Return the ``Cookie`` header that would be sent to *url*, or an empty text."""
        asked = urllib.request.Request(url)  # noqa: S310 -- never opened: the form in which the cookie jar wants to be asked
        self.cookies.add_cookie_header(asked)
        return asked.get_header("Cookie") or ""

    def cookie(self, url: str, name: str) -> str | None:
        """Return the value of the cookie *name* that would be sent to *url*."""
        return dict(part.strip().partition("=")[::2] for part in self.cookie_header(url).split(";")).get(name)

    def _connection(self, url: str, limit_s: float) -> _Connection:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise NoAnswer("malformed", parts.hostname or url[:60])
        return _Connection(parts, self.context, limit_s, self._source)

    def _whole(self, connection: _Connection, method: str, url: str, headers: t.Mapping[str, str], body: bytes | None, begun: float) -> Answer:
        """Send the request over *connection* and return its whole answer, within the deadline counted from *begun*."""
        with self._exchange(connection, method, url, headers, body) as response:
            timer = threading.Timer(max(0.01, connection.limit_s - (time.monotonic() - begun)), connection.cut)
            timer.daemon = True
            timer.start()
            try:
                content = response.read(BODY_LIMIT)
            finally:
                timer.cancel()
            if connection.was_cut:
                raise TimeoutError
            connection.close()
        return Answer(
            response.status, {name.lower(): ", ".join(response.headers.get_all(name) or ()) for name in response.headers}, content, time.monotonic() - begun
        )

    @contextlib.contextmanager
    def _exchange(
        self, connection: _Connection, method: str, url: str, headers: t.Mapping[str, str], body: bytes | None
    ) -> t.Iterator[http.client.HTTPResponse]:
        """Send the request and lend its answer, head read. Whatever fails inside comes out as :class:`NoAnswer`."""
        parts = urllib.parse.urlsplit(url)
        cookie = self.cookie_header(url)
        with _told(connection, url):
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            response = connection.ask(method, target, {"User-Agent": USER_AGENT, "Accept": "*/*", **({"Cookie": cookie} if cookie else {}), **headers}, body)
            self.cookies.extract_cookies(t.cast("t.Any", response), urllib.request.Request(url))  # noqa: S310 -- never opened, as above
            yield response


@dataclasses.dataclass(frozen=True)
class Ready:
    """An open connection, good for one request. ``send`` takes method, headers and body; ``close`` is for one that is not sent after all."""

    send: t.Callable[[str, t.Mapping[str, str], bytes | None], Answer]
    close: t.Callable[[], None]


@contextlib.contextmanager
def _told(connection: _Connection, url: str) -> t.Iterator[None]:
    """Let whatever fails on *connection* come out as :class:`NoAnswer`."""
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        connection.close()
        if connection.was_cut:
            raise NoAnswer("timeout", host, seconds=connection.limit_s) from None
        raise _no_answer(error, host, connection.limit_s) from None


class _Connection:
    """One connection for one request, which a timer may cut at any moment: a server that drips has the same deadline as one that is silent."""

    def __init__(self, parts: urllib.parse.SplitResult, context: ssl.SSLContext, limit_s: float, source: str | None) -> None:
        self.was_cut = False
        self.limit_s = limit_s
        self._socket: socket.socket | None = None
        kind: t.Any = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        tls = {"context": context} if parts.scheme == "https" else {}
        self._http = kind(parts.hostname, parts.port, timeout=limit_s, source_address=(source, 0) if source else None, **tls)

    def open(self) -> None:
        with self._deadline():
            self._http.connect()
            self._socket = self._http.sock

    def ask(self, method: str, target: str, headers: t.Mapping[str, str], body: bytes | None) -> http.client.HTTPResponse:
        with self._deadline():
            if self._socket is None:
                self._http.connect()
                self._socket = self._http.sock
            self._http.request(method, target, body=body, headers=dict(headers))
            answer: http.client.HTTPResponse = self._http.getresponse()
        return answer

    @contextlib.contextmanager
    def _deadline(self) -> t.Iterator[None]:
        timer = threading.Timer(self.limit_s, self.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
        if self.was_cut:
            raise TimeoutError

    def patient(self) -> None:
        """Wait for what comes next as long as nobody cuts it."""
        if self._socket is not None:
            self._socket.settimeout(None)

    def cut(self) -> None:
        self.was_cut = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._http.close()


def _no_answer(error: Exception, host: str, limit_s: float) -> NoAnswer:
    if isinstance(error, ssl.SSLCertVerificationError):
        return NoAnswer("certificate", host, error.verify_message)
    if isinstance(error, ssl.SSLError):
        return NoAnswer("tls", host, str(error.reason or type(error).__name__))
    if isinstance(error, ConnectionRefusedError):
        return NoAnswer("refused", host)
    if isinstance(error, socket.gaierror):
        return NoAnswer("no_such_name" if error.errno in _NO_SUCH_NAME else "resolver", host, str(error.strerror))
    if isinstance(error, TimeoutError):
        return NoAnswer("timeout", host, seconds=limit_s)
    if isinstance(error, OSError) and error.errno in _NO_ROUTE:
        return NoAnswer("no_route", host)
    if isinstance(error, ValueError):  # a header or an address that cannot be sent; its words would repeat the value
        return NoAnswer("malformed", host)
    return NoAnswer("broken", host, type(error).__name__)
