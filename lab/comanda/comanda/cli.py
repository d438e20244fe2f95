# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of a release live here: one for each process, and those that a deployment runs. `bin/comanda` comes in."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

from comanda import logs, settings


# Each imports what it needs when it runs: the worker has no use for a web server, nor the website for a database.
def _api() -> None:
    from comanda import api, web

    settings.database_url()
    web.serve(api.app(), api.PORT)


def _panel() -> None:
    from comanda import panel, web

    settings.database_url()
    web.serve(panel.app(), panel.PORT)


def _website() -> None:
    from comanda import web, website

    web.serve(website.app(), website.PORT)


def _worker() -> None:
    from comanda import worker

    worker.run()


def _migrate() -> None:
    from comanda import schema

    print(schema.migrate())


def _seed() -> None:
    from comanda import seed

    print(seed.run())


def _rotate() -> None:
    from comanda import keys

    print(keys.rotate())


COMMANDS: Mapping[str, Callable[[], None]] = {
    "api": _api,
    "panel": _panel,
    "website": _website,
    "worker": _worker,
    "migrate": _migrate,
    "seed": _seed,
    "keys rotate": _rotate,
}
API_CREDENTIALS = "/etc/credstore/comanda-api"
SERVICES = frozenset({"api", "panel", "website", "worker"})
# What the start of each process must find; checked together, so that one start tells all that is missing. The keys of channels
# that a release does not speak yet are asked for too: a release that speaks them must not be the first to miss them.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "api": (
        "DATABASE_URL",
        "REDIS_URL",
        "REDIS_PASSWORD",
        "SESSION_KEY",
        "JWT_KEY",
        "WHATSAPP_APP_SECRET",
        "WHATSAPP_VERIFY_TOKEN",
        "TWILIO_AUTH_TOKEN",
        "STRIPE_WEBHOOK_SECRET",
        "MP_WEBHOOK_SECRET",
    ),
    "panel": ("DATABASE_URL", "REDIS_URL", "REDIS_PASSWORD", "SESSION_KEY"),
    "website": (),
    "worker": ("DATABASE_URL", "REDIS_URL", "REDIS_PASSWORD", "WHATSAPP_TOKEN", "TWILIO_AUTH_TOKEN", "SMTP_PASSWORD", "MP_ACCESS_TOKEN"),
    "migrate": ("DATABASE_URL",),
    "seed": ("DATABASE_URL", "TEST_USERS"),
    "keys rotate": ("DATABASE_URL",),
}


def missing(command: str) -> list[str]:
    """What is wrong with the secrets of this command, by name."""
    found = []
    for name in REQUIRED[command]:
        try:
            settings.secret(name)
        except settings.SettingError as error:
            found.append(str(error))
    return found


def main(arguments: list[str]) -> int:
    """Run one command; 64 for a command that we don't have, 78 for a configuration that cannot work (sysexits.h)."""
    name = " ".join(arguments)
    if name not in COMMANDS:
        print(f"usage: comanda {'|'.join(COMMANDS)}", file=sys.stderr)
        return 64
    if name == "keys rotate" and "CREDENTIALS_DIRECTORY" not in os.environ:
        # Typed by an administrator: it uses what the API is given.
        os.environ["CREDENTIALS_DIRECTORY"] = API_CREDENTIALS
    if name in SERVICES:
        logs.start(f"comanda-{name}")
    problems = missing(name)
    try:
        if not problems:
            COMMANDS[name]()
    except settings.SettingError as error:
        problems = [str(error)]
    for problem in problems:
        logs.log.critical(problem)
    return 78 if problems else 0
