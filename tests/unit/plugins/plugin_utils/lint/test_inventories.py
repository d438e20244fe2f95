# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole inventories: good ones raise nothing, secrets stay unseen, and every way to write an inventory has its places found."""

from __future__ import annotations

import json
import os
import pathlib
import time
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultEditor, VaultLib, VaultSecret

from ansible_collections.resto.golive.plugins.plugin_utils.lint import InventoryView, explain, lint

from .conftest import NOW, Shop

PLANTED = "pl4nted-S3cret"


def test_the_smallest_inventory_has_no_mistake(small: Shop) -> None:
    assert small.texts() == []


def test_the_full_inventory_has_no_mistake(full: Shop) -> None:
    assert full.texts() == []


def test_the_full_inventory_s_secrets_are_asked_for_once_a_path(full: Shop) -> None:
    asked: list[str] = []

    def nothing_there(path: str) -> set[str]:
        asked.append(path)
        return set()

    found = full.lint(secret_names=nothing_there)
    assert sorted(asked) == ["api", "test/employee", "test/other", "test/owner", "worker"]
    assert {mistake.code for mistake in found} == {"secret_empty"}
    assert all(mistake.line for mistake in found)


@pytest.mark.parametrize(
    "written",
    [
        f"redis_password: {PLANTED}",
        f'redis_password: "{{{{ from_elsewhere }}}}"\nfrom_elsewhere: {PLANTED}',
        f"golive_logins: {{a: {{user: a, password: {PLANTED}, tenant: b}}}}",
        f"integrations_providers: {{stripe: {{keys: {{signing: {PLANTED}, wrong: {PLANTED}}}}}}}",
        f"observability_prometheus_url: http//ana:{PLANTED}@host/x?token={PLANTED}",
        f"operations_roles_routes: GET http://ana:{PLANTED}@host/x?token={PLANTED}",
        f"golive_repository: https://ana:{PLANTED}@git.example/x.git",
        f"golive_release: whsec_{PLANTED}",
        f"redis_passwrd: {PLANTED}",
        f"postgres_port: {PLANTED}",
        f"golive_preset: {PLANTED}",
        f"golive_owner: {PLANTED}",
        f"golive_fail_on_no_go: {PLANTED}",
        f"security_rotation_token_ttl_s: {PLANTED}",
        f"golive_services: {PLANTED}",
    ],
)
def test_a_secret_is_never_printed(small: Shop, written: str) -> None:
    small.system(f"---\n{written}\n")
    found = small.lint()
    assert found, "each of these is a mistake"
    assert PLANTED not in json.dumps([mistake.as_dict() for mistake in found])


def test_a_secret_that_yaml_made_a_number_is_not_printed_either(small: Shop) -> None:
    small.system("---\nredis_password: 8675309123\n")
    assert small.texts() == ["shop/group_vars/all/20_more.yml:2: redis_password arrived as number (hidden); if you wrote (hidden), quote it"]


def test_the_explanation_hides_secrets_and_shows_names(small: Shop) -> None:
    small.system(f"---\nredis_password: {PLANTED}\npostgres_password: 'api#PG'\ngolive_logins: {{a: {{user: u, password: {PLANTED}}}}}\n")
    shown = {row.variable: row.value for row in small.rows()}
    assert PLANTED not in json.dumps([row.as_dict() for row in small.rows()])
    assert (shown["redis_password"], shown["postgres_password"]) == ("…", "api#PG")


def test_the_explanation_says_value_origin_and_readers(full: Shop) -> None:
    rows = {row.variable: row for row in full.rows()}
    assert (rows["postgres_restore_rto_minutes"].value, rows["postgres_restore_rto_minutes"].items) == ("30", ("postgres.restore",))
    assert rows["postgres_restore_rto_minutes"].origin["es"] == "shop/group_vars/postgres.yml:7"
    assert rows["postgres_restore_rto_minutes"].hosts == ("db1",)
    assert (rows["postgres_retention_days"].kind, rows["postgres_retention_days"].value) == ("default", "[7, 30, 90]")
    assert rows["golive_impact"].value == "disruptive"
    assert all(len(row.value) <= 60 for row in rows.values())


def test_templates_are_resolved_before_they_are_judged(small: Shop) -> None:
    small.system(
        "---\nmy_minutes: 30\npostgres_restore_rto_minutes: '{{ my_minutes }}'\npostgres_retention_days: '{{ my_minutes }}'\n"
        "observability_metrics_p95_ms: '{{ nobody_has_this }}'\nsecurity_audit_table: \"{{ hostvars['vps1'].my_minutes ~ '' }}\"\n"
    )
    assert small.texts() == [
        "shop/group_vars/all/20_more.yml:4: postgres_retention_days is a number, wanted a list [daily, weekly, monthly] such as [7, 30, 90]",
    ]


def test_a_resolved_secret_is_not_told_to_be_in_the_repository(small: Shop) -> None:
    small.system(f"---\nelsewhere: {PLANTED}\nredis_password: '{{{{ elsewhere }}}}'\n")
    assert small.texts() == ["shop/group_vars/all/20_more.yml:3: redis_password resolves to a value, wanted a name path#key in the store"]


def test_command_line(small: Shop, extra: t.Callable[..., None]) -> None:
    extra(golive_relase="v1", postgres_restore_rto_minutes="30", golive_preset="cobol")
    assert small.texts() == [
        "-e: golive_preset must be one of: django, rails, laravel, nestjs, fastapi",
        "-e: golive_relase: no such variable. Did you mean golive_release? Nothing reads this one.",
    ]


def test_the_file_that_wins_is_the_one_shown(small: Shop) -> None:
    small.write("host_vars/vps1.yml", "---\npostgres_retention_days: 1\n").system("---\npostgres_retention_days: [7, 30, 90]\n")
    assert [mistake.where for mistake in small.lint()] == ["shop/host_vars/vps1.yml:2"]


def test_links_keep_the_name_that_the_inventory_gives_them(small: Shop) -> None:
    common = small.root.parent / "common"
    common.mkdir()
    (common / "30_common.yml").write_text("---\ngolvie_preset: rails\n")
    (small.root / "group_vars/all/30_common.yml").symlink_to(os.path.relpath(common / "30_common.yml", small.root / "group_vars/all"))
    assert [mistake.where for mistake in small.lint()] == ["shop/group_vars/all/30_common.yml:2"]
    (small.root.parent / "prod").symlink_to("shop")
    assert [mistake.where for mistake in lint(InventoryView.load(DataLoader(), ["prod"]), now=NOW)] == ["shop/group_vars/all/30_common.yml:2"]


def test_variables_in_the_inventory_itself(place: pathlib.Path) -> None:
    shop = Shop(place).write(
        "hosts.yml",
        "---\nall:\n  vars:\n    golive_owner: ana@x.example\n  children:\n    redis:\n      vars: {redis_prt: 1}\n"
        "      hosts:\n        c1:\n          redis_hots: x\n          redis_hots: y\n",
    )
    assert [(mistake.code, mistake.line) for mistake in shop.lint()] == [("unknown", 7), ("twice", 11), ("unknown", 11)]


def test_ini_inventories(place: pathlib.Path) -> None:
    shop = Shop(place).write("hosts", "[redis]\nc1 redis_prt=1\n\n[redis:vars]\nredis_hots=x\n\n[all:vars]\ngolive_owner=ana@x.example\n")
    assert [(mistake.where, mistake.params["name"]) for mistake in lint(InventoryView.load(DataLoader(), [str(shop.root / "hosts")]), now=NOW)] == [
        ("shop/hosts:2", "redis_prt"),
        ("shop/hosts:5", "redis_hots"),
    ]


def test_a_list_of_hosts_without_files(place: pathlib.Path) -> None:
    (mistake,) = lint(InventoryView.load(DataLoader(), ["db1,"]), now=NOW)
    assert (mistake.code, mistake.file, mistake.params["count"]) == ("no_owner", "-i", 40)


def test_a_file_that_ansible_vault_encrypted(small: Shop) -> None:
    vault = [("default", VaultSecret(b"only-a-test"))]
    file = small.root / "group_vars/all/40_vault.yml"
    file.write_text("---\n\ngolvie_preset: rails\n")
    VaultEditor(VaultLib(vault)).encrypt_file(str(file), vault[0][1])
    loader = DataLoader()
    loader.set_vault_secrets(vault)
    assert [mistake.where for mistake in lint(InventoryView.load(loader, [str(small.root)]), now=NOW)] == ["shop/group_vars/all/40_vault.yml:3"]


def test_groups_by_another_name(small: Shop) -> None:
    hosts = small.root / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("postgres:", "db:"))
    small.system("---\ngolive_groups: {postgres: db}\n").write("group_vars/db.yml", "---\npostgres_port: 5433\n")
    assert small.texts() == []


def test_whatever_is_wrong_is_told_together_and_in_order(small: Shop) -> None:
    small.system("---\ngolvie_preset: rails\npostgres_retention_days: 90\nredis_port: 1\nredis_port: 2\n").write("group_vars/postgress.yml", "---\n{}\n")
    first = small.lint()
    assert [(mistake.file.rpartition("/")[2], mistake.line, mistake.code) for mistake in first] == [
        ("20_more.yml", 2, "unknown"),
        ("20_more.yml", 3, "type"),
        ("20_more.yml", 5, "twice"),
        ("postgress.yml", 0, "file_no_group"),
    ]
    assert [mistake.as_dict() for mistake in small.lint()] == [mistake.as_dict() for mistake in first]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("integrations_retries: {attemps: 5}", "key"),
        ("golive_requests: {a: {http: 'GET api:/', expect: {}}}", "empty"),
        ("golive_requests: {a: {http: 'GET api:/', request: a}}", "one_of"),
        ("golive_requests: {a: {http: 'GET api:/', expect: {statsu: 200}}}", "key"),
        ("golive_tenants_flag: {sql: 'delete from x'}", "format"),
        ("security_rate_limit_routes: [{request: 'GET api:/', rate: fast}]", "format"),
        ("golive_realms: {admn: {send: 'GET api:/', me: 'GET api:/'}}", "reference"),
        ("operations_business_hours_schedule: {a: {mon: 'all day'}}", "reference"),
        ("redis_not_applicable: {reason: x, by: ana@x.example}", "key_missing"),
        ("golive_domains: {api: 'https://api.x.example/'}", "format"),
    ],
)
def test_dictionaries_have_no_foreigners(small: Shop, written: str, code: str) -> None:
    small.system(f"---\n{written}\n")
    assert code in {mistake.code for mistake in small.lint()}


def test_notes_are_free(small: Shop) -> None:
    small.system("---\nintegrations_retries: {attempts: 5, x_why: agreed with Ana}\n")
    assert small.texts() == []


def test_six_hosts_take_well_under_a_second(full: Shop) -> None:
    view = full.view()
    for host in view.hosts:
        view.settings(host)
    lint(view, now=NOW)  # the vocabulary is read once a process
    started = time.process_time()
    lint(view, now=NOW)
    explain(view)
    assert time.process_time() - started < 0.5
