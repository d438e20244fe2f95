# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gitleaks, as our checks run it: the rules added to its own, the canaries that prove it sees, and one scan that cannot pass by failing.

Three ways in which a plain ``gitleaks git`` of 8.30 says "no leaks found" about a repository that has one, all tried:

* git itself fails half-way (a corrupt object): gitleaks logs ``ERR`` and exits 0. Here any ``ERR`` or ``FTL`` line is an error.
* the secret came in with a merge commit: git shows no diff for merges. Here ``--diff-merges=remerge`` does.
* ``.gitattributes`` says ``-diff`` about the file. Here the scan is of a bare mirror that reads no attributes.

Come in with a :class:`~._check.Context`. Findings leave as rule, file, commit, line and fingerprint; the secret itself never does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import secrets
import shutil
import string
import sys
import tempfile
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Completed, Context, Json

#: ``gitleaks git`` came with 8.19; before it there are only ``detect`` and ``protect``.
MINIMUM = (8, 19)

#: gitleaks' own exit codes are 0 (nothing found) and 1 (found, or failed). This one can only mean "found".
FOUND = 3

#: All refs, what merges themselves brought in, and the text git stores rather than what a filter makes of it.
LOG_OPTS = "--full-history --all --diff-merges=remerge --no-textconv --no-ext-diff"

#: Set by git for hooks, or by people: they would send a child to another repository, or other rules, than those named.
INHERITED = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GITLEAKS_CONFIG", "GITLEAKS_CONFIG_TOML"),
)

#: For our own mirrors and scratch repositories: nobody's settings, attributes, replaced objects or prompts.
HERMETIC = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "core.attributesFile",
    "GIT_CONFIG_VALUE_0": os.devnull,
    # gitattributes of bare repositories are read from a tree since git 2.43; a name that resolves to none means none.
    "GIT_CONFIG_KEY_1": "attr.tree",
    "GIT_CONFIG_VALUE_1": "refs/golive/none",
    **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "golive"), ("EMAIL", "golive@localhost"))},
}


@dataclasses.dataclass(frozen=True)
class Rule:
    id: str
    description: str
    regex: str
    entropy: float
    keywords: tuple[str, ...]
    secret_group: int = 1


#: What gitleaks' own rules miss in an ordering system: tried on 8.30.1.
RULES = (
    Rule("stripe-webhook-secret", "Stripe webhook signing secret", r"""\b(whsec_[A-Za-z0-9+/=]{24,80})(?:['"\s;]|$)""", 3.0, ("whsec_",)),
    Rule(
        "mercadopago-access-token",
        "Mercado Pago access token",
        r"\b((?:APP_USR|TEST)-[0-9]{10,20}-[0-9]{6}-[0-9a-f]{32}-[0-9]{5,12})\b",
        3.0,
        ("app_usr-", "test-"),
    ),
    Rule(
        "mercadopago-uuid-key",
        "Mercado Pago public key or webhook key",
        r"\b((?:APP_USR|TEST)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b",
        3.0,
        ("app_usr-", "test-"),
    ),
    Rule(
        "url-with-password",
        "Password inside a connection URL",
        r"""\b(?:postgres(?:ql)?|rediss?|mysql|mongodb(?:\+srv)?|amqps?|smtps?)://[^\s:/@'"]*:([^\s:/@'"${}<>]{8,})@[^\s/'"]+""",
        2.5,
        ("postgres", "redis", "mysql", "mongodb", "amqp", "smtp"),
    ),
    Rule("meta-access-token", "Meta (WhatsApp) access token", r"\b(EAA[A-Za-z0-9]{80,300})\b", 3.5, ("eaa",)),
)


def config_toml() -> str:
    """Return the rule file: gitleaks' own rules and ours. JSON strings are TOML basic strings as well."""
    lines = ['title = "resto.golive"', "", "[extend]", "useDefault = true"]
    for rule in RULES:
        fields = {"id": rule.id, "description": rule.description, "regex": rule.regex, "entropy": rule.entropy, "secretGroup": rule.secret_group}
        lines += ["", "[[rules]]", *(f"{key} = {json.dumps(value)}" for key, value in fields.items()), f"keywords = {json.dumps(rule.keywords)}"]
    return "\n".join(lines) + "\n"


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _unused in range(length))


def _digits(length: int) -> str:
    return _random(string.digits, length)


def _uuid() -> str:
    return "-".join(_random(_HEX, length) for length in (8, 4, 4, 4, 12))


def _unlike(alphabet: str, length: int) -> str:
    """Return random letters, none of them twice: what is short and repeats itself has too little entropy for gitleaks to take it for a secret."""
    return "".join(secrets.SystemRandom().sample(alphabet, length))


_ALNUM = string.ascii_letters + string.digits
_HEX = string.hexdigits[:16]


def canaries() -> dict[str, str]:
    """Return one line with a fresh, worthless secret for each class that must be seen, by the id of the rule that must see it.

    Built from random parts: a scan of our own source finds nothing, and gitleaks' stop words (alphabets, "example") do not excuse them.
    """
    app_usr = "APP_USR" + "-"
    pem = "PRIVATE" + " KEY-----"
    return {
        "aws-access-token": "aws = AK" + "IA" + _unlike(string.ascii_uppercase + "234567", 16),
        "github-pat": "github = gh" + "p_" + _random(_ALNUM, 36),
        "stripe-access-token": "stripe = sk" + "_live_" + _random(_ALNUM, 32),
        "private-key": f"-----BEGIN {pem}\n{_random(_ALNUM, 64)}\n{_random(_ALNUM, 64)}\n-----END {pem}",
        "stripe-webhook-secret": "hook = wh" + "sec_" + _random(_ALNUM, 32),
        "mercadopago-access-token": f"mp = {app_usr}{_digits(16)}-{_digits(6)}-{_random(_HEX, 32)}-{_digits(9)}",
        "mercadopago-uuid-key": f"mp = {app_usr}{_uuid()}",
        "url-with-password": "url = postgresql" + "://app:" + _random(_ALNUM, 20) + "@db/app",
        "meta-access-token": "meta = EA" + "A" + _random(_ALNUM, 160),
    }


def run(ctx: Context, argv: t.Sequence[str], **how: t.Any) -> Completed:
    """``ctx.run`` without the variables that git sets for its hooks, but for those in ``env``; problems name the command that was meant."""
    if shutil.which(argv[0]) is None:
        raise CannotKnow("common.command_missing", command=argv[0])
    try:
        unset = [part for name in INHERITED if name not in how.get("env", {}) for part in ("-u", name)]
        return ctx.run(["env", *unset, *argv], **how)
    except CannotKnow as problem:
        name = os.path.basename(argv[0])
        raise CannotKnow(problem.code, problem.status, **{key: name if value == "env" else value for key, value in problem.params.items()}) from None


@contextlib.contextmanager
def box() -> t.Iterator[str]:
    """A private directory (0700) with the rule file and an empty list of exceptions; gone when left."""
    with tempfile.TemporaryDirectory(prefix="golive-", ignore_cleanup_errors=True) as path:
        with open(os.path.join(path, "gitleaks.toml"), "w", encoding="utf-8") as handle:
            handle.write(config_toml())
        with open(os.path.join(path, ".gitleaksignore"), "w", encoding="utf-8"):
            pass
        yield path


def find(declared: str | None) -> str:
    """Return the path of gitleaks: as declared, else of PATH, else beside this interpreter (a virtual environment). Raises :class:`CannotKnow`."""
    beside = os.path.join(os.path.dirname(sys.executable or ""), "gitleaks")
    path = shutil.which(os.path.expanduser(declared)) if declared else shutil.which("gitleaks") or shutil.which(beside)
    if path is None:
        raise CannotKnow("gitleaks.binary_missing", path=declared or "gitleaks")
    return os.path.abspath(path)


def version(ctx: Context, binary: str) -> str:
    """Return gitleaks' version. Raises :class:`CannotKnow` when it says none or is older than :data:`MINIMUM`."""
    said = run(ctx, [binary, "version"], timeout_s=20).stdout.strip()
    numbers = re.search(r"\b(\d+)\.(\d+)\.(\d+)", said)
    if numbers is None:
        raise CannotKnow("gitleaks.version_unknown", path=binary, said=said[:80])
    if (int(numbers[1]), int(numbers[2])) < MINIMUM:
        raise CannotKnow("gitleaks.too_old", path=binary, version=numbers[0], minimum=".".join(str(part) for part in MINIMUM))
    return numbers[0]


def scan(ctx: Context, binary: str, path: str, place: str, *, allow: bool = False) -> list[dict[str, Json]]:
    """Return what gitleaks finds in the repository at *path*, with the rules of the box at *place* and without any exception.

    *allow*: honour ``gitleaks:allow`` comments. Raises :class:`CannotKnow` when it did not look at all of it, whatever its exit code.
    """
    report = os.path.join(place, "report.json")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(report)
    argv = [binary, "git", "--redact=100", f"--exit-code={FOUND}", "--report-format=json", f"--report-path={report}", "--no-banner", "--no-color"]
    argv += [f"--config={place}/gitleaks.toml", f"--gitleaks-ignore-path={place}", "--log-level=error", f"--log-opts={LOG_OPTS}"]
    argv += [path] if allow else ["--ignore-gitleaks-allow", path]
    done = run(ctx, argv, env=HERMETIC, cwd=place, ok=None)
    problems = [line for line in done.stderr.splitlines() if re.search(r"\b(?:ERR|FTL)\b", line)]
    if done.rc not in (0, FOUND) or problems:
        first = (problems or done.stderr.strip().splitlines() or [""])[0]
        raise CannotKnow("gitleaks.scan_failed", rc=done.rc, message=re.sub(r"^.*?\b(?:ERR|FTL)\s+", "", first)[:300])
    try:
        with open(report, encoding="utf-8") as handle:
            rows = json.load(handle)
        found = [_finding(row) for row in rows]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CannotKnow("gitleaks.report_unreadable", message=type(error).__name__) from None
    if bool(found) != (done.rc == FOUND):
        raise CannotKnow("gitleaks.report_contradicts", rc=done.rc, count=len(found))
    return found


def _finding(row: t.Mapping[str, Json]) -> dict[str, Json]:
    names = {"rule": "RuleID", "file": "File", "commit": "Commit", "fingerprint": "Fingerprint"}
    return {**{ours: str(row[theirs]) for ours, theirs in names.items()}, "line": int(row["StartLine"])}


def missed_canaries(ctx: Context, binary: str, place: str) -> list[str]:
    """Return the rules whose canary this binary does not see in a history where it was committed and then removed.

    A random secret can, once in a great while, fall under a rule's entropy: what is missed gets a second, fresh one.
    """
    missed: set[str] = set(canaries())
    for attempt in ("first", "second"):
        path = os.path.join(place, f"canary-{attempt}")
        lines = {rule: line for rule, line in canaries().items() if rule in missed}
        git = ["git", "-C", path, "-c", "core.hooksPath=/dev/null"]
        run(ctx, ["git", "init", "-q", "--template=", path], env=HERMETIC)
        for text, message in (("\n".join(lines.values()) + "\n", "canary"), ("nothing\n", "removed")):
            with open(os.path.join(path, "settings.ini"), "w", encoding="utf-8") as handle:
                handle.write(text)
            run(ctx, [*git, "add", "settings.ini"], env=HERMETIC)
            run(ctx, [*git, "commit", "-q", "--no-gpg-sign", "-m", message], env=HERMETIC)
        missed -= {finding["rule"] for finding in scan(ctx, binary, path, place)}
        shutil.rmtree(path)
        if not missed:
            break
    return sorted(missed)
