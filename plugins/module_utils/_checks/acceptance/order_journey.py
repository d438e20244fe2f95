# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journey that a restaurant lives on: a guest's message becomes a reply, an order, an event in the panel and a closed order, under one fresh id.

Several hosts take part: the probe acts and listens (:class:`JourneyAct`, :class:`JourneyFinish`), the host with the database looks for rows
(``_parts.DatabaseObservers``). The control node puts together what they saw, and :meth:`OrderJourney.judge` holds it against the limits.
"""

from __future__ import annotations

import typing as t
import uuid

from ansible_collections.resto.golive.plugins.module_utils import _inbound, _sessions
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance import journey_act, journey_plan, journey_rules
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance.journey_plan import STAGES, Ids
from ansible_collections.resto.golive.plugins.module_utils._parts import Part

_EXAMPLE = """acceptance_journey:
  inbound: {send: {whatsapp: "2 arepas {cid}"}, see: {sql: "select 1 from messages where cid = {cid}"}, within_s: 5}
  reply: {see: {provider: whatsapp, to: "{phone}", contains: "{cid}"}, within_s: 10}
  order: {see: {sql: "select id as order from orders where cid = {cid}"}, within_s: 10}
  panel: {see: {sse: "admin:/api/events", as: employee, contains: "{cid}"}, within_s: 5}
  close: {send: close, see: {provider: whatsapp, to: "{phone}", template: order_ready, contains: "{cid}"}, within_s: 30}
  clean: {undo: forget, see: {sql: "select cid from orders where cid like 'golive-%' and (cid = any({cids}) or created_at < {before})"}}"""

#: What the journey needs to know; all of it is said once for the whole system.
OPTIONS: dict[str, dict[str, t.Any]] = {
    "journey": {"type": "dict", "required": True, "variable": "acceptance_journey", "example": _EXAMPLE},
    "tenants_flag": {
        "type": "dict",
        "required": True,
        "variable": "golive_tenants_flag",
        "example": 'golive_tenants_flag: {sql: "select 1 from tenants where slug = {tenant} and is_test"}',
    },
    **_sessions.OPTIONS,
    **_inbound.OPTIONS,
}


class OrderJourney(Check):
    name = "order_journey"
    items = tuple(f"acceptance.e2e_{stage}" for stage in STAGES)
    vantage = "probe"
    impact = "active"
    proven_by = "staging"
    timeout_s = 150.0
    options = OPTIONS

    @classmethod
    def secrets_needed(cls, options: Options) -> t.Collection[str] | None:
        return journey_plan.secrets_needed(options)

    def observe(self, ctx: Context) -> dict[str, Json]:
        """The journey alone, without the other hosts: a module of its own has nobody to look into the database, and says so."""
        ids = Ids.of(uuid.uuid4().hex)
        given = {"ids": ids.as_dict(), "flagged": {}, "abandoned": [], "saved": {}, "rows": []}
        act = journey_act.guarded(journey_act.act, ctx.options, ctx.secrets, given)
        finish = journey_act.guarded(journey_act.finish, ctx.options, ctx.secrets, given) if "sent_at" in act else {"problem": act["problem"]}
        return {"act": act, "finish": finish, "sights": {}, "copied_at": act.get("copied_at")}

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        try:
            found = journey_plan.plan(options)
        except CannotKnow as problem:
            return [Assertion(problem.status, problem.code, problem.params, source="acceptance_journey", item=item) for item in self.items]
        return journey_rules.judge(seen, found)


class _OfTheProbe(Part):
    vantage = "probe"
    impact = "active"
    timeout_s = 75.0
    options = {**OPTIONS, "given": {"type": "dict", "default": {}}}
    secrets_needed = OrderJourney.secrets_needed


class JourneyAct(_OfTheProbe):
    """What the probe does in the audit's one run."""

    name = "order_journey_act"

    def observe(self, ctx: Context) -> dict[str, Json]:
        return journey_act.guarded(journey_act.act, ctx.options, ctx.secrets, ctx.options["given"])


class JourneyFinish(_OfTheProbe):
    """What the probe does in the short second run."""

    name = "order_journey_finish"

    def observe(self, ctx: Context) -> dict[str, Json]:
        return journey_act.guarded(journey_act.finish, ctx.options, ctx.secrets, ctx.options["given"])
