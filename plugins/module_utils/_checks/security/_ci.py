# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads CI files (GitHub, Gitea and Forgejo actions, GitLab CI) for steps that run gitleaks, and for what takes their teeth out. Pure.

A step is ``{file, job, how, untriggered, masked, partial, narrowed, condition}``: the last five are empty, or hold the piece of the file that is in the way.
What only the forge knows (is the job required before a merge, was it green) is not here.
"""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json

#: Where CI systems keep their files. The empty name: known, but not read by us.
SYSTEMS = {
    ".github/workflows/*.y*ml": "actions",
    ".gitea/workflows/*.y*ml": "actions",
    ".forgejo/workflows/*.y*ml": "actions",
    ".gitlab-ci.yml": "gitlab",
    "bitbucket-pipelines.yml": "other",
    ".circleci/config.yml": "other",
    "azure-pipelines.yml": "other",
    ".drone.yml": "other",
    ".woodpecker.yml": "other",
    ".woodpecker/*.y*ml": "other",
    ".travis.yml": "other",
    "Jenkinsfile": "other",
}

#: Top-level keys of a GitLab file that are not jobs.
GITLAB_KEYWORDS = frozenset({"stages", "variables", "default", "include", "workflow", "image", "services", "cache", "before_script", "after_script", "spec"})

#: A call of gitleaks in a shell line: the program or an image of it, then a subcommand.
CALL = re.compile(r"(?:^|[\s/;&|(\"'])gitleaks(?:[:@][\w.:-]+)?[\"']?\s(?:.*?\s)?(git|detect|dir|directory|file|stdin|protect)(?=\s|$)")

#: What ``--log-opts`` may hold and still be everything that was pushed (git-log(1)); any other word leaves commits out.
WHOLE_LOG = frozenset({"--all", "--full-history", "--branches", "--remotes", "--tags", "HEAD"})

#: Options that pass over findings: a list of known ones, other rules than the repository's (or only some), files above a size.
NARROWING = re.compile(r"\s(?:--baseline-path|-b|--config|-c|--enable-rule|--gitleaks-ignore-path|-i|--max-target-megabytes)(?:=|\s+)(?P<value>\S+)")
#: Values of these that say what gitleaks does anyway.
DEFAULTS = frozenset({".gitleaks.toml", "./.gitleaks.toml", ".", "./", ".gitleaksignore", "./.gitleaksignore", "0"})

#: Variables that give it other rules (gitleaks' README, "Configuration"): one names a file, the other is one.
RULES_FILE, RULES_TEXT = "GITLEAKS_CONFIG", "GITLEAKS_CONFIG_TOML"
#: One of them set by a shell, also for the steps that follow (``>> $GITHUB_ENV``).
ASSIGNED = re.compile(rf"\b({RULES_TEXT}|{RULES_FILE})=[\"']?([^\s\"']+)")

#: GitLab rules that make a job run on what is pushed or proposed.
PUSHED = re.compile(r"merge_request_event|CI_MERGE_REQUEST_IID|CI_COMMIT_BRANCH|[\"']push[\"']")

Step = dict[str, str]


def system_of(path: str) -> str:
    """Return the name of the reader for *path*, or an empty string when it is no CI file."""
    return next((name for pattern, name in SYSTEMS.items() if fnmatch.fnmatchcase(path, pattern) and path.count("/") == pattern.count("/")), "")


def read(files: t.Mapping[str, str | None]) -> dict[str, Json]:
    """Return ``{files, steps, unreadable, unsupported}``. Raises :class:`CannotKnow` where PyYAML is missing."""
    steps: list[Step] = []
    unreadable: dict[str, str] = {}
    unsupported: list[str] = []
    for path, text in files.items():
        # A file named by the option, wherever it lies, is read by its shape.
        system = system_of(path) or ("gitlab" if "gitlab" in path else "actions")
        if text is None:
            unreadable[path] = "not in HEAD"
        elif system == "other":
            unsupported += [path] if "gitleaks" in text else []
        else:
            try:
                document = _parse(text)
                steps += (_actions if system == "actions" else _gitlab)(path, document)
            except (ValueError, TypeError, AttributeError) as error:
                unreadable[path] = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return {"files": list(files), "steps": steps, "unreadable": unreadable, "unsupported": unsupported}


def _parse(text: str) -> dict[t.Any, t.Any]:
    try:
        import yaml
    except ImportError:
        raise CannotKnow("common.library_missing", library="yaml", package="python3-yaml") from None

    class Loader(yaml.SafeLoader):
        """Knows no tags of others (GitLab's ``!reference``): they become null and can prove nothing."""

    Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
    try:
        document = yaml.load(text, Loader=Loader)  # noqa: S506 -- a SafeLoader by another name: it builds plain values only
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    if not isinstance(document, dict):
        raise ValueError("not a mapping")
    return document


def _plain(value: t.Any) -> str:
    """Write *value* as the file has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- one shell script ---------------------------------------------------------------------------------------------------------------------


def call(script: str, *, pipefail: bool) -> dict[str, str] | None:
    """Return ``{how, masked, partial, narrowed}`` of the first call of gitleaks in *script*, or None."""
    errexit = True
    for line in re.sub(r"\\\n", " ", script).splitlines():
        line = line.strip()
        if line.startswith("#") or re.match(r"(?:echo|printf)\b", line):
            continue
        if re.match(r"set\s+\+e|set\s+\+o\s+errexit", line):
            errexit = False
        pipefail = pipefail or "pipefail" in line
        found = CALL.search(line)
        if found:
            masked = "" if errexit else "set +e"
            own = re.split(r"[|;&]", line[found.start() :].lstrip("|;&"))[0]
            return {"how": line[:120], "masked": masked or _masked(line, pipefail), "partial": _partial(own, found[1]), "narrowed": _narrowed(own)}
    return None


def _masked(line: str, pipefail: bool) -> str:
    alternative = re.search(r"\|\|(.*)", line)
    if alternative and not re.search(r"\bexit\s+[1-9]|\bfalse\b", alternative[1]):
        return alternative[0][:60]
    for pattern in (r"--exit-code[= ]+0\b", r"(?:^|\s)(?:if|while|until|!)\s.*gitleaks", r"[^&]&\s*$", r";\s*(?:true|:|exit 0)\s*$"):
        found = re.search(pattern, line)
        if found:
            return found[0].strip()[:60]
    pipe = re.search(r"[^|]\|[^|].*", line)
    return pipe[0].strip()[:60] if pipe and not pipefail else ""


def _partial(line: str, subcommand: str) -> str:
    if subcommand not in ("git", "detect"):
        return f"gitleaks {subcommand}"
    found = re.search(r"--no-git\b|--staged\b|--pre-commit\b", line)
    log = re.search(r"""--log-opts(?:=|\s+)(?:"([^"]*)"|'([^']*)'|(\S+))""", line)
    if found is None and log and not set("".join(filter(None, log.groups())).split()) <= WHOLE_LOG:
        found = log
    return found[0] if found else ""


def _narrowed(line: str) -> str:
    return next((found[0].strip() for found in NARROWING.finditer(line) if found["value"].strip("\"'") not in DEFAULTS), "")


def _other_rules(script: str, variables: t.Mapping[str, t.Any]) -> str:
    """Return the variable that gives gitleaks other rules than the repository's, or an empty text; what *script* assigns stands above *variables*."""
    values = {**variables, **dict(ASSIGNED.findall(script))}
    found = ((name, str(values.get(name) or "")) for name in (RULES_TEXT, RULES_FILE))
    return next((f"{name}: {value}"[:120] for name, value in found if value and value not in DEFAULTS), "")


# --- GitHub, Gitea and Forgejo ------------------------------------------------------------------------------------------------------------


def _actions(path: str, document: dict[t.Any, t.Any]) -> list[Step]:
    # YAML 1.1 reads the key `on` as true.
    untriggered, filtered = _events(document.get("on", document.get(True)))
    steps: list[Step] = []
    for name, job in (document.get("jobs") or {}).items():
        depth, shell, said = "no actions/checkout", _shell(document, job), ""
        for step in job.get("steps") or []:
            uses, script = str(step.get("uses") or ""), str(step.get("run") or "")
            said += f"{script}\n"
            if re.match(r"(?:https://[^/]+/)?actions/checkout@", uses):
                given = str((step.get("with") or {}).get("fetch-depth", 1))
                depth = "" if given == "0" else f"fetch-depth: {given}"
            if re.search(r"fetch\s.*--unshallow", script):
                depth = ""
            found = _action_call(uses, step) if uses else call(script, pipefail=str(step.get("shell") or shell).startswith("bash"))
            if found is None:
                continue
            tolerated = next(
                (f"continue-on-error: {_plain(one['continue-on-error'])}" for one in (step, job) if one.get("continue-on-error", False) is not False), ""
            )
            conditions = [str(one["if"]) for one in (step, job) if "if" in one and not _always(str(one["if"]))]
            variables = {name: value for one in (document, job, step) for name, value in (one.get("env") or {}).items()}
            never = next((f"if: {condition}" for condition in conditions if re.sub(r"[${}\s]", "", condition).lower() == "false"), "")
            steps.append(
                {
                    "file": path,
                    "job": str(name),
                    "how": found["how"],
                    "untriggered": untriggered or never,
                    "masked": tolerated or found["masked"],
                    "partial": found["partial"] or depth,
                    "narrowed": found["narrowed"] or _other_rules(said, variables),
                    "condition": f"if: {conditions[0]}" if conditions else filtered,
                }
            )
    return steps


def _shell(document: dict[t.Any, t.Any], job: dict[str, t.Any]) -> str:
    """The declared shell: `bash` written out runs with pipefail, the unwritten default does not."""
    for one in (job, document):
        shell = ((one.get("defaults") or {}).get("run") or {}).get("shell")
        if shell:
            return str(shell)
    return ""


def _always(condition: str) -> bool:
    return re.sub(r"[${}\s]", "", condition) in ("always()", "success()", "!cancelled()", "success()||failure()", "true")


def _action_call(uses: str, step: dict[str, t.Any]) -> dict[str, str] | None:
    if "gitleaks" not in uses:
        return None
    if uses.startswith("docker://"):
        return call(f"gitleaks {(step.get('with') or {}).get('args', '')}", pipefail=True)
    return {"how": f"uses: {uses}", "masked": "", "partial": "", "narrowed": ""}


def _events(declared: t.Any) -> tuple[str, str]:
    """Return what is in the way of running on pushes and proposals at all, and what limits it there."""
    names = [declared] if isinstance(declared, str) else declared or []
    events: dict[t.Any, t.Any] = names if isinstance(names, dict) else dict.fromkeys(names)
    limits: list[str] = []
    for name in ("push", "pull_request"):
        if name not in events:
            continue
        settings = events[name] or {}
        if "tags" in settings and "branches" not in settings:
            continue
        limits.append(next((f"{name}: {key}: {settings[key]}" for key in ("paths", "paths-ignore", "branches-ignore") if key in settings), ""))
    if not limits:
        return f"on: {', '.join(str(name) for name in events)}"[:120], ""
    return "", "" if "" in limits else limits[0][:120]


# --- GitLab -------------------------------------------------------------------------------------------------------------------------------


def _gitlab(path: str, document: dict[t.Any, t.Any]) -> list[Step]:
    steps: list[Step] = []
    if "Secret-Detection" in str(document.get("include")):
        # GitLab's analyzer reports findings and ends with 0: its job never stops a pipeline.
        template = {
            "how": "include: Secret-Detection",
            "untriggered": "",
            "masked": "include: Secret-Detection",
            "partial": "",
            "narrowed": "",
            "condition": "",
        }
        steps.append({"file": path, "job": "secret_detection", **template})
    whole_file = _limits(document.get("workflow") or {})
    for name, declared in document.items():
        if not isinstance(declared, dict) or name in GITLAB_KEYWORDS or str(name).startswith("."):
            continue
        job = _extended(document, declared)
        before = job.get("before_script", document.get("before_script", (document.get("default") or {}).get("before_script")))
        script = "\n".join([*_lines(before), *_lines(job.get("script"))])
        found = call(script, pipefail=True)
        if found is None:
            continue
        variables = _gitlab_variables(document, job)
        depth = "" if re.search(r"fetch\s.*--unshallow", script) else _gitlab_depth(variables)
        untriggered, condition = _limits(job)
        tolerated = "" if job.get("allow_failure", False) is False else f"allow_failure: {_plain(job['allow_failure'])}"
        steps.append(
            {
                "file": path,
                "job": str(name),
                "how": found["how"],
                "untriggered": whole_file[0] or untriggered,
                "masked": tolerated or found["masked"],
                "partial": found["partial"] or depth,
                "narrowed": found["narrowed"] or _other_rules(script, variables),
                "condition": whole_file[1] or condition,
            }
        )
    return steps


def _lines(script: t.Any) -> list[str]:
    if isinstance(script, list):
        return [line for part in script for line in _lines(part)]
    return [] if script is None else [str(script)]


def _extended(document: dict[t.Any, t.Any], job: dict[str, t.Any], depth: int = 0) -> dict[str, t.Any]:
    """Return *job* with what it extends in this file; GitLab itself stops at eleven levels."""
    parents = job.get("extends") or []
    merged: dict[str, t.Any] = {}
    for parent in [parents] if isinstance(parents, str) else parents:
        if depth < 11 and isinstance(document.get(parent), dict):
            merged.update(_extended(document, document[parent], depth + 1))
    return {**merged, **job}


def _gitlab_variables(document: dict[t.Any, t.Any], job: dict[str, t.Any]) -> dict[str, str]:
    variables = {**(document.get("variables") or {}), **(job.get("variables") or {})}
    return {name: str(value.get("value") if isinstance(value, dict) else value) for name, value in variables.items()}


def _gitlab_depth(values: t.Mapping[str, str]) -> str:
    if values.get("GIT_STRATEGY") in ("none", "empty"):
        return f"GIT_STRATEGY: {values['GIT_STRATEGY']}"
    given = values.get("GIT_DEPTH", "20 (default)")
    return "" if given == "0" else f"GIT_DEPTH: {given}"


def _limits(job: dict[str, t.Any]) -> tuple[str, str]:
    """Return what keeps a job from running when something is pushed, and what makes that uncertain."""
    if job.get("when") in ("manual", "never", "delayed"):
        return f"when: {job['when']}", ""
    if "rules" in job:
        running = [rule for rule in job["rules"] or [] if isinstance(rule, dict) and rule.get("when") not in ("never", "manual", "delayed")]
        if not running:
            return "rules", ""
        if any("changes" not in rule and "exists" not in rule and ("if" not in rule or PUSHED.search(str(rule["if"]))) for rule in running):
            return "", ""
        return "", f"rules: {running[0]}"[:120]
    only = job.get("only")
    if only is not None:
        names = only if isinstance(only, list) else [only] if isinstance(only, str) else (only or {}).get("refs") or []
        limited = isinstance(only, dict) and "changes" in only
        good = {"branches", "merge_requests", "pushes", "external_pull_requests"} & {str(name) for name in names}
        return "", "" if good and not limited else f"only: {only}"[:120]
    return "", f"except: {job['except']}"[:120] if "except" in job else ""
