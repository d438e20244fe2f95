# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is left of a lab that was taken away is told by its name; the image is a cache until it is asked for."""

from __future__ import annotations

import importlib.util
import pathlib
import subprocess
import typing as t

import pytest

ROOT = pathlib.Path(__file__).parents[3]
spec = importlib.util.spec_from_file_location("no_trace", ROOT / "scripts" / "no_trace.py")
assert spec is not None
assert spec.loader is not None
no_trace = importlib.util.module_from_spec(spec)
spec.loader.exec_module(no_trace)


def podman(**left: str) -> t.Callable[[list[str]], str]:
    """Return a podman that has *left* of the lab: what its commands answer, by their first word."""

    def answer(argv: list[str]) -> str:
        assert argv[-2:] == ["--filter", "label=io.resto.golive=lab"]
        return left.get(argv[0], "")

    return answer


def test_nothing_is_left(tmp_path: pathlib.Path) -> None:
    assert no_trace.traces(podman(images="abc\n"), [tmp_path / "gone"]) == []


@pytest.mark.parametrize(
    ("command", "kind"),
    [("ps", "container"), ("network", "network"), ("volume", "volume")],
)
def test_what_podman_still_has_is_told(command: str, kind: str) -> None:
    assert no_trace.traces(podman(**{command: "golive-db1\ngolive-edge1\n"}), []) == [f"{kind} golive-db1", f"{kind} golive-edge1"]


def test_the_image_must_be_gone_only_if_that_was_asked() -> None:
    assert no_trace.traces(podman(images="abc\n"), [], purged=True) == ["image abc"]


def test_files_and_dead_links_are_traces(tmp_path: pathlib.Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    places = [tmp_path / name for name in ("folder", "link", "gone")]
    assert no_trace.traces(podman(), places) == [str(place) for place in places[:2]]


def test_a_podman_that_does_not_answer_is_no_proof() -> None:
    def silent(argv: list[str]) -> str:
        raise subprocess.CalledProcessError(125, argv)

    with pytest.raises(subprocess.CalledProcessError):
        no_trace.traces(silent, [])


def test_it_looks_at_all_that_the_playbook_removes() -> None:
    playbook = (ROOT / "lab" / "destroy.yml").read_text(encoding="utf-8")
    assert no_trace.LAB["lab_home"] == "{{ lab_root }}/.lab"
    assert [str(place.relative_to(ROOT)) for place in no_trace.PLACES[:2]] == [".lab", "inventories/staging/group_vars/all/90_decisions.yml"]
    assert "/inventories/staging/group_vars/all/90_decisions.yml" in playbook
    assert "/var/lib/cni/networks/{{ lab_network }}" in playbook
    assert str(no_trace.PLACES[2]) == "/var/lib/cni/networks/golive-lab"
