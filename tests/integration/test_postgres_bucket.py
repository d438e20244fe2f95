# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine ``pgbackrest`` with a bucket, over TLS: what a bucket's own lifecycle rule takes away is missed, before and after pgBackRest notices."""

from __future__ import annotations

import datetime
import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import retention_rules
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_retention import BackupRetention
from ansible_collections.resto.golive.plugins.module_utils._options import validated
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import job, labels, pgbackrest, sight

from .nginx_server import certificate, serving
from .object_store import object_store
from .pgbackrest_server import Archived, archived

#: Debian 13's botocore asks Python 3.13 for the time in a way of old, which is neither ours nor what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning:botocore")

BUCKET = "shop-backups"
S3 = """repo1-path=/db1
repo1-type=s3
repo1-s3-endpoint=localhost
repo1-storage-port={port}
repo1-storage-ca-file={ca}
repo1-s3-uri-style=path
repo1-s3-region=us-east-1
repo1-s3-bucket={bucket}
repo1-s3-key=x
repo1-s3-key-secret=x"""

Bucket = tuple[Archived, t.Any]


@pytest.fixture
def bucket(tmp_path: pathlib.Path) -> t.Iterator[Bucket]:
    """A shop with two backups in a bucket."""
    with (
        object_store(BUCKET) as store,
        serving(tmp_path, certificate(tmp_path), http="", server=store.behind_nginx, app="return 404;") as edge,
        archived() as shop,
    ):
        ca = shop.home / "ca.pem"
        shutil.copy(tmp_path / "cert.pem", ca)
        ca.chmod(0o644)
        local = (shop.home / "pgbackrest.conf").read_text()
        shop.write("pgbackrest.conf", local.replace(f"repo1-path={shop.home}/repo", S3.format(port=edge.port, ca=ca, bucket=BUCKET)))
        shop.begin()
        shop.back_up()
        shop.back_up()
        yield shop, store.client


def lost(shop: Archived) -> list[str]:
    seen = {"settings": {}, "kept": labels.kept(shop.config, datetime.datetime.now(datetime.UTC))}
    told = retention_rules.judge_pgbackrest(seen, validated(BackupRetention, {}))
    return [one.params["names"] for one in told if one.code == "backup_retention.backups_lost"]


def test_what_a_lifecycle_rule_takes_away_is_missed(bucket: Bucket) -> None:
    shop, s3 = bucket
    seen = sight.look(shop.config)
    assert (seen["gaps"], seen["dropped"], lost(shop)) == ([], "", [])
    gone = max(one["label"] for one in seen["stanza"]["backup"])
    for one in s3.list_objects_v2(Bucket=BUCKET, Prefix=f"db1/backup/golive/{gone}/")["Contents"]:
        s3.delete_object(Bucket=BUCKET, Key=one["Key"])
    assert gone in {one["label"] for one in pgbackrest.info(shop.config)[0]["backup"]}, "info looks: then folders() is not needed"
    assert lost(shop) == [gone]
    shop.back_up()
    assert gone not in {one["label"] for one in pgbackrest.info(shop.config)[0]["backup"]}, "pgBackRest has noticed, and forgot it"
    assert lost(shop) == [gone], "and we have not"
    assert set(job.accept(shop.config)["accepted"]) == {gone}
    assert lost(shop) == []
