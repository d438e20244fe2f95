# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``runbook-restore``: how to restore for real, from the commands and the times of the last drill that passed. A pure function of golive.json.

What the drill fetched with says whose backups they are: restic's dumps, pgBackRest's files, or somebody else's, whose procedure is not ours to write.
A drill restores into a cage. Each of its commands is shown as it ran, beside the one of the real thing, with what differs. Where no drill passed there is
nothing to follow, and the page says so instead.
"""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils.report import drills, markdown, model, wording
from ansible_collections.resto.golive.plugins.plugin_utils.report.wording import PHASES

Json = t.Any
Drill = t.Mapping[str, Json]

_SAID = wording.load("runbook")
WORDS: wording.Table = _SAID["words"]
STEPS: list[dict[str, t.Any]] = _SAID["steps"]

ITEM = "postgres.restore"

#: Where a drill works: the scratch folder, and a folder of its own below it that is gone by now.
_CAGE = re.compile(r"(/[^\s=]*)/drill-[0-9a-f]{12}/(backup|work)")

#: How the drill reaches its copy: the real server is reached by its own socket.
_CONNECTION = frozenset({"--host", "--port", "--username"})

#: Lines of globals.sql that are left out, as in the drill (``cage.Copy``).
_LEFT_OUT = r"^(CREATE|ALTER) ROLE postgres\b|^(CREATE|ALTER|GRANT .* ON) TABLESPACE\b"

_SUMS = 'import json; [print(file["sha256"], "", name) for name, file in json.load(open("manifest.json"))["files"].items()]'


#: What an engine fetches with. Whatever else a drill began with is a command of the user's.
_PROGRAMS = {"dump": "restic", "pgbackrest": "pgbackrest"}


def _fetched_with(drill: Drill) -> list[str]:
    """Return the drill's own fetching command."""
    return next(([model.line(word) for word in step.get("argv") or ()] for step in drill["steps"] if step.get("phase") == "fetch"), [])


class Place:
    """What the real thing is called, read from the drill's own commands."""

    def __init__(self, drill: Drill, environment: str) -> None:
        words = [model.line(word) for step in drill["steps"] for word in step.get("argv") or ()]
        found = next((match for word in words if (match := _CAGE.search(word))), None)
        self.folder = f"{found[1] if found else '/var/lib/golive'}/restore"
        self.database = model.line(drill.get("database")) or "DATABASE"
        version = drill.get("server_version")
        self.major = str(version // 10000) if isinstance(version, int) else "VERSION"
        self.port = "5432"
        self.password_file = words[words.index("--password-file") + 1] if "--password-file" in words[:-1] else "?"
        self.repository = words[words.index("--repo") + 1] if "--repo" in words[:-1] else "?"
        self.environment_file = f"{self.password_file.rpartition('/')[0]}/backup.environment"
        self.data = f"/var/lib/postgresql/{self.major}/main"
        self.settings = [word.partition("=")[2] for word in words if word.startswith(("--config=", "--config-include-path="))][:2]
        self.engine = next((engine for engine, program in _PROGRAMS.items() if program in _fetched_with(drill)[:1]), "theirs")
        self.command = f"ansible-playbook golive.yml -i {environment} -t postgres"

    def program(self, name: str) -> str:
        return f"/usr/lib/postgresql/{self.major}/bin/{name}"


def spanish(report: model.Report) -> str:
    return _runbook(report, "es")


def english(report: model.Report) -> str:
    return _runbook(report, "en")


def _runbook(report: model.Report, language: str) -> str:
    environment = model.line(report["environment"])
    lines = [f"# {_say('title', language, environment=environment)}", ""]
    by_host = drills.by_host(report)
    if not by_host:
        lines += _not_ready(report, model.say(WORDS["nowhere"], language), None, language)
    for host, done in by_host.items():
        lines += [f"## {markdown.escape(host)}", ""] if len(by_host) > 1 else []
        good = next((drill for drill in reversed(done) if drill.get("status") == "pass" and drill.get("steps")), None)
        lines += _not_ready(report, host, done[-1], language) if good is None else _ready(report, host, good, done[-1], language)
    return "\n".join(lines) + "\n"


def _say(name: str, language: str, **fields: Json) -> str:
    return _filled(WORDS[name], language, **fields)


def _filled(text: t.Mapping[str, str], language: str, **fields: Json) -> str:
    """Return a text with its fields, as Markdown that shows exactly it."""
    return markdown.escape(text[language].format(**{name: model.line(value).replace("`", "'") for name, value in fields.items()}))


def _not_ready(report: model.Report, host: str, last: Drill | None, language: str) -> list[str]:
    lines = [f"> **{_say('not_ready', language, host=host)}**", ""]
    if last is not None:
        lines += [_say("last_told", language, at=model.when(last.get("at")), reason=model.reason_of(last, language)), ""]
    again = f"ansible-playbook resto.golive.restore_drill -i {model.line(report['environment'])}"
    return [*lines, _say("get_ready", language), *markdown.fenced(again, "", "sh")]


def _ready(report: model.Report, host: str, drill: Drill, last: Drill, language: str) -> list[str]:
    place = Place(drill, model.line(report["environment"]))
    if place.engine == "theirs":
        told = [f"## {_say('theirs', language)}", "", _say("theirs_how", language, host=host), "", *_as_it_ran(drill["steps"], language)]
        return [*_banner(report, drill, last, place, language), *_times(drill, language), *told]
    return [
        *_banner(report, drill, last, place, language),
        *_times(drill, language),
        f"## {_say('before', language)}",
        "",
        f"1. {_say('decide', language)}",
        f"2. {_say('lost', language, minutes=drill.get('rpo_min'), promised=drill.get('rpo_limit_min'))}",
        f"3. {_say('where', language, host=host)}",
        f"4. {_new_machine(place, language)}",
        "",
        *_steps(drill, place, language),
        *_some(drill, place, language),
    ]


def _banner(report: model.Report, drill: Drill, last: Drill, place: Place, language: str) -> list[str]:
    """What is proven first; then whatever speaks against relying on it."""
    good = model.when(drill.get("at"))
    told = {name: drill.get(name) for name in ("backup", "tables", "rows", "invariants")}
    proven = "came_back" if place.engine == "theirs" else "proven"
    took, promised = drills.duration(drill.get("rto_s")), drills.duration((drill.get("rto_limit_min") or 0) * 60)
    lines = [f"> **{_say(proven, language, at=good, size=drills.size(drill.get('bytes')), took=took, promised=promised, **told)}**"]
    if last is not drill:
        lines += [">", f"> **{_say('since', language, at=model.when(last.get('at')), reason=model.reason_of(last, language), good=good)}**"]
    item = next((item for item in report["items"] if item["id"] == ITEM), None)
    if item is not None and not model.is_ticked(item) and last is drill:
        reason = model.reason_of(item, language)
        lines += [">", f"> **{_say('stale', language, item=model.say(item['title'], language), reason=reason)}**"]
    return [*lines, "", _say("written", language, at=model.when(report["generated_at"])), ""]


def _times(drill: Drill, language: str) -> list[str]:
    lines = [f"## {_say('times', language)}", "", f"| {_say('phase', language)} | {_say('measured', language)} |", "|---|---|"]
    lines += [f"| {PHASES[name][language]} | {drills.duration(seconds)} |" for name, seconds in drills.phases(drill)]
    lines += [f"| **{_say('together', language)}** | **{drills.duration(drill.get('rto_s'))}** |", ""]
    twice = drill.get("twice_the_size")
    if isinstance(twice, t.Mapping):
        fields = {"p50": drills.duration(twice.get("p50_s")), "p90": drills.duration(twice.get("p90_s")), "runs": twice.get("runs")}
        lines += [_say("twice", language, **fields)]
    else:
        lines += [_say("no_twice", language)]
    lines += [_say("tuned", language)] if drill.get("settings") == "tuned" else []
    return [*lines, _say("human", language), ""]


def _new_machine(place: Place, language: str) -> str:
    packages = f"postgresql-{place.major} {_PROGRAMS[place.engine]}"
    if place.engine == "pgbackrest":
        return _say("new_machine_files", language, packages=packages, settings=" + ".join(place.settings))
    secrets = " + ".join([place.password_file, *([place.environment_file] if _keys(place) else [])])
    return _say("new_machine", language, packages=packages, password_file=secrets, repository=place.repository)


def steps_of(engine: str) -> list[dict[str, t.Any]]:
    """Return the steps of the real thing, of this engine's backups."""
    return [step for step in STEPS if step.get("engine", engine) == engine]


def _steps(drill: Drill, place: Place, language: str) -> list[str]:
    """Every step of the real thing, and then those of the drill that none of them repeats: nothing that was done is kept quiet."""
    lines = []
    left = list(drill["steps"])
    for number, wanted in enumerate(steps_of(place.engine), start=1):
        mine = [step for step in left if step.get("phase") in wanted["phases"]]
        left = [step for step in left if step not in mine]
        lines += [f"## {number}. {wanted['title'][language]}", *markdown.fenced("\n".join(_real(wanted["name"], mine, place)), "", "sh")]
        lines += [f"**{_say('differs', language)}:** {_filled(wanted['differs'], language, port=place.port, command=place.command)}", ""]
        lines += _as_it_ran(mine, language) if wanted["phases"] else [_say("no_drill", language), ""]
    return lines + ([_say("unknown", language), "", *_as_it_ran(left, language)] if left else [])


def _as_it_ran(steps: t.Sequence[Drill], language: str) -> list[str]:
    if not steps:
        return []
    took = drills.duration(sum(step["seconds"] for step in steps if isinstance(step.get("seconds"), (int, float))))
    return [_say("drill", language, took=took), *markdown.fenced("\n".join(_words(step.get("argv") or ()) for step in steps), "", "sh")]


def _real(name: str, steps: t.Sequence[Drill], place: Place) -> list[str]:
    """Return the commands of the real thing."""
    data = f"{place.major} main"
    if name in _FIXED:
        return [line.format(data=data, major=place.major, folder=shlex.quote(place.folder)) for line in _FIXED[name]]
    real = _REAL[place.engine]
    commands = [
        command for step in steps for command in real.get(str(step.get("phase")), _as_postgres)([model.line(word) for word in step.get("argv") or ()], place)
    ]
    return [line.format(data=data, folder=shlex.quote(place.folder)) for line in _BEFORE.get(name, ())] + commands


#: Steps of which the drill has none, as there is nothing live in a cage.
_FIXED = {
    "stop": ("systemctl stop APP API WORKER",),
    "aside": ("pg_ctlcluster {data} stop", "pg_renamecluster {data} damaged", "echo manual > /etc/postgresql/{major}/damaged/start.conf"),
    "start": (
        "cp -a /etc/postgresql/{major}/damaged/pg_hba.conf /etc/postgresql/{major}/damaged/conf.d /etc/postgresql/{major}/main/",
        "pg_ctlcluster {data} start",
    ),
    "open": ("systemctl start APP API WORKER", "systemctl start golive-backup"),
    "tidy": ("rm -r {folder}", "pg_dropcluster {major} damaged"),
    "aside_files": (
        "pg_ctlcluster {data} stop",
        "mv /var/lib/postgresql/{major}/main /var/lib/postgresql/{major}/damaged",
        "install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/{major}/main",
    ),
    "recover": (
        "pg_ctlcluster {data} start",
        "until runuser -u postgres -- psql -Atc 'select pg_is_in_recovery()' | grep -qx f; do sleep 5; done",
    ),
    "tidy_files": ("rm -r /var/lib/postgresql/{major}/damaged",),
}

#: What goes before a step's own commands.
_BEFORE = {"fetch": ("install -d -o golive_backup -g golive_backup -m 0700 {folder}",)}

_BACKUP_USER, _SERVER_USER = ("runuser", "-u", "golive_backup", "--"), ("runuser", "-u", "postgres", "--")


def _fetch(argv: list[str], place: Place) -> list[str]:
    """Choose a snapshot, fetch it, hand it to postgres. The drill took the newest; after damage that may be the wrong one.

    Without a lock: what a lost host left locked must not stand in the way, and who stopped the cluster has nothing pruned meanwhile.
    """
    if argv[:1] != ["restic"] or "restore" not in argv:
        return _as_postgres(argv, place)
    begin = _words([*_BACKUP_USER, *argv[: argv.index("restore")]])
    fetch = f"{begin} restore --no-lock SNAPSHOT {_words(['--target', place.folder, '--verify'])}"
    return [*_keys(place), f"{begin} snapshots --tag=golive", fetch, f"chown -R postgres: {shlex.quote(place.folder)}"]


def _keys(place: Place) -> list[str]:
    """An object store is opened with two keys more, which the job has in a file beside the password's and restic takes from its environment alone."""
    return [f"set -a; . {shlex.quote(place.environment_file)}; set +a"] if place.repository.startswith("s3:") else []


def _check(argv: list[str], place: Place) -> list[str]:
    return [f"(cd {shlex.quote(place.folder)} && python3 -c {shlex.quote(_SUMS)} | sha256sum --check --quiet)", *_as_postgres(argv, place)]


def _initdb(argv: list[str], place: Place) -> list[str]:
    locale = [word for word in argv if word.startswith(("--lc-", "--encoding="))]
    sums = ["--", "--data-checksums"] if "--data-checksums" in argv else []
    return [_words(["pg_createcluster", place.major, "main", f"--port={place.port}", *locale, *sums])]


def _globals(argv: list[str], place: Place) -> list[str]:
    psql = [word for word in _without_the_cage(argv, place) if not word.startswith("--file=")]
    return [f"grep -vE {shlex.quote(_LEFT_OUT)} {shlex.quote(place.folder + '/globals.sql')} | {_words([*_SERVER_USER, *psql])}"]


def _verify(argv: list[str], place: Place) -> list[str]:
    """The schema against the one of the backup, without what every dump has of its own: comments, blank lines, and the token of psql's restricted mode."""
    (asked,) = _as_postgres(argv, place)
    if argv[:2] != ["pg_dump", "--schema-only"]:
        return [asked]
    kept = r"grep -vE '^(--|\\(un)?restrict |$)'"
    return [f"diff <({kept} {shlex.quote(place.folder + '/schema.sql')}) <({asked} | {kept})"]


def _as_postgres(argv: list[str], place: Place) -> list[str]:
    return [_words([*_SERVER_USER, *_without_the_cage(argv, place)])]


#: Words of a drill that keep it apart from the live cluster: the real thing is the live cluster.
_APART = ("--pg1-path=", "--tablespace-map-all=", "--lock-path=", "--log-level-", "--set=", "--archive-mode=", "--job-retry")

#: Until when, where somebody's mistake must not be repeated. Without these words it is until the last commit that was archived.
_MOMENT = ("--type=time", "--target=YYYY-MM-DD HH:MM:SS+00", "--target-action=promote")


def _pgbackrest(argv: list[str], data: str, *more: str) -> list[str]:
    kept = [word for word in argv[:-1] if not word.startswith(_APART)]
    return [_words([*_SERVER_USER, *kept, f"--pg1-path={data}", *more, *_MOMENT, argv[-1]])]


def _fetch_files(argv: list[str], place: Place) -> list[str]:
    if argv[:1] != ["pgbackrest"]:
        return _as_postgres(argv, place)
    seen = [word for word in argv[:-1] if not word.startswith(_APART)]
    return [_words([*_SERVER_USER, *seen, "info"]), *_pgbackrest(argv, place.data)]


def _amcheck(argv: list[str], place: Place) -> list[str]:
    """Of what the drill looked at, what can be looked at in a server that runs."""
    return _as_postgres(argv, place) if argv[:1] == ["pg_amcheck"] else []


_REAL: dict[str, dict[str, t.Callable[[list[str], Place], list[str]]]] = {
    "dump": {"fetch": _fetch, "check": _check, "initdb": _initdb, "globals": _globals, "verify": _verify},
    "pgbackrest": {"fetch": _fetch_files, "verify": _amcheck, "structure": _amcheck},
}


def _without_the_cage(argv: list[str], place: Place) -> list[str]:
    """Return a command of the drill as it is given to the real server: its program by its place, the restored folder, and no connection of the cage's."""
    words, skip = [], False
    for word in argv[1:]:
        if skip or word in _CONNECTION:
            skip = not skip
            continue
        words.append(_CAGE.sub(place.folder, word))
    return [place.program(argv[0]), *words] if argv else []


def _words(argv: t.Sequence[Json]) -> str:
    return shlex.join(model.line(word) for word in argv)


def _some(drill: Drill, place: Place, language: str) -> list[str]:
    """Beside the live data: another database of the same server."""
    title = {step["name"]: step["title"][language] for step in STEPS}
    if place.engine == "pgbackrest":
        aside = f"{place.folder}/pg"
        make = _words(["install", "-d", "-o", "postgres", "-g", "postgres", "-m", "0700", place.folder, aside])
        commands = [make, *_pgbackrest(_fetched_with(drill), aside, "--archive-mode=off", f"--tablespace-map-all={place.folder}/ts")]
        how = _say("some_how_files", language, start=title["recover"], size=drills.size(drill.get("bytes")))
        return [f"## {_say('some', language)}", "", how, *markdown.fenced("\n".join(commands), "", "sh")]
    other = f"{place.database}_restored"
    restore = next((step for step in drill["steps"] if step.get("phase") == "restore"), {"argv": ["pg_restore"]})
    argv = [word for word in map(model.line, restore["argv"]) if word != "--create"]
    argv = [f"--dbname={other}" if word.startswith("--dbname=") else word for word in argv]
    commands = [_words([*_SERVER_USER, "createdb", "--template=template0", other]), *_as_postgres(argv, place)]
    how = _say("some_how", language, fetch=title["fetch"], check=title["check"], size=drills.size(drill.get("bytes")))
    return [f"## {_say('some', language)}", "", how, *markdown.fenced("\n".join(commands), "", "sh")]
