# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observers that are looked at from the probe: answers to requests, server-sent events, WebSocket messages."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _provider_record, _requests, _words
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow
from ansible_collections.resto.golive.plugins.module_utils._http import Stream
from ansible_collections.resto.golive.plugins.module_utils._observers import Observer
from ansible_collections.resto.golive.plugins.module_utils._sessions import Sessions
from ansible_collections.resto.golive.plugins.module_utils._watch import Found, Look
from ansible_collections.resto.golive.plugins.module_utils._words import Words

#: A server may answer before it has subscribed to anything; most say something (a comment, an event) once they have. Waited for at most this long, in seconds.
GREETING_S = 1.0
#: How long who reads a channel that was shut may take to notice, in seconds.
READER, READER_S = "golive reads a channel", 5.0
#: Of what streams in, this many events are kept: a panel that sends more in one look is not what is looked for.
EVENTS = 5000


def http(observer: Observer, sessions: Sessions) -> Look:
    """Return the look of ``http``: one sighting if the answer is as expected and has the text in it."""
    request = _requests.parse({"http": observer.subject, **({"as": observer.login} if observer.login else {})}, {}, observer.where)

    def look(words: Words) -> Found:
        answer = sessions.raw(request, words)
        expect = observer.expect or _requests.Expect()
        every = {**sessions.words_of(observer.login), **words}
        if expect.misses(answer, every, observer.where):
            if observer.absent:  # an error page proves no absence
                raise CannotKnow("observer.http_answer", where=observer.where, observed=answer.status)
            return Found(0)
        text = _words.text(observer.contains or observer.absent, every, observer.where)
        return Found(1 if not text or text in answer.text else 0)

    return look


class Listener:
    """A stream that is listened to from before the act: events as they come, each with the time it came at."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self._events: list[tuple[float, str]] = []
        self._ended: CannotKnow | None = None
        self._lock = threading.Lock()
        self.heard = threading.Event()

    def look(self, words: Words) -> Found:
        """Count the events that have come so far and hold the text. A stream that has ended says so unless it had shown it before."""
        text = _words.text(self.observer.contains or self.observer.absent, words, self.observer.where)
        with self._lock:
            seen = [(came, event) for came, event in self._events if text in event]
            ended = self._ended
        if ended is not None and (self.observer.absent or not seen):
            raise ended
        return Found(len(seen), [{"seen_at": came} for came, _event in seen])

    def add(self, event: str) -> None:
        with self._lock:
            if len(self._events) < EVENTS:
                self._events.append((time.time(), event))

    def end(self, code: str, **params: t.Any) -> None:
        with self._lock:
            self._ended = self._ended or CannotKnow(code, where=self.observer.where, **params)


@contextlib.contextmanager
def sse(observer: Observer, sessions: Sessions, words: Words) -> t.Iterator[Look]:
    """Listen to server-sent events (WHATWG HTML, 9.2) for the length of a ``with``; the stream is open when it begins. Raises ``CannotKnow``."""
    stream = sessions.stream(observer.subject, observer.login, words, observer.where, accept="text/event-stream")
    kind = stream.headers.get("content-type", "").partition(";")[0].strip().lower()
    if stream.status != 200 or kind != "text/event-stream":
        stream.close()
        raise CannotKnow("observer.sse_refused", where=observer.where, observed=f"{stream.status} {kind}".strip())
    listener = Listener(observer)
    threading.Thread(target=_read_events, args=(stream, listener), daemon=True).start()
    listener.heard.wait(GREETING_S)
    try:
        yield listener.look
    finally:
        stream.close()


def _read_events(stream: Stream, listener: Listener) -> None:
    fields: list[str] = []
    for line in stream.lines():
        listener.heard.set()
        if line:
            if not line.startswith(":"):
                fields.append(line)
        elif fields:
            listener.add("\n".join(fields))
            fields = []
    listener.end("observer.stream_ended")


@contextlib.contextmanager
def websocket(observer: Observer, sessions: Sessions, words: Words) -> t.Iterator[Look]:
    """Listen to a WebSocket (RFC 6455) for the length of a ``with``; it is open when it begins. Raises ``CannotKnow``."""
    try:
        import websocket as library
    except ImportError:
        raise CannotKnow("common.library_missing", library="websocket", package="python3-websocket") from None
    url, headers = sessions.headers_of(observer.subject, observer.login, words, observer.where)
    trust = {"context": sessions.anonymous.context} if url.startswith("https://") else {}
    try:
        link: t.Any = library.create_connection(
            "ws" + url.removeprefix("http"), header=[f"{name}: {value}" for name, value in headers.items()], timeout=10, sslopt=trust, http_no_proxy=["*"]
        )
    except (library.WebSocketException, OSError) as error:
        status = getattr(error, "status_code", None)
        raise CannotKnow("observer.websocket_refused", where=observer.where, observed=str(status or type(error).__name__)) from None
    link.settimeout(None)
    listener = Listener(observer)

    def read() -> None:
        with contextlib.suppress(library.WebSocketException, OSError, ValueError):
            while message := link.recv():
                listener.add(message if isinstance(message, str) else message.decode("utf-8", "replace"))
        listener.end("observer.stream_ended")

    reader = threading.Thread(target=read, name=READER, daemon=True)
    reader.start()
    try:
        yield listener.look
    finally:
        # Who reads is woken first: closing alone leaves it waiting on a number that somebody else's file or connection gets next.
        with contextlib.suppress(OSError, AttributeError):  # it has closed by itself
            link.sock.shutdown(socket.SHUT_RDWR)
        reader.join(READER_S)
        link.shutdown()


@contextlib.contextmanager
def opened(observer: Observer, sessions: Sessions, words: Words) -> t.Iterator[Look]:
    """Lend the look of an *observer* that is looked at from here, for the length of a ``with``. Raises ``CannotKnow``."""
    if observer.kind == "provider":
        yield _provider_record.opened(observer, sessions, sessions.providers)
    elif observer.kind == "http":
        yield http(observer, sessions)
    elif observer.kind in ("sse", "websocket"):
        with (sse if observer.kind == "sse" else websocket)(observer, sessions, words) as look:
            yield look
    else:
        raise CannotKnow("observer.kind_unsupported", where=observer.where, kind=observer.kind)
