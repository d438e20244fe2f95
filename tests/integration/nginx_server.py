# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx on loopback, over TLS, before an application that is another server of the same nginx. Tests of limits come in."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import socket
import subprocess
import time
import typing as t

#: Debian's is not on everybody's PATH.
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")

_MAIN = """
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    log_format limits "$remote_addr $limit_req_status $status";
    access_log off;
    {http}
    server {{
        listen {address}:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        access_log {folder}/access.log limits;
        {server}
    }}
    server {{
        listen unix:{folder}/app.sock;
        {app}
    }}
}}
"""


class Nginx:
    """A running nginx: its port, and what its own log says of every request that came to the edge."""

    def __init__(self, folder: pathlib.Path, port: int) -> None:
        self._folder = folder
        self.port = port

    def decisions(self) -> list[tuple[str, str, int]]:
        """Return ``(client, PASSED or REJECTED or -, status)`` of each request, as nginx itself logged it: soon after it has answered, so when it is silent."""
        log, before = self._folder / "access.log", ""
        while (text := log.read_text()) != before:
            before = text
            time.sleep(0.05)
        lines = text.splitlines()
        return [(client, decision, int(status)) for client, decision, status in map(str.split, lines)]


def certificate(folder: pathlib.Path, name: str = "localhost") -> pathlib.Path:
    """Return a file with a self-signed certificate for *name* and its key; the certificate alone is beside it, as ``cert.pem``."""
    path = folder / "server.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    subprocess.run([*argv, "-addext", f"subjectAltName=DNS:{name}", "-keyout", path, "-out", folder / "cert.pem"], check=True, capture_output=True)
    path.write_text(path.read_text() + (folder / "cert.pem").read_text())
    return path


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as looking:
        looking.bind((address, 0))
        return int(looking.getsockname()[1])


@contextlib.contextmanager
def serving(folder: pathlib.Path, pem: pathlib.Path, *, http: str, server: str, app: str, address: str = "127.0.0.1") -> t.Iterator[Nginx]:
    """Run nginx for the length of a ``with``."""
    assert NGINX is not None, "nginx is missing: scripts/packages.sh dev"
    configuration, errors = folder / "nginx.conf", folder / "error.log"
    for _try in range(3):
        port = free_port(address)
        configuration.write_text(_MAIN.format(folder=folder, address=address, port=port, certificate=pem, http=http, server=server, app=app))
        child = subprocess.Popen([NGINX, "-c", configuration, "-p", folder, "-e", errors], stderr=subprocess.DEVNULL)
        # Somebody else may take the port between its being found free and now.
        if _listens(child, address, port) or "Address already in use" not in errors.read_text():
            break
    try:
        assert child.poll() is None, errors.read_text()
        (folder / "access.log").write_text("")
        yield Nginx(folder, port)
    finally:
        child.terminate()
        child.wait(10)


def _listens(child: subprocess.Popen[bytes], address: str, port: int) -> bool:
    """Wait until *child* is reached there, and say whether it is; or until it has ended."""
    while child.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
            return True
        time.sleep(0.02)
    return False
