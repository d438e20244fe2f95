# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup and the restore drill on a cluster of their own, against PostgreSQL's bare programs with the same options; and what memory our part takes.

The lab is not asked: its database is small.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._pgbackup import cage, dump, files, job, manifest, programs
from ansible_collections.resto.golive.tests.bench.measure import median_s, ratio, rounds
from ansible_collections.resto.golive.tests.bench.table import Floor, Row, number, seconds
from ansible_collections.resto.golive.tests.integration.postgres_server import USER, Cluster, binaries, cluster

#: Orders: about 1 GB a million of them.
SMALL, LARGE = 100_000, 1_000_000
TIMES = 3

#: A shop's tables, with the keys and indexes that one has: a restore is mostly these.
SHOP = (
    "create table orders (id bigserial primary key, tenant int not null, created_at timestamptz not null, state text not null, body jsonb not null)",
    "create table items (id bigserial primary key, order_id bigint not null references orders, sku text not null, quantity int not null, amount int not null)",
    "create table payments (id bigserial primary key, order_id bigint not null references orders, provider_id text not null unique, amount int not null,"
    " created_at timestamptz not null)",
    "insert into orders (tenant, created_at, state, body) select i % 50, now() - i * interval '1 minute', 'closed',"
    " jsonb_build_object('guest', md5(i::text), 'table', i % 40, 'note', repeat('sin cebolla ', i % 5)) from generate_series(1, {orders}) i",
    "insert into items (order_id, sku, quantity, amount) select 1 + i / 3, 'SKU-' || i % 700, 1 + i % 4, i % 9000 from generate_series(0, {orders} * 3 - 1) i",
    "insert into payments (order_id, provider_id, amount, created_at) select i, 'pi_' || md5(i::text), i % 9000, now() - i * interval '1 minute'"
    " from generate_series(1, {orders}) i",
    "create index on orders (tenant, created_at)",
    "create index on orders using gin (body)",
    "create index on items (order_id)",
    "create index on items (sku)",
    "create index on payments (order_id)",
    "create index on payments (created_at)",
    "analyze",
)

ROLE = (
    "create role golive_backup login bypassrls",
    "grant pg_read_all_data, pg_monitor to golive_backup",
    "grant select on pg_catalog.pg_authid to golive_backup",
)

#: One backup, or one drill of it, in a process of its own that tells how much memory it took at most, in kilobytes. By its own address space: what
#: getrusage(2) tells begins with what the bench itself had when it started that process.
ALONE = (
    "import json, sys; from {package} import cage, job; {act}(json.load(open(sys.argv[1])));"
    " print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
)
PACKAGE = cage.__name__.rpartition(".")[0]


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="golive-bench-") as folder, cluster() as server:
        server.stop()
        server.start("max_wal_size=8GB", "checkpoint_timeout=1h")
        server.sql(*ROLE)
        home = pathlib.Path(folder)
        small, large = (filled(server, home, orders) for orders in (SMALL, LARGE))
        server.sql("checkpoint")
        return [backup(server, large), *restore(server, large), *memory(server, small, large)]


def filled(server: Cluster, home: pathlib.Path, orders: int) -> dict[str, t.Any]:
    """Make a database of so many orders and return the job's configuration for it."""
    name = f"bench{orders}"
    server.sql(f"create database {name}")
    server.sql(*(statement.format(orders=orders) for statement in SHOP), database=name)
    (home / name).mkdir(mode=0o700)
    connection = {"host": str(server.sockets), "port": 5432, "user": "golive_backup"}
    return {"name": "bench", "database": name, "directory": str(home / name), "connection": connection, "jobs": 2}


def megabytes(server: Cluster, config: t.Mapping[str, t.Any]) -> str:
    return f"{server.value('select pg_database_size(current_database())', config['database']) / 1e6:.0f} MB"


def newest(config: t.Mapping[str, t.Any]) -> pathlib.Path:
    directory = pathlib.Path(config["directory"])
    return directory / files.listed(directory)[0]


def backup(server: Cluster, config: dict[str, t.Any]) -> Row:
    def ours() -> None:
        for name in files.listed(pathlib.Path(config["directory"])):
            shutil.rmtree(pathlib.Path(config["directory"]) / name)
        if not job.back_up(config)["ok"]:
            sys.exit("the backup failed")

    compressed = dump.compression(programs.version(binaries() / "pg_dump"))

    def bare() -> None:
        where, _more = dump.arguments(config)
        with tempfile.TemporaryDirectory(dir=config["directory"]) as place:
            argv = [binaries() / "pg_dump", *where, "--format=directory", "--jobs=2", compressed, f"--file={place}/dump"]
            subprocess.run([str(word) for word in argv], check=True)
        with dump.connect(config) as session:
            manifest.pin(session)
            manifest.content(session)

    seen = rounds(TIMES, ours=ours, bare=bare)
    what = f"postgres: backup of {megabytes(server, config)}; bare `pg_dump -Fd -j2`, then the manifest's own queries"
    return Row(what, seconds(median_s(seen["ours"])), seconds(median_s(seen["bare"])), ratio(seen["ours"], seen["bare"]), Floor(at_most=1.10))


class Bare(cage.Copy):
    """The same cluster with the same settings, and nothing but ``pg_restore`` on it."""

    def took_s(self) -> float:
        try:
            self._check_files()
            self._begin()
            self._start()
            self._roles()
            clock = time.monotonic()
            self._restore()
            return time.monotonic() - clock
        finally:
            self._stop()


class Counted(cage.Copy):
    """The drill as it is, which also tells the processor seconds of its phases: what else the machine does moves a clock more than these."""

    def __init__(self, plan: cage.Plan) -> None:
        super().__init__(plan)
        self.processor_s: dict[str, float] = {}

    def rehearse(self) -> dict[str, t.Any]:
        return {**super().rehearse(), "processor_s": self.processor_s}

    @contextlib.contextmanager
    def _phase(self, name: str) -> t.Iterator[None]:
        before = self._spent()
        with super()._phase(name):
            yield
        time.sleep(0.2)  # a session that was closed is counted when its process has ended
        self.processor_s[name] = self._spent() - before

    def _spent(self) -> float:
        """Return the processor seconds of this process, of its programs, and of the server's sessions, each when it has ended."""
        ours = sum(os.times()[:4])
        if self.server is None:
            return ours
        told = pathlib.Path(f"/proc/{self.server.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return ours + sum(map(int, told[11:15])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def planned(server: Cluster, config: t.Mapping[str, t.Any]) -> t.Iterator[dict[str, t.Any]]:
    """Lend the plan of a drill of the newest backup, in a folder of the copy's user."""
    home = server.home / "drill"
    shutil.copytree(newest(config), home / "backup")
    (home / "work").mkdir()
    if USER:
        for folder, _folders, names in os.walk(home):
            for name in (".", *names):
                shutil.chown(pathlib.Path(folder) / name, USER)
    try:
        yield {"home": str(home / "work"), "backup": str(home / "backup"), "jobs": 2, "settings": "tuned", "memory_mb": 1536, "user": USER, "caged": False}
    finally:
        shutil.rmtree(home)


def restore(server: Cluster, config: dict[str, t.Any]) -> list[Row]:
    ours, bare, processor = [], [], []
    for _round in range(TIMES):
        with planned(server, config) as plan:
            seen = cage.rehearse(plan, Counted)
            if seen["verdict"] != "pass":
                sys.exit(f"the drill did not pass: {seen}")
            ours.append(seen["phases"])
            processor.append(seen["processor_s"])
            print("drill:", json.dumps([seen["phases"], seen["processor_s"], os.getloadavg()[0]]), file=sys.stderr, flush=True)
        with planned(server, config) as plan:
            bare.append(Bare(plan).took_s())
    phase = [phases["restore"] for phases in ours]
    begin = [phases["start"] for phases in ours]
    share = [phases["verify"] / phases["restore"] for phases in ours]
    size = megabytes(server, config)
    return [
        Row(
            f"postgres: the drill's restore of {size}; bare `pg_restore -j2` on the same tuned cluster",
            seconds(statistics.median(phase)),
            seconds(statistics.median(bare)),
            statistics.median(one / other for one, other in zip(phase, bare, strict=True)),
            Floor(at_most=1.10),
        ),
        Row(
            f"postgres: what comes before it in the drill of {size} (initdb, start, roles); its restore",
            seconds(statistics.median(begin)),
            seconds(statistics.median(phase)),
            statistics.median(one / other for one, other in zip(begin, phase, strict=True)),
        ),
        Row(
            f"postgres: verification of {size}; its restore",
            seconds(statistics.median(phases["verify"] for phases in ours)),
            seconds(statistics.median(phase)),
            statistics.median(share),
            Floor(at_most=0.25),
        ),
        Row(
            f"postgres: the same, in processor seconds of all processes ({size})",
            seconds(statistics.median(one["verify"] for one in processor)),
            seconds(statistics.median(one["restore"] for one in processor)),
            statistics.median(one["verify"] / one["restore"] for one in processor),
            Floor(at_most=0.25),
        ),
    ]


def memory(server: Cluster, *configs: dict[str, t.Any]) -> list[Row]:
    """What our own process takes at most; PostgreSQL's programs are its children and have their own."""
    taken: dict[str, list[float]] = {"job.back_up": [], "cage.rehearse": []}
    for config in configs:
        taken["job.back_up"].append(alone("job.back_up", config))
        with planned(server, config) as plan:
            taken["cage.rehearse"].append(alone("cage.rehearse", plan))
    sizes = " and of ".join(megabytes(server, config) for config in configs)
    names = {"job.back_up": "backup", "cage.rehearse": "drill"}
    return [
        Row(f"postgres: memory of our {names[act]} of {sizes}", f"{number(most[-1])} MB", f"{number(most[0])} MB", most[-1], Floor(at_most=100), "MB")
        for act, most in taken.items()
    ]


def alone(act: str, given: t.Mapping[str, t.Any]) -> float:
    """Return the megabytes that one backup or drill took at most in a process of its own."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as told:
        json.dump(given, told)
        told.flush()
        argv = [sys.executable, "-c", ALONE.format(package=PACKAGE, act=act), told.name]
        done = subprocess.run(argv, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    return int(done.stdout.split()[-1]) / 1024
