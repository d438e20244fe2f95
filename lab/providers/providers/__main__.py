# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m providers CONFIG``: a JSON file, see README.md. Secrets in it are why nobody else may read it."""

from __future__ import annotations

import json
import pathlib
import signal
import ssl
import sys
import typing as t

from providers import mail
from providers.faults import Faults
from providers.mercadopago import MercadoPago
from providers.record import Record
from providers.server import Provider, Server
from providers.stripe import Stripe
from providers.twilio import Twilio
from providers.whatsapp import WhatsApp

KINDS: dict[str, t.Callable[[t.Mapping[str, t.Any]], Provider]] = {"whatsapp": WhatsApp, "twilio": Twilio, "stripe": Stripe, "mercadopago": MercadoPago}


def trust(config: t.Mapping[str, t.Any], folder: pathlib.Path) -> ssl.SSLContext | None:
    """TLS with the configured certificate; None without one."""
    if "certificate" not in config:
        return None
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*(folder / config[name] for name in ("certificate", "key")))
    return tls


def main() -> None:
    path = pathlib.Path(sys.argv[1])
    config = json.loads(path.read_text(encoding="utf-8"))
    record, faults = Record(), Faults()
    hosts: dict[str, tuple[str, Provider]] = {one["host"]: (name, KINDS[name](one)) for name, one in config["providers"].items() if name in KINDS}
    if "smtp" in config["providers"]:
        given = config["providers"]["smtp"]
        mail.door(given, config["listen"], trust(config, path.parent), record, faults).start()
        hosts[given.get("host", "")] = ("smtp", mail.Name())
    server = Server((config["listen"], config["port"]), hosts, record, faults, trust(config, path.parent), config.get("trusted", ()))
    signal.signal(signal.SIGTERM, lambda *_frame: sys.exit(0))
    server.serve_forever()


if __name__ == "__main__":
    main()
