# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WebSocket observer against a real server over TLS that lets in only who is logged in: what it hears and misses, and what it says when it cannot."""

from __future__ import annotations

import contextlib
import http
import pathlib
import ssl
import sys
import threading
import time
import typing as t

import pytest
import shop as shops
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from ansible_collections.resto.golive.plugins.module_utils import _looks, _observers
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow
from ansible_collections.resto.golive.plugins.module_utils._observers import Observer
from ansible_collections.resto.golive.plugins.module_utils._sessions import Sessions
from ansible_collections.resto.golive.plugins.module_utils._watch import Watch

Options = dict[str, t.Any]
PANEL = {"websocket": "live:/ws?of={cid}", "as": "owner", "contains": "{cid}"}
WORDS, NEVER = {"cid": "golive-sent"}, {"cid": "golive-never"}


class Panel:
    """What the server was asked, and the connections that are open."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.open: list[ServerConnection] = []

    def admit(self, link: ServerConnection, request: Request) -> Response | None:
        self.asked.append(request.path)
        return None if "session=" in request.headers.get("Cookie", "") else link.respond(http.HTTPStatus.FORBIDDEN, "log in first\n")

    def hold(self, link: ServerConnection) -> None:
        self.open.append(link)
        with contextlib.suppress(Exception):
            for _message in link:
                pass


def at(options: Options, port: int) -> None:
    """Say that the live channel is at *port* and that who is logged in to the panel is known there."""
    options["domains"] = {**options["domains"], "live": f"localhost:{port}"}
    options["realms"] = {**options["realms"], "live": options["realms"]["admin"]}


@pytest.fixture
def panel(certificate: tuple[pathlib.Path, pathlib.Path], options: Options) -> t.Iterator[Panel]:
    """A live channel beside the shop; ``options`` is told where it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1])
    panel = Panel()
    with serve(panel.hold, "127.0.0.1", 0, ssl=context, process_request=panel.admit, close_timeout=0.1) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        at(options, server.socket.getsockname()[1])
        yield panel
        server.shutdown()


def observer(value: Options) -> Observer:
    return _observers.parse(value, "acceptance_journey.panel.see", within_s=2)


def until(condition: t.Callable[[], bool]) -> None:
    end = time.monotonic() + 3
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_message_is_heard_once_and_never_what_was_not_sent(options: Options, panel: Panel) -> None:
    with _looks.websocket(observer(PANEL), Sessions(options, shops.SECRETS), WORDS) as look:
        watch = Watch(observer(PANEL), look, WORDS, NEVER).start()
        until(lambda: bool(panel.open))
        before = time.time()
        panel.open[0].send("order of somebody else")
        panel.open[0].send(b'{"cid": "golive-sent"}')
        assert watch.wait(time.monotonic() + 2)
        seen = watch.end()
    assert panel.asked == ["/ws?of=golive-sent"]
    assert (seen["count"], seen["never"], seen["problem"]) == (1, 0, None)
    assert before <= seen["first_seen"] <= time.time()


def test_a_second_message_is_counted(options: Options, panel: Panel) -> None:
    with _looks.websocket(observer(PANEL), Sessions(options, shops.SECRETS), WORDS) as look:
        until(lambda: bool(panel.open))
        for _time in range(2):
            panel.open[0].send("golive-sent")
        until(lambda: look(WORDS).count == 2)
        assert not observer(PANEL).exact(look(WORDS).count)


def test_a_channel_that_closes_proves_nothing(options: Options, panel: Panel) -> None:
    with _looks.websocket(observer(PANEL), Sessions(options, shops.SECRETS), WORDS) as look:
        watch = Watch(observer(PANEL), look, WORDS, NEVER).start()
        until(lambda: bool(panel.open))
        panel.open[0].close()
        until(lambda: watch.seen()["problem"] is not None)
        assert not watch.wait(time.monotonic())
        assert watch.end()["problem"]["code"] == "observer.stream_ended"


def test_nobody_reads_on_when_the_look_is_over(options: Options, panel: Panel) -> None:
    """It would read from whatever is given its connection's number next."""
    with _looks.websocket(observer(PANEL), Sessions(options, shops.SECRETS), WORDS):
        assert [one for one in threading.enumerate() if one.name == _looks.READER]
    assert not [one for one in threading.enumerate() if one.name == _looks.READER]


def test_who_is_not_let_in_says_so(options: Options, panel: Panel) -> None:
    stranger = {name: value for name, value in PANEL.items() if name != "as"}
    with pytest.raises(CannotKnow) as told, _looks.websocket(observer(stranger), Sessions(options, shops.SECRETS), WORDS):
        pass
    assert (told.value.code, told.value.params["observed"]) == ("observer.websocket_refused", "403")
    assert panel.open == []


def test_nobody_there_says_so(options: Options) -> None:
    at(options, 1)
    with pytest.raises(CannotKnow) as told, _looks.websocket(observer(PANEL), Sessions(options, shops.SECRETS), WORDS):
        pass
    assert told.value.code == "observer.websocket_refused"


def test_a_missing_library_names_its_package(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websocket", None)
    with pytest.raises(CannotKnow) as told, _looks.websocket(observer(PANEL), Sessions(options, shops.SECRETS), WORDS):
        pass
    assert (told.value.code, told.value.params["package"]) == ("common.library_missing", "python3-websocket")
