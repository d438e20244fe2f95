# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life cycle that every check shares: observe, judge, and, when asked to, fix and look again.

Check classes live in ``_checks/<section>/<check>.py`` and know nothing of threads, deadlines, Ansible or the ledger.
The runner (``_runner.py``) calls :func:`run_target`; nobody else does.
"""

from __future__ import annotations

import dataclasses
import traceback
import typing as t

#: Rows are compared with this order everywhere: the later in the list, the worse.
STATUSES = ("not_applicable", "pass", "warn", "not_run", "error", "unreachable", "fail")

Json = t.Any
Options = t.Mapping[str, t.Any]


def worst(statuses: t.Iterable[str]) -> str:
    """Return the worst of *statuses*; nothing at all is an ``error``, never a pass."""
    return max(statuses, key=STATUSES.index, default="error")


#: What is left of an excerpt, in characters: evidence is no archive.
EXCERPT_MOST = 2048


@dataclasses.dataclass(frozen=True)
class Assertion:
    """One thing that was looked at.

    ``code`` names a text in ``plugin_utils/messages`` (``<check>.<code>`` or, for shared ones, ``common.<code>``);
    ``params`` are what that text's braces take. ``source`` says where it was seen (a command, a URL, a key), without secrets.
    ``item`` is needed only by checks that prove several items.
    """

    status: str
    code: str
    params: t.Mapping[str, Json] = dataclasses.field(default_factory=dict)
    expected: Json = None
    observed: Json = None
    source: str = ""
    excerpt: str = ""
    item: str = ""

    def evidence(self) -> dict[str, Json]:
        return {
            "kind": "assertion",
            "source": self.source,
            "assertion": self.code,
            "status": self.status,
            "params": dict(self.params),
            "expected": self.expected,
            "observed": self.observed,
            "excerpt": self.excerpt[:EXCERPT_MOST],
        }


class CannotKnow(Exception):
    """Raised by ``observe`` or ``remediate`` when nothing can be said: no route, no rights, no library, an odd answer.

    ``status`` is ``error`` or ``unreachable``; ``code`` and ``params`` name the text that says what to do.
    """

    def __init__(self, code: str, status: str = "error", **params: Json) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.params = params


class Context(t.Protocol):
    """What the runner hands to a check. Values in ``secrets`` never leave it."""

    options: Options
    secrets: t.Mapping[str, str]
    target: str
    timeout_s: float

    def run(
        self,
        argv: t.Sequence[str],
        *,
        timeout_s: float | None = None,
        stdin: str | None = None,
        env: t.Mapping[str, str] | None = None,
        cwd: str | None = None,
        ok: t.Collection[int] | None = (0,),
    ) -> Completed:
        """Run a child in its own session with its own output, ``LC_ALL=C`` and a deadline.

        Raises :class:`CannotKnow` ``common.command_missing``, ``common.timeout`` or, where the return code is not in *ok*, ``common.command_failed``.
        """

    def shared(self, key: str, make: t.Callable[[], t.Any]) -> t.Any:
        """Return what *make* returned the first time in this run: one snapshot for all checks of this host and OS user."""


@dataclasses.dataclass(frozen=True)
class Completed:
    rc: int
    stdout: str
    stderr: str


class Check:
    """A check: one small class in a file of its own, named like its module.

    Class attributes, all data:

    * ``name``: the module's name; ``items``: ids of the items that it proves; ``revision``: part of the basis, raised when the judgement changes.
    * ``vantage``: the inventory group on whose hosts it runs, ``probe`` (outside; the control node where none is declared) or ``control``.
    * ``impact``: ``passive``, ``active`` or ``disruptive``. ``drill``: it acts, so it runs in the drills. ``alone``: it disturbs others:
      last, when all hosts are done, and by itself, one target of each :meth:`lane` at a time.
    * ``runs_as``: OS user that the work needs (``root``, ``postgres``); empty: whoever the module runs as.
    * ``timeout_s``: deadline of one target, in seconds. ``proven_by``: ``each`` or ``staging``.
    * ``options``: argument spec entries with six keys more: ``widest`` (``item``, ``section`` or ``all``: the widest variable that may supply it) or
      ``variable`` (the one variable of the whole system or of another section that supplies it), ``secret`` (the value is a name in the store, resolved by
      the control node), ``secrets`` (where such names are inside a dictionary: ``("*.password",)``), ``example`` (the lines to paste when it is missing),
      ``required_with`` (``{another option: the values with which this one must be declared}``).
    """

    name: t.ClassVar[str]
    items: t.ClassVar[tuple[str, ...]]
    revision: t.ClassVar[int] = 1
    vantage: t.ClassVar[str]
    impact: t.ClassVar[str] = "passive"
    drill: t.ClassVar[bool] = False
    alone: t.ClassVar[bool] = False
    runs_as: t.ClassVar[str] = ""
    timeout_s: t.ClassVar[float] = 30.0
    proven_by: t.ClassVar[str] = "each"
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {}

    @classmethod
    def targets(cls, options: Options) -> list[tuple[str, str]]:
        """Return ``(kind, name)`` of what is looked at, from the declared options alone: the manifest is written before anything runs.

        An empty list means that this host itself is the target.
        """
        return []

    @classmethod
    def wanted(cls, options: Options, *, hosts: bool) -> bool:
        """Return whether these options leave anything to look at; *hosts* says whether the inventory has a host to look from. What is not wanted has no row:
        say no only where another check of the same items proves what this one would, and where dropping it is a declaration."""
        return True

    @classmethod
    def lane(cls, target: str, options: Options) -> str:
        """Return what a target of a check that runs ``alone`` shares with those that it must never be looked at beside. Targets of different lanes are looked
        at side by side, in one worker, and see to it themselves that only one of them acts at a time."""
        return ""

    @classmethod
    def secrets_needed(cls, options: Options) -> t.Collection[str] | None:
        """Return the places of the secrets that these options really need (``logins.owner.password``), or None for all that they name."""
        return None

    def observe(self, ctx: Context) -> dict[str, Json]:
        """Look at ``ctx.target`` and return plain JSON. Changes nothing. Raises :class:`CannotKnow`."""
        raise CannotKnow("common.no_observation", check=self.name)

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        """Hold what was seen against the options. Pure: no clock (``seen`` carries the time), no I/O."""
        return []

    def remediate(self, ctx: Context, seen: dict[str, Json]) -> list[str]:
        """Mend what ``observe`` saw; return what was changed, one line each, without secrets. Never called in check mode."""
        return []

    #: Whether ``remediate`` does anything: without it, ``fix: true`` is refused.
    fixes: t.ClassVar[bool] = False


@dataclasses.dataclass
class Outcome:
    """What one (check, target) came to: one list of assertions for each item, and what a fix changed."""

    assertions: dict[str, list[Assertion]]
    changes: list[str] = dataclasses.field(default_factory=list)
    would_change: bool = False


def cannot_know(check: type[Check], problem: CannotKnow) -> dict[str, list[Assertion]]:
    """Return the rows of a check that could not find out: the same assertion for each of its items."""
    return {item: [Assertion(problem.status, problem.code, problem.params, source=check.name)] for item in check.items}


def crashed(check: type[Check], crash: Exception) -> CannotKnow:
    """Return what is known of a check that raised what it should not have."""
    where = traceback.extract_tb(crash.__traceback__)[-1]
    return CannotKnow("common.crash", check=check.name, error=type(crash).__name__, message=str(crash)[:300], where=f"{where.name}:{where.lineno}")


def assess(check: Check, ctx: Context) -> tuple[dict[str, Json] | None, dict[str, list[Assertion]]]:
    """Observe and judge once."""
    try:
        seen = check.observe(ctx)
    except CannotKnow as problem:
        return None, cannot_know(type(check), problem)
    return seen, judged(check, seen, ctx.options)


def judged(check: Check, seen: dict[str, Json], options: Options) -> dict[str, list[Assertion]]:
    """Judge what was seen, by item. An item about which nothing is asserted is an ``error``."""
    by_item: dict[str, list[Assertion]] = {item: [] for item in check.items}
    for assertion in check.judge(seen, options):
        by_item[assertion.item or check.items[0]].append(assertion)
    for assertions in by_item.values():
        if not assertions:
            assertions.append(Assertion("error", "common.zero_assertions", {"check": check.name}, source=check.name))
    return by_item


def run_target(check: Check, ctx: Context, *, fix: bool = False, check_mode: bool = False) -> Outcome:
    """The whole life of one (check, target). Under check mode whatever does more than look does nothing: the door skips it, and here it would say so."""
    if check_mode and check.impact != "passive":
        return Outcome(cannot_know(type(check), CannotKnow("common.acts", check=check.name)))
    seen, before = assess(check, ctx)
    healthy = all(a.status == "pass" for assertions in before.values() for a in assertions)
    if not fix or healthy or seen is None:
        return Outcome(before)
    if check_mode:
        return Outcome(before, would_change=True)
    try:
        changes = check.remediate(ctx, seen)
    except CannotKnow as problem:
        return Outcome(cannot_know(type(check), problem))
    return Outcome(assess(check, ctx)[1], changes)
