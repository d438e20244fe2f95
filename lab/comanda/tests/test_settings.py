# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A start without a secret, or with a malformed one, ends with its name and never with its value."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from comanda import cli, settings

# May be seen nowhere: psycopg quotes this part of the string in its message.
MALFORMED = "postgresql://app:secret@db:5432/x?hunter2=1"


@pytest.fixture(autouse=True)
def quiet_afterwards() -> Iterator[None]:
    """A command sets logging up for its process, which here is everybody's."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return tmp_path


def test_the_credential_comes_before_the_environment(credentials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESSION_KEY", "from the environment")
    assert settings.secret("SESSION_KEY") == "from the environment"
    (credentials / "SESSION_KEY").write_text("from systemd\n")
    assert settings.secret("SESSION_KEY") == "from systemd"


def test_every_missing_secret_is_named_at_once(credentials: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["panel"]) == 78
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["message"].split()[0] for line in lines] == ["DATABASE_URL", "REDIS_URL", "REDIS_PASSWORD", "SESSION_KEY"]


def test_a_malformed_value_is_not_shown(credentials: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (credentials / "DATABASE_URL").write_text(MALFORMED)
    with pytest.raises(settings.SettingError) as told:
        settings.database_url()
    assert "hunter2" not in str(told.value)
    assert "DATABASE_URL" in str(told.value)
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["shell"]) == 64
    assert "usage: comanda" in capsys.readouterr().err
