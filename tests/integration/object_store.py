# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An empty S3 server on loopback. Tests of second places come in."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t
import urllib.request

import boto3
from moto.server import ThreadedMotoServer


@dataclasses.dataclass(frozen=True)
class Store:
    """The server's address, and a client of its own."""

    url: str
    client: t.Any

    @property
    def behind_nginx(self) -> str:
        """What a server of nginx passes on to it. moto's own TLS ends without a goodbye, which pgBackRest takes for an attack; nginx keeps to the protocol.

        `localhost`: the bucket is in the path then. Nothing is kept on the way: nginx' own user may not write where tests do.
        """
        straight = "client_max_body_size 0; proxy_request_buffering off; proxy_buffering off; proxy_set_header Host localhost;"
        return f"{straight} location / {{ proxy_pass {self.url}; }}"


@contextlib.contextmanager
def object_store(*buckets: str) -> t.Iterator[Store]:
    """Lend a server with these empty *buckets*, for the length of a ``with``."""
    served = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    served.start()
    host, port = served.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        # All servers of one process have one memory: what an earlier test stored would be found in a bucket of that name.
        with urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST"), timeout=10):
            client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        client.list_buckets()  # at the first request for S3 it imports S3, which takes it long
        for bucket in buckets:
            client.create_bucket(Bucket=bucket)
        yield Store(url, client)
    finally:
        served.stop()
