# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TLS server for every name below ``bench.providers.test``, started on the probe host by ``endpoints.py`` and gone when its standard input closes.

Its first line of input is ``ca.pem``, ``chain.pem`` and ``key.pem`` as JSON; it prints its ports and the directory that holds these, as JSON.
"""

import json
import pathlib
import socketserver
import ssl
import sys
import tempfile
import threading


class Tls(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 1024
    context: ssl.SSLContext


class Handshake(socketserver.BaseRequestHandler):
    """Shake hands and wait for the client to hang up; what a client breaks off is its own business."""

    server: Tls

    def handle(self) -> None:
        self.request.settimeout(10)
        try:
            with self.server.context.wrap_socket(self.request, server_side=True) as secured:
                secured.recv(1)
        except OSError:
            return


class ToHttps(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        lines = iter(self.rfile.readline, b"\r\n")
        names = [line.split()[1].decode() for line in lines if line.lower().startswith(b"host:")]
        self.wfile.write(f"HTTP/1.1 301 Moved Permanently\r\nLocation: https://{names[0]}/\r\nContent-Length: 0\r\n\r\n".encode())


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="golive-bench-") as folder:
        for name, text in json.loads(sys.stdin.readline()).items():
            pathlib.Path(folder, name).write_text(text, encoding="ascii")
        with Tls(("", 0), Handshake) as tls, socketserver.ThreadingTCPServer(("", 0), ToHttps) as plain:
            tls.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.context.load_cert_chain(f"{folder}/chain.pem", f"{folder}/key.pem")
            plain.daemon_threads = True
            for server in (tls, plain):
                threading.Thread(target=server.serve_forever, daemon=True).start()
            print(json.dumps({"port": tls.server_address[1], "plain": plain.server_address[1], "folder": folder}), flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main()
