# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench's logic: medians, ratios, floors, the table, the delay and the overlay. Nothing is timed here: a shared machine's clock proves nothing."""

from __future__ import annotations

import pathlib
import socket
import socketserver
import threading
import time

import pytest

from ansible_collections.resto.golive.tests.bench import measure, overlay, reads, table
from ansible_collections.resto.golive.tests.bench.delay import proxies
from ansible_collections.resto.golive.tests.bench.measure import Sample
from ansible_collections.resto.golive.tests.bench.table import Floor, Row

ROOT = pathlib.Path(__file__).parents[3]


def walls(*seconds: float) -> list[Sample]:
    return [Sample(wall, wall / 2) for wall in seconds]


def test_a_median_is_not_moved_by_one_bad_run() -> None:
    assert measure.median_s(walls(1.0, 99.0, 2.0)) == 2.0
    assert measure.median_cpu_s(walls(1.0, 99.0, 2.0)) == 1.0


def test_a_ratio_is_taken_within_each_round() -> None:
    # The machine is ten times slower in the second round: pair by pair it is 3 all along, the medians of the sides would say 1.5.
    assert measure.ratio(walls(3, 30, 3), walls(1, 10, 1)) == 3
    with pytest.raises(ValueError, match="shorter"):
        measure.ratio(walls(1, 2), walls(1))


def test_variants_take_turns() -> None:
    order: list[str] = []
    samples = measure.rounds(3, a=lambda: order.append("a"), b=lambda: order.append("b"))
    assert "".join(order) == "ababab"
    assert {name: len(taken) for name, taken in samples.items()} == {"a": 3, "b": 3}


@pytest.mark.parametrize(
    ("floor", "value", "holds"),
    [(Floor(at_least=20), 20, True), (Floor(at_least=20), 19.99, False), (Floor(at_most=2.5), 2.5, True), (Floor(at_most=2.5), 2.51, False)],
)
def test_a_floor_holds_at_its_edge_and_not_beyond(floor: Floor, value: float, holds: bool) -> None:
    row = Row("what", "1 s", "2 s", value, floor)
    assert row.holds is holds
    assert table.missed([row]) == [row] * (not holds)


def test_a_row_without_a_floor_is_never_missed() -> None:
    row = Row("what", "1 s", "2 s", 0.1)
    assert row.holds is None
    assert table.missed([row]) == []
    assert row.cells()[4:] == ("", "")


def test_the_table_says_ratio_floor_and_whether_it_holds() -> None:
    rows = [Row("engine", "1 s", "30 s", 30.3, Floor(at_least=20)), Row("far", "3 s", "1 s", 3.0, Floor(at_most=1.5)), Row("more", "", "", 0.1, unit="s")]
    assert table.rendered(rows) == (
        "| What   | Ours | Against | Ratio  | Floor   | Holds  |\n"
        "|--------|------|---------|--------|---------|--------|\n"
        "| engine | 1 s  | 30 s    | 30.3 x | ≥ 20 x  | yes    |\n"
        "| far    | 3 s  | 1 s     | 3.00 x | ≤ 1.5 x | **no** |\n"
        "| more   |      |         | 0.10 s |         |        |\n"
    )


@pytest.mark.parametrize(("value", "text"), [(123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.0, "0.00")])
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert table.number(value) == text


@pytest.mark.parametrize(("value", "text"), [(1.0, "1.00 s"), (0.0123, "12.3 ms"), (75.2, "75.2 s")])
def test_times_have_a_unit(value: float, text: str) -> None:
    assert table.seconds(value) == text


def test_the_page_keeps_everything_but_the_table() -> None:
    page = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    assert table.placed(page, "new\n") == f"before\n{table.BEGIN}\nnew\n{table.END}\nafter\n"
    assert table.placed(table.placed(page, "x\n"), "old\n") == page
    with pytest.raises(ValueError, match="no place"):
        table.placed("no marks", "new")
    table.placed((ROOT / "docs" / "performance.md").read_text(encoding="utf-8"), "")


def test_what_is_read_is_as_many_different_things_as_the_bench_says() -> None:
    assert (len(set(map(str, reads.EVERYWHERE))), len(set(map(str, reads.WEB_SERVER)))) == (45, 20)
    assert len(overlay.names("everywhere")) == 45


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1 << 16):
            self.request.sendall(data)


def test_bytes_arrive_late_whole_and_in_order_and_the_proxy_goes() -> None:
    each_way_s = 0.05
    sent = bytes(range(256)) * 1000
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with proxies({"echo": server.server_address[1]}, each_way_s) as ports, socket.create_connection(("127.0.0.1", ports["echo"]), timeout=10) as client:
            began = time.monotonic()
            threading.Thread(target=client.sendall, args=(sent,), daemon=True).start()
            seen = b""
            while len(seen) < len(sent):
                seen += client.recv(1 << 16)
            assert time.monotonic() - began >= 2 * each_way_s
        assert seen == sent
        server.shutdown()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", ports["echo"]), timeout=10)


def test_the_overlay_is_this_checkout_but_for_the_checks(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlay, "COLLECTIONS", tmp_path)
    overlay.make()
    overlay.make()
    top = tmp_path / "ansible_collections" / "resto" / "golive"
    own = {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file() and not path.is_symlink()}
    modules = {f"plugins/modules/{name}.py" for name in overlay.names("everywhere") + overlay.names("web_server")}
    checks = "plugins/module_utils/_checks"
    assert own == modules | {f"{checks}/registry.py", f"{checks}/bench/__init__.py"}
    assert (top / "plugins" / "module_utils" / "_runner.py").samefile(ROOT / "plugins" / "module_utils" / "_runner.py")
    assert (top / "plugins" / "action" / "audit.py").samefile(ROOT / "plugins" / "action" / "audit.py")
    real = (ROOT / checks / "registry.py").read_text(encoding="utf-8")
    assert (top / checks / "registry.py").read_text(encoding="utf-8").startswith(real)
