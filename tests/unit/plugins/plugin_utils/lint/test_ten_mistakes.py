# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ten mistakes of the inventory contract, one test each: a real inventory, the exact sentence, in both languages."""

from __future__ import annotations

import re
import typing as t

import pytest

from .conftest import Shop

MORE = "shop/group_vars/all/20_more.yml"


def said(shop: Shop, **options: t.Any) -> tuple[list[str], list[str]]:
    return shop.texts("en", **options), shop.texts("es", **options)


def without(shop: Shop, name: str) -> Shop:
    """Take the line of *name* out of what the smallest inventory says."""
    system = shop.root / "group_vars/all/10_system.yml"
    system.write_text(re.sub(rf"^{name}: .*\n", "", system.read_text(), flags=re.MULTILINE))
    return shop


def test_1_a_name_that_nobody_reads(small: Shop) -> None:
    small.system("---\npostgres_restroe_rto_minutes: 30\n")
    en, es = said(small)
    assert en == [f"{MORE}:2: postgres_restroe_rto_minutes: no such variable. Did you mean postgres_restore_rto_minutes? Nothing reads this one."]
    assert es == [f"{MORE}:2: postgres_restroe_rto_minutes: no existe esa variable. ¿Quisiste decir postgres_restore_rto_minutes? Nadie lee esta."]


def test_2_a_value_of_another_type(small: Shop) -> None:
    small.system("---\npostgres_retention_days: 90\n")
    en, es = said(small)
    assert en == [f"{MORE}:2: postgres_retention_days is a number, wanted a list [daily, weekly, monthly] such as [7, 30, 90]"]
    assert es == [f"{MORE}:2: postgres_retention_days es un número; se esperaba una lista [diarios, semanales, mensuales] como [7, 30, 90]"]


@pytest.mark.parametrize(
    ("written", "kind_en", "kind_es", "seen"),
    [
        ("1.10", "number", "número", "1.1"),
        ("0123456", "number", "número", "42798"),
        ("18:00", "number", "número", "1080"),
        ("NO", "boolean", "booleano", "false"),
        ("2026-11-24", "date", "fecha", "2026-11-24"),
    ],
)
def test_3_what_yaml_ate(small: Shop, written: str, kind_en: str, kind_es: str, seen: str) -> None:
    without(small, "postgres_database").write("group_vars/postgres.yml", f"---\npostgres_database: {written}\n")
    place = "shop/group_vars/postgres.yml:2: postgres_database"
    assert said(small) == (
        [f"{place} arrived as {kind_en} {seen}; if you wrote {written}, quote it"],
        [f"{place} llegó como {kind_es} {seen}; si escribiste {written}, ponlo entre comillas"],
    )


def test_3_what_yaml_ate_deep_inside(small: Shop) -> None:
    small.system("---\ngolive_tenants:\n  a:\n    id: t\n    phone: +570000000001\n    on: 1\n")
    en, es = said(small)
    assert en == [
        f"{MORE}:3: golive_tenants.a: a key arrived as boolean true; if you wrote on, quote it",
        f"{MORE}:5: golive_tenants.a.phone arrived as number 570000000001; if you wrote +570000000001, quote it",
    ]
    assert es == [
        f"{MORE}:3: golive_tenants.a: una clave llegó como booleano true; si escribiste on, ponla entre comillas",
        f"{MORE}:5: golive_tenants.a.phone llegó como número 570000000001; si escribiste +570000000001, ponlo entre comillas",
    ]


def test_4_a_value_where_the_name_of_a_secret_is_due(small: Shop) -> None:
    small.system("---\nintegrations_providers:\n  stripe:\n    webhook: api:/webhooks/stripe\n    keys: {signing: whsec_9fPLANTED}\n")
    en, es = said(small)
    assert en == [
        f"{MORE}:5: integrations_providers.stripe.keys.signing looks like a value, wanted a name path#key. Rotate this secret: it is in your repository"
    ]
    assert es == [
        f"{MORE}:5: integrations_providers.stripe.keys.signing parece un valor; se esperaba un nombre ruta#clave. Cambia este secreto: está en tu repositorio"
    ]


@pytest.mark.parametrize("kind", ["sops", "aws", "doppler"])
def test_a_store_that_nobody_reads_is_told_which_are(small: Shop, kind: str) -> None:
    small.system(f"---\nenvironment_secrets_store: {{kind: {kind}}}\n")
    assert said(small)[0] == [f"{MORE}:2: environment_secrets_store.kind must be one of: openbao, vault, ansible_vault"]


def test_5_a_name_that_the_store_does_not_have(small: Shop) -> None:
    small.system(
        "---\nenvironment_secrets_store: {kind: openbao, url: 'https://ops1:8200', mount: comanda}\n"
        "environment_secrets_required: {worker: [DATABASE_URL, REDIS_URL], panel: [KEY]}\n"
        "integrations_providers:\n  stripe:\n    webhook: api:/webhooks/stripe\n    keys: {signing: 'api#STRIPE_SECRET'}\n"
    )
    asked: list[str] = []

    def names(path: str) -> set[str] | None:
        asked.append(path)
        return {"api": {"STRIPE_WEBHOOK_SECRET"}, "worker": {"DATABASE_URL", "REDIS_URL"}, "panel": set()}[path]

    en, es = said(small, secret_names=names)
    assert en == [
        f"{MORE}:3: environment_secrets_required.panel[0]: openbao comanda/panel does not exist or has no keys; wanted KEY",
        f"{MORE}:7: integrations_providers.stripe.keys.signing: openbao comanda/api has no key STRIPE_SECRET; it has STRIPE_WEBHOOK_SECRET",
    ]
    assert es[1] == f"{MORE}:7: integrations_providers.stripe.keys.signing: openbao comanda/api no tiene la clave STRIPE_SECRET; tiene STRIPE_WEBHOOK_SECRET"
    assert sorted(asked) == ["api", "api", "panel", "panel", "worker", "worker"], "each path is asked once a lint"
    assert small.lint(secret_names=lambda path: None) == [], "a store that cannot be asked is its own item's business"


@pytest.mark.parametrize(
    ("url", "code"),
    [("admin.comanda.test/login", "url"), ("http://api.comanda.test/x", "url_plain"), ("apii:/menu", "url"), ("ftp://x/y", "url")],
)
def test_6_an_address_of_another_form(small: Shop, url: str, code: str) -> None:
    small.system(f'---\noperations_roles_routes: "GET {url}"\n')
    en, es = said(small)
    plain_en, plain_es = (
        ("plain http is only for redirects and monitoring; ", "http sin cifrar solo vale para redirecciones y monitoreo; ") if code == "url_plain" else ("", "")
    )
    wanted = "admin:/…, api:/…, website:/…"
    assert en == [f"{MORE}:2: operations_roles_routes: {url}: {plain_en}wanted https://… or {wanted}"]
    assert es == [f"{MORE}:2: operations_roles_routes: {url}: {plain_es}se esperaba https://… o {wanted}"]


def test_6_plain_http_is_for_monitoring(small: Shop) -> None:
    small.system("---\nobservability_prometheus_url: http://vps1:9090\n")
    assert small.lint() == []


def test_7_nobody_answers(small: Shop) -> None:
    without(small, "golive_owner").system("---\nredis_owner: luis@comanda.example\n")
    en, es = said(small)
    sections = ", ".join(f"{name}_owner" for name in ["environment", "postgres", "observability", "security", "integrations", "operations", "acceptance"])
    assert en == [f"shop/group_vars/all/10_system.yml:1: 38 items have no owner: set golive_owner or {sections}"]
    assert es == [f"shop/group_vars/all/10_system.yml:1: 38 ítems no tienen responsable: define golive_owner o {sections}"]


def test_7_a_mailbox_that_nobody_declared(small: Shop) -> None:
    small.system("---\nsecurity_audit_owner: anna@comanda.example\nsecurity_rotation_owner: Ana@comanda.example\nredis_owner: ana\n")
    en, es = said(small)
    assert en == [
        f"{MORE}:2: security_audit_owner: nobody declared anna@comanda.example. Did you mean ana@comanda.example? "
        "Declare it in golive_owner, in a <section>_owner or in golive_people.",
        f"{MORE}:4: redis_owner: wanted a mailbox such as ana@comanda.example",
    ]
    assert es[0] == (
        f"{MORE}:2: security_audit_owner: nadie declaró a anna@comanda.example. ¿Quisiste decir ana@comanda.example? "
        "Decláralo en golive_owner, en un <sección>_owner o en golive_people."
    )
    small.system("---\nsecurity_audit_owner: anna@comanda.example\ngolive_people: [anna@comanda.example]\n")
    assert small.lint() == []


def test_9_names_that_nobody_provides(full: Shop) -> None:
    full.write(
        "group_vars/all/60_more.yml",
        "---\n"
        'security_rotation_jwks: {http: "GET api:/orders/{ordr}", as: onwer}\n'
        "observability_logs_request: {request: refnd}\n"
        "golive_retired: [{item: postgres.backup, reason: r, by: b, approver: a}]\n",
    )
    more = "shop/group_vars/all/60_more.yml"
    en, es = said(full)
    assert en[1].startswith(f"{more}:2: security_rotation_jwks.http: nobody provides {{ordr}}; known here: at, backup_at, before, cid, ")
    assert "order" in en[1].split("known here: ")[1].split(", ")
    assert es[1].startswith(f"{more}:2: security_rotation_jwks.http: nadie da {{ordr}}; aquí se conocen: at, backup_at, before, cid, ")
    assert [en[0], *en[2:]] == [
        f"{more}:2: security_rotation_jwks.as: no login is called onwer. Did you mean owner? Known here: anonymous, employee, other_owner, owner",
        f"{more}:3: observability_logs_request.request: no request is called refnd. Did you mean refund? "
        "Known here: close, menu, order, read_order, refund, set_hours",
        f"{more}:4: golive_retired[0].item: no item is called postgres.backup. Did you mean postgres.backups? "
        "Known here: postgres.migrations, postgres.backups, postgres.restore, postgres.retention, postgres.monitoring",
    ]
    assert es[0] == (
        f"{more}:2: security_rotation_jwks.as: ningún usuario de prueba se llama onwer. ¿Quisiste decir owner? "
        "Aquí se conocen: anonymous, employee, other_owner, owner"
    )


def test_10_files_that_ansible_passes_over(small: Shop) -> None:
    small.write("group_vars/postgress.yml", "---\n{}\n").write("group_vars/all.yml", "---\ngolive_preset: rails\n").write("host_vars/vps2.yml", "---\n{}\n")
    en, es = said(small)
    assert en == [
        "shop/group_vars/all.yml: shop/group_vars/all.yml is not read while all/ exists",
        "shop/group_vars/postgress.yml: shop/group_vars/postgress.yml belongs to no group; did you mean postgres?",
        "shop/host_vars/vps2.yml: shop/host_vars/vps2.yml belongs to no host; did you mean vps1?",
    ]
    assert es[:2] == [
        "shop/group_vars/all.yml: shop/group_vars/all.yml no se lee mientras exista all/",
        "shop/group_vars/postgress.yml: shop/group_vars/postgress.yml no pertenece a ningún grupo; ¿quisiste decir postgres?",
    ]


def test_10_a_key_written_twice(small: Shop) -> None:
    small.system("---\nredis_port: 6379\nredis_host: 127.0.0.1\ngolive_services: {api: {unit: a, unit: b}}\nredis_port: 6380\n")
    en, es = said(small)
    assert en == [f"{MORE}:4: golive_services.api.unit is written twice, lines 4 and 4", f"{MORE}:5: redis_port is written twice, lines 2 and 5"]
    assert es[1] == f"{MORE}:5: redis_port está escrito dos veces, líneas 2 y 5"


def test_10_a_variable_where_nobody_reads_it(full: Shop) -> None:
    full.write("group_vars/app.yml", "---\npostgres_port: 5433\n")
    en, es = said(full)
    assert en == ["shop/group_vars/app.yml:2: postgres_port is set on app1 but read on db1"]
    assert es == ["shop/group_vars/app.yml:2: postgres_port está en app1 pero se lee en db1"]


def test_10_two_sections_on_one_host(small: Shop) -> None:
    small.write("group_vars/postgres.yml", "---\nredis_port: 6380\npostgres_port: 5433\ngolive_environment: prod\n")
    en, es = said(small)
    file = "shop/group_vars/postgres.yml"
    assert en == [
        f"{file}:2: redis_port is not for {file}: only what is about postgres stands there. Put it into the group redis, or into all if it is shared",
        f"{file}:4: golive_environment is about the whole system and is set on postgres: write it in group_vars/all",
    ]
    assert es == [
        f"{file}:2: redis_port no es de {file}: ahí va solo lo de postgres. Ponla en el grupo redis, o en all si la comparten",
        f"{file}:4: golive_environment vale para todo el sistema y está en postgres: escríbela en group_vars/all",
    ]
