# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The assertions of ``reads.WEB_SERVER`` as a user of testinfra writes them. Run by ``host_checks.py``, over SSH and on the host itself, never by CI."""

import pytest
from reads import WEB_SERVER


def subjects(kind: str) -> list[str]:
    return [subject for name, subject, _wanted in WEB_SERVER if name == kind]


@pytest.mark.parametrize("name", subjects("package"))
def test_package(host, name):
    assert host.package(name).is_installed


@pytest.mark.parametrize("name", subjects("process"))
def test_process(host, name):
    assert host.process.filter(comm=name)


@pytest.mark.parametrize("port", subjects("port"))
def test_port(host, port):
    assert host.socket(f"tcp://0.0.0.0:{port}").is_listening


@pytest.mark.parametrize(("path", "wanted"), [(subject, wanted) for kind, subject, wanted in WEB_SERVER if kind == "file"])
def test_file(host, path, wanted):
    file = host.file(path)
    assert [file.user, f"{file.mode:04o}"] == wanted


@pytest.mark.parametrize("place", subjects("line"))
def test_line(host, place):
    path, _colon, line = place.partition(":")
    assert line in host.file(path).content_string.splitlines()
