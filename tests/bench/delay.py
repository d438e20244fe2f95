# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes that arrive late: a TCP proxy on loopback that holds each direction back, where the kernel has no netem.

The handshake of TCP itself is with the proxy and is not delayed; everything that travels afterwards is.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import typing as t


@contextlib.contextmanager
def proxies(targets: t.Mapping[str, int], each_way_s: float) -> t.Iterator[dict[str, int]]:
    """Put a proxy before each port of 127.0.0.1 in *targets* (by name); yields the proxies' ports by the same names. All is gone afterwards."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    servers: list[asyncio.Server] = []
    try:
        for port in targets.values():
            servers.append(asyncio.run_coroutine_threadsafe(_listening(port, each_way_s), loop).result(5))
        yield {name: int(server.sockets[0].getsockname()[1]) for name, server in zip(targets, servers, strict=True)}
    finally:
        asyncio.run_coroutine_threadsafe(_over(servers), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


async def _listening(port: int, each_way_s: float) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(_late(reader, there_writer, each_way_s), _late(there_reader, writer, each_way_s))
        finally:
            for one in (writer, there_writer):
                one.close()
                with contextlib.suppress(ConnectionError):
                    await one.wait_closed()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


async def _late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Hand on what comes, each piece *seconds* after it came: as many pieces as there are may be on their way."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    delivery = asyncio.create_task(deliver())
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            under_way.put_nowait((loop.time() + seconds, data))
    under_way.put_nowait((loop.time() + seconds, b""))
    with contextlib.suppress(ConnectionError):
        await delivery


async def _over(servers: list[asyncio.Server]) -> None:
    for server in servers:
        server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
