# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The migrations that a release carries, read from its repository: by their tool's own naming, without running any of its code.

Each comes with what the database can be held against (id, what it follows, checksum) and, where it is SQL, with what squawk says of it.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import typing as t
import zlib

Json = t.Any

#: Folders that hold other people's code.
FOREIGN = frozenset({"node_modules", "vendor", ".git", ".venv", "venv", "site-packages", "tests", "test"})


class Unreadable(Exception):
    """The repository cannot be read, or says nothing; ``str()`` says which and why."""


@dataclasses.dataclass
class Migration:
    """``sql`` is what it runs, and ``down`` what takes it back, as far as they can be told without running anything; None: they cannot."""

    id: str
    path: str
    after: list[str] = dataclasses.field(default_factory=list)
    checksum: str = ""
    sql: str | None = None
    down: str | None = None


def read(root: pathlib.Path, tool: str = "") -> dict[str, Json]:
    """Return ``{tool, linter, migrations: [{id, path, after, checksum, findings, up, down}]}``. Raises :class:`Unreadable`.

    *findings* are squawk's, each ``{rule, line, message}``; None where it did not look to the end (no SQL, or it is told to ignore it), and everywhere
    where it is missing (*linter* is empty).
    """
    if not root.is_dir():
        raise Unreadable(f"{root} is no directory")
    found = {name: reader(root) for name, reader in READERS.items() if tool in ("", name)}
    if tool and tool not in READERS:
        raise Unreadable(f"no such tool: {tool}; there are {', '.join(READERS)}")
    held = {name: migrations for name, migrations in found.items() if migrations}
    if not held:
        raise Unreadable(f"no migrations of {tool or 'any known tool'} under {root}")
    if len(held) > 1:
        raise Unreadable(f"migrations of several tools under {root}: {', '.join(sorted(held))}; name one")
    ((name, migrations),) = held.items()
    linter = program()
    findings = lint(linter, [migration for migration in migrations if migration.sql is not None]) if linter else {}
    return {
        "tool": name,
        "linter": "squawk" if linter else "",
        "migrations": [
            {
                "id": one.id,
                "path": one.path,
                "after": one.after,
                "checksum": one.checksum,
                "findings": findings.get(one.id),
                "up": one.sql,
                "down": one.down,
            }
            for one in migrations
        ],
    }


def _files(root: pathlib.Path, pattern: str) -> list[pathlib.Path]:
    return sorted(path for path in root.rglob(pattern) if path.is_file() and not FOREIGN & set(path.relative_to(root).parts[:-1]))


def _text(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise Unreadable(f"{path}: {problem}") from None


def _alembic(root: pathlib.Path) -> list[Migration]:
    found = []
    for path in _files(root, "*.py"):
        text = _text(path)
        if not re.search(r"^down_revision\b", text, re.M):
            continue
        names = _assigned(text, path)
        if "revision" in names and "down_revision" in names:
            down = names["down_revision"]
            after = [] if down is None else [down] if isinstance(down, str) else list(down)
            found.append(
                Migration(str(names["revision"]), str(path.relative_to(root)), after, sql=_executed(text, "upgrade"), down=_executed(text, "downgrade"))
            )
    return found


def _assigned(text: str, path: pathlib.Path) -> dict[str, Json]:
    """Return the names that a module sets to plain values at its top."""
    try:
        tree = ast.parse(text)
    except SyntaxError as problem:
        raise Unreadable(f"{path}: {problem}") from None
    found = {}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        for target in targets:
            if isinstance(target, ast.Name) and getattr(node, "value", None) is not None:
                try:
                    found[target.id] = ast.literal_eval(t.cast("t.Any", node).value)
                except ValueError:
                    continue
    return found


def _executed(text: str, function: str) -> str | None:
    """Return the SQL of *function*, if all that it does is ``op.execute("…")`` with texts that stand there; else None."""
    body = next((node.body for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == function), None)
    statements = []
    for node in body or ():
        if isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            continue
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr != "execute" or len(call.args) != 1:
            return None
        try:
            statements.append(str(ast.literal_eval(call.args[0])).strip().rstrip(";") + ";")
        except ValueError:
            return None
    return "\n".join(statements) if body is not None else None


def _django(root: pathlib.Path) -> list[Migration]:
    found = []
    for path in _files(root, "[0-9]*.py"):
        if path.parent.name == "migrations" and re.search(r"class Migration\b", _text(path)):
            found.append(Migration(f"{path.parent.parent.name}.{path.stem}", str(path.relative_to(root))))
    return found


def _rails(root: pathlib.Path) -> list[Migration]:
    return [Migration(path.name.split("_")[0], str(path.relative_to(root))) for path in _files(root, "db/migrate/[0-9]*_*.rb")]


def _dbmate(root: pathlib.Path) -> list[Migration]:
    found = []
    for path in _files(root, "[0-9]*_*.sql"):
        text = _text(path)
        up = re.search(r"^--\s*migrate:up.*?\n(.*?)(?=^--\s*migrate:down|\Z)", text, re.M | re.S)
        down = re.search(r"^--\s*migrate:down.*?\n(.*)", text, re.M | re.S)
        if up:
            found.append(Migration(path.name.split("_")[0], str(path.relative_to(root)), sql=up[1], down=(down[1].strip() or None) if down else None))
    return found


def _golang(root: pathlib.Path) -> list[Migration]:
    found = []
    for path in _files(root, "[0-9]*_*.up.sql"):
        down = path.with_name(path.name.replace(".up.sql", ".down.sql"))
        found.append(Migration(str(int(path.name.split("_")[0])), str(path.relative_to(root)), sql=_text(path), down=_text(down) if down.is_file() else None))
    return found


def _flyway(root: pathlib.Path) -> list[Migration]:
    found = []
    for path in _files(root, "V*__*.sql"):
        version = re.sub(r"(?<=\d)_(?=\d)", ".", path.name[1:].split("__")[0])
        found.append(Migration(version, str(path.relative_to(root)), checksum=_flyway_checksum(path), sql=_text(path)))
    return found


def _flyway_checksum(path: pathlib.Path) -> str:
    """Return Flyway's own checksum: CRC-32 of the lines without their ends, as a signed number."""
    crc = 0
    for line in _text(path).removeprefix("\ufeff").splitlines():
        crc = zlib.crc32(line.encode(), crc)
    return str(crc - (1 << 32) if crc >= 1 << 31 else crc)


def _prisma(root: pathlib.Path) -> list[Migration]:
    found = []
    for path in _files(root, "prisma/migrations/*/migration.sql"):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append(Migration(path.parent.name, str(path.relative_to(root)), checksum=digest, sql=_text(path)))
    return found


def _knex(root: pathlib.Path) -> list[Migration]:
    found = []
    for path in [*_files(root, "migrations/*.js"), *_files(root, "migrations/*.ts"), *_files(root, "migrations/*.cjs"), *_files(root, "migrations/*.mjs")]:
        if re.search(r"\bexports\.up\b|export (async )?function up\b|export const up\b", _text(path)) and "knex" in _text(path).lower():
            found.append(Migration(path.name, str(path.relative_to(root))))
    return sorted(found, key=lambda one: one.id)


def _laravel(root: pathlib.Path) -> list[Migration]:
    return [Migration(path.stem, str(path.relative_to(root))) for path in _files(root, "database/migrations/*.php")]


READERS: dict[str, t.Callable[[pathlib.Path], list[Migration]]] = {
    "alembic": _alembic,
    "django": _django,
    "rails": _rails,
    "dbmate": _dbmate,
    "golang-migrate": _golang,
    "flyway": _flyway,
    "prisma": _prisma,
    "knex": _knex,
    "laravel": _laravel,
}


def program() -> str:
    """Return squawk: the one on the PATH, else the one that pip put beside our Python, which need not be on it; else nothing."""
    beside = pathlib.Path(sys.executable).parent / "squawk"
    return shutil.which("squawk") or shutil.which(str(beside)) or ""


#: Put at each file's end, and always found where squawk came that far: what it says nothing of may be sound, or ignored (``squawk-ignore-file``), or not read.
LOOKED_AT = (";drop database golive_looked_at;\n", "ban-drop-database")


def lint(squawk: str, migrations: t.Sequence[Migration]) -> dict[str, list[dict[str, Json]]]:
    """Return squawk's findings by id, an empty list where there is none. A file that was not looked at to its end is left out. Raises :class:`Unreadable`."""
    if not migrations:
        return {}
    with tempfile.TemporaryDirectory(prefix="golive-squawk-") as folder:
        paths = {f"{number:05d}.sql": one.id for number, one in enumerate(migrations)}
        for name, one in zip(paths, migrations, strict=True):
            (pathlib.Path(folder) / name).write_text(f"{one.sql or ''}\n{LOOKED_AT[0]}", encoding="utf-8")
        argv = [squawk, "--reporter", "json", "--assume-in-transaction", *paths]
        try:
            done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
        except OSError as problem:
            raise Unreadable(f"{squawk}: {problem.strerror}") from None
        except subprocess.TimeoutExpired:
            raise Unreadable("squawk did not end within 120 s") from None
    try:
        told: dict[str, list[dict[str, Json]]] = {one.id: [] for one in migrations}
        for one in json.loads(done.stdout):
            told[paths[one["file"]]].append({"rule": one["rule_name"], "line": one["line"] + 1, "message": one["message"][:200]})
    except (ValueError, KeyError, TypeError):
        raise Unreadable(f"squawk ended with {done.returncode}: {(done.stderr or done.stdout).strip()[:200]}") from None
    ends = {one.id: (one.sql or "").count("\n") + 2 for one in migrations}
    looked_at = {name for name, found in told.items() if any((one["rule"], one["line"]) == (LOOKED_AT[1], ends[name]) for one in found)}
    return {name: [one for one in told[name] if one["line"] < ends[name]] for name in looked_at}
