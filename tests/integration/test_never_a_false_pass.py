# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventories and settings that must never lead to a GO. No lab: the only hosts are this machine and ports where nobody listens."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
import sys

import pytest

from .conftest import ROOT, Project, Ran

LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
DEAD = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-o ControlMaster=no -o ConnectTimeout=5"}
LOST = {**LOCAL, "ansible_become_password": "{{ lookup('ansible.builtin.file', '/no/such/file') }}"}
OWNER = {"golive_owner": "ana@comanda.example"}


def shop(**groups: dict[str, dict[str, object]]) -> dict[str, object]:
    return {"all": {"vars": OWNER, "children": {name: {"hosts": hosts} for name, hosts in groups.items()}}}


def audit(project: Project, content: object, *arguments: str, **more: str) -> Ran:
    return project.play("playbooks/audit.yml", "-i", project.inventory("hosts.yml", content).parent, *arguments, **more)


def test_no_inventory_at_all_stops_before_anything(project: Project) -> None:
    ran = project.play("playbooks/audit.yml", "-i", project.directory / "nope")
    assert (ran.rc != 0, ran.report) == (True, None)
    assert "No inventory was parsed" in ran.output


def test_no_inventory_is_no_go_under_the_user_s_own_settings_too(project: Project) -> None:
    ran = project.play("playbooks/audit.yml", "-i", project.directory / "nope", "-e", "golive_owner=ana@comanda.example", without="unparsed_is_failed = True")
    assert (ran.rc, ran.report["verdict"] if ran.report else None) == (2, "NO_GO"), ran.output
    assert ran.problems() == {"verdict.empty_inventory", "verdict.environment_unknown"}


def test_an_empty_inventory_is_no_go(project: Project) -> None:
    ran = audit(project, "all:\n  vars: {golive_owner: ana@comanda.example}\n")
    assert ran.rc == 2, ran.output
    assert ran.report is not None
    assert ran.report["verdict"] == "NO_GO"
    assert "verdict.empty_inventory" in ran.problems()


@pytest.mark.parametrize("content", ["", "# nothing yet\n"], ids=["0 bytes", "a comment"])
def test_an_empty_file_for_an_inventory_is_refused_and_with_an_owner_no_go(project: Project, content: str) -> None:
    refused = audit(project, content)
    assert (refused.rc, refused.report) == (2, None), refused.output
    assert "golive_owner" in refused.output
    ran = audit(project, content, "-e", "golive_owner=ana@comanda.example")
    assert (ran.rc, ran.report["verdict"] if ran.report else None) == (2, "NO_GO"), ran.output
    assert "verdict.empty_inventory" in ran.problems()


def test_an_inventory_without_anything_in_it_stops_before_anything(project: Project) -> None:
    ran = audit(project, "---\n", "-e", "golive_owner=ana@comanda.example")
    assert (ran.rc != 0, ran.report) == (True, None)
    assert "No inventory was parsed" in ran.output


@pytest.mark.parametrize("groups", [{"app": {"a1": LOCAL}}, {"app": {"a1": LOCAL}, "redis": {}}])
def test_a_missing_or_empty_group_is_its_own_state(project: Project, groups: dict[str, dict[str, object]]) -> None:
    ran = audit(project, shop(**groups))
    assert (ran.rc, ran.report["verdict"] if ran.report else None) == (2, "NO_GO")
    assert ran.state("redis.persistence") == "unknown"
    assert ran.codes("redis.persistence") == {"verdict.no_hosts"}


def test_a_dead_first_host_still_gets_its_verdict(project: Project) -> None:
    ran = audit(project, shop(redis={"a_dead": DEAD, "b_alive": LOCAL}))
    assert ran.problems() == {"verdict.host_down"}
    ran.blocks("redis.persistence", "unknown", "common.host_unreachable")
    assert {row["target"]["host"] for row in ran.items["redis.persistence"]["observations"]} == {"a_dead", "b_alive"}


def test_all_hosts_dead_still_gets_a_verdict(project: Project) -> None:
    ran = audit(project, shop(redis={"a_dead": DEAD}))
    assert ran.problems() == {"verdict.host_down"}
    ran.blocks("redis.persistence", "unknown", "common.host_unreachable")


def test_a_host_lost_on_the_way_still_gets_a_verdict_and_blocks_it(project: Project) -> None:
    ran = audit(project, shop(redis={"r1": LOST}))
    assert (ran.rc, ran.report["verdict"] if ran.report else None) == (2, "NO_GO")
    assert ran.problems() == {"verdict.host_lost"}


def test_undeclared_is_not_run_with_the_lines_to_paste(project: Project) -> None:
    ran = audit(project, shop(app={"a1": LOCAL}))
    assert "verdict.undeclared" in ran.codes("operations.support")
    assert "operations_support_channel" in ran.items["operations.support"]["reason"]["text"]["es"]


def test_an_item_without_a_check_is_not_run(project: Project) -> None:
    ran = audit(project, shop(app={"a1": LOCAL}))
    assert ran.state("acceptance.smoke_ui") == "unknown"
    assert len(ran.items) == 40


def test_a_limit_is_not_a_proof(project: Project) -> None:
    ran = audit(project, shop(redis={"r1": LOCAL}, app={"a1": LOCAL}), "--limit", "a1")
    assert ran.codes("redis.persistence") == {"verdict.limited"}
    ran.blocks("redis.persistence", "unknown", "verdict.limited")


def test_an_unknown_tag_is_refused(project: Project) -> None:
    ran = audit(project, shop(app={"a1": LOCAL}), "-t", "postgress")
    assert ran.rc == 2
    assert "no such tag: postgress" in ran.output
    assert ran.report is None


def test_a_misspelt_variable_is_refused_with_its_place(project: Project) -> None:
    content = shop(app={"a1": LOCAL})
    content["all"]["vars"] = {**OWNER, "postgres_restroe_rto_minutes": 30}  # type: ignore[index]  # it is a nested literal
    ran = audit(project, content)
    assert ran.rc == 2
    assert "postgres_restore_rto_minutes" in ran.output
    assert "hosts.yml:" in ran.output
    assert ran.report is None


@pytest.mark.parametrize("setting", ["any_errors_fatal = True", "strategy = free"])
@pytest.mark.parametrize(
    ("playbook", "group", "check"),
    # On a probe nothing is mended, and this machine is nobody's to mend.
    [("playbooks/audit.yml", "redis", "redis_persistence."), ("playbooks/golive.yml", "probe", "tls_certificate.")],
)
def test_users_settings_do_not_let_a_host_slip(project: Project, playbook: str, group: str, check: str, setting: str) -> None:
    content = shop(redis={"a_dead": DEAD, "a_lost": LOST}, probe={})
    content["all"]["vars"] = {**OWNER, "golive_domains": {"api": "api.comanda.invalid"}}  # type: ignore[index]  # it is a nested literal
    content["all"]["children"][group].setdefault("hosts", {})["b_alive"] = LOCAL  # type: ignore[index]  # as above
    ran = project.play(playbook, "-i", project.inventory("hosts.yml", content).parent, default=setting)
    assert (ran.rc, ran.problems()) == (2, {"verdict.host_down", "verdict.host_lost"}), ran.output
    told = {(row["target"]["host"], row["reason"]["code"]) for item in ran.items.values() for row in item["observations"]}
    assert {code for host, code in told if host == "a_dead"} == {"common.host_unreachable"}
    assert [code for host, code in told if host == "b_alive" and code.startswith(check)], told
    ran.blocks("redis.persistence", "unknown", "common.host_unreachable")


def test_without_the_callback_the_verdict_is_the_same(project: Project) -> None:
    with_it, ran = (audit(project, shop(app={"a1": LOCAL}), without=line) for line in ("", "callbacks_enabled = resto.golive.checklist"))
    assert ("GO-LIVE" in with_it.output, "GO-LIVE" in ran.output) == (True, False)
    assert "NO-GO" in ran.output
    assert (ran.rc, ran.report["verdict"] if ran.report else None) == (2, "NO_GO")
    assert {name: item["state"] for name, item in ran.items.items()} == {name: item["state"] for name, item in with_it.items.items()}


@pytest.mark.parametrize(
    ("approver", "by_file", "said"), [("ana@comanda.example", True, "approver must be another person"), ("luis@comanda.example", False, "came with -e")]
)
def test_a_waiver_by_its_owner_or_from_the_command_line_is_refused(project: Project, approver: str, by_file: bool, said: str) -> None:
    dates = f"at: '{day(-10)}', expires: '{day(20)}'"
    waiver = f"{{item: redis.persistence, covers: [fail], reason: r, compensation: c, owner: ana@comanda.example, approver: {approver}, {dates}}}"
    if by_file:
        project.inventory("group_vars/all/90_decisions.yml", f"---\ngolive_waivers:\n  - {waiver}\n")
    ran = audit(project, shop(redis={"r1": LOCAL}), *([] if by_file else ["-e", f"{{golive_waivers: [{waiver}]}}"]))
    assert (ran.rc, ran.report) == (2, None)
    assert said in ran.output
    assert " 1 mistakes" in ran.output


def day(distance: int) -> str:
    return str(datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=distance))


@pytest.mark.parametrize(("at", "expires", "state", "worth"), [(-30, 30, "waived", "used"), (-60, -2, "fail", "expired")])
def test_a_waiver_counts_while_it_holds(project: Project, at: int, expires: int, state: str, worth: str) -> None:
    who = "owner: ana@comanda.example, approver: luis@comanda.example"
    waiver = f"{{item: acceptance.smoke_ui, covers: [fail], reason: r, compensation: c, {who}, at: '{day(at)}', expires: '{day(expires)}'}}"
    project.inventory("group_vars/all/90_decisions.yml", f"---\ngolive_waivers:\n  - {waiver}\n")
    book = project.directory / "evidence.yml"
    book.write_text(EVIDENCE.format(playbooks=ROOT / "playbooks", items=["acceptance.smoke_ui"], name="playwright", status="fail"))
    ran = project.play(str(book), "-i", project.inventory("hosts.yml", shop(app={"a1": LOCAL})).parent)
    assert ran.report is not None, ran.output
    assert (ran.state("acceptance.smoke_ui"), ran.report["waivers"][0]["state"]) == (state, worth)
    assert ("acceptance.smoke_ui" in {one["item"] for one in ran.report["blockers"]}) == (state == "fail")


def test_a_signature_of_tomorrow_is_refused(project: Project) -> None:
    line = f"{{item: operations.support, by: ana@comanda.example, role: r, at: '{day(3)}', expires: '{day(30)}', evidence: e, statement: s}}"
    project.inventory("group_vars/all/90_decisions.yml", f"---\ngolive_attestations:\n  - {line}\n")
    ran = audit(project, shop(app={"a1": LOCAL}))
    assert (ran.rc, ran.report) == (2, None)
    assert "still to come" in ran.output


def test_not_applicable_from_the_command_line_is_refused(project: Project) -> None:
    declared = {"reason": "no hay cola", "by": "ana@comanda.example", "approver": "luis@comanda.example"}
    ran = audit(project, shop(app={"a1": LOCAL}), "-e", json.dumps({"redis_not_applicable": declared}))
    assert ran.problems() == {"verdict.signature_from_command_line"}


def test_what_was_signed_or_declared_away_and_is_not_committed_does_not_count(project: Project) -> None:
    signed = "{item: operations.support, by: ana@comanda.example, role: r, at: '%s', expires: '%s', evidence: e, statement: s}"
    today = datetime.datetime.now(datetime.UTC).date()
    declared = "operations_templates_not_applicable: {reason: no hay WhatsApp, by: ana@comanda.example, approver: luis@comanda.example}\n"
    line = signed % (today, today + datetime.timedelta(days=30))
    decisions = project.inventory("group_vars/all/90_decisions.yml", f"---\n{declared}golive_attestations:\n  - {line}\n")

    def found() -> tuple[str, str]:
        ran = audit(project, shop(redis={"r1": LOCAL}))
        assert ran.report is not None, ran.output
        (attestation,) = ran.report["attestations"]
        told = f"{attestation['state']}: {attestation['recorded'].get('by') or (attestation['problem'] or {}).get('en')}"
        return told, f"{ran.state('operations.templates')}: {ran.items['operations.templates']['reason']['text']['en']}"

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=sofia", "-c", "user.email=sofia@comanda.example")
        subprocess.run(["git", "-C", str(decisions.parent), *who, *arguments], check=True, capture_output=True)

    signature, declaration = found()
    assert signature == "valid: None"
    assert declaration.startswith("not_applicable: ")
    git("init", "--quiet", str(project.directory))
    signature, declaration = found()
    assert signature.startswith("refused: git's last commit does not have it")
    assert declaration.startswith("unknown: The declaration operations_templates_not_applicable does not hold: git's last commit does not have it")
    git("add", str(decisions))
    git("commit", "--quiet", "--message", "Sign")
    signature, declaration = found()
    assert signature == "valid: sofia@comanda.example"
    assert declaration.startswith("not_applicable: ")


def test_a_host_dropped_from_the_inventory_is_scope_reduced_until_retired(project: Project) -> None:
    assert audit(project, shop(redis={"r1": LOCAL, "r2": LOCAL})).rc == 2
    for _run in range(2):
        audit(project, shop(redis={"r1": LOCAL})).blocks("redis.persistence", "unknown", "verdict.scope_reduced")
    content = shop(redis={"r1": LOCAL})
    retired = [{"host": "r2", "reason": "se apagó", "by": "ana@comanda.example", "approver": "luis@comanda.example"}]
    content["all"]["vars"] = {**OWNER, "golive_retired": retired}  # type: ignore[index]  # it is a nested literal
    assert "verdict.scope_reduced" not in audit(project, content).codes("redis.persistence")


def test_a_ledger_that_was_cut_off_is_no_go(project: Project) -> None:
    content = shop(redis={"r1": LOCAL})
    assert audit(project, content).problems() == set()
    row_file = next((project.reports / "staging" / "runs").glob("*/r1.jsonl"))
    row_file.write_text("".join(row_file.read_text().splitlines(keepends=True)[:-1]))
    assert "ledger.broken_seal" in audit(project, content).problems()


def test_an_edited_report_of_staging_opens_no_prod(project: Project) -> None:
    content = shop(redis={"r1": LOCAL})
    prod = project.inventory("../prod/hosts.yml", content).parent
    assert audit(project, content).rc == 2
    assert "verdict.staging_no_go" in project.play("playbooks/audit.yml", "-i", prod).problems()
    edited = project.reports / "staging" / "latest" / "golive.json"
    edited.write_text(json.dumps({**json.loads(edited.read_text()), "verdict": "GO"}))
    assert "verdict.staging_unsealed" in project.play("playbooks/audit.yml", "-i", prod).problems()


def test_a_check_that_acts_is_skipped_under_check_mode(project: Project) -> None:
    tasks = [{"resto.golive.restore_drill": {}}, {"resto.golive.redis_persistence": {"strategy": "queue"}}]
    playbook = project.directory / "mine.yml"
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    ran = project.play(str(playbook), "-i", project.inventory("hosts.yml", shop(redis={"r1": LOCAL})), "--check")
    assert (ran.rc, ran.report) == (0, None), ran.output
    assert "skipping: [r1]" in ran.output
    assert "ok: [r1]" in ran.output


def test_what_its_item_forbids_is_not_done(project: Project) -> None:
    content = shop(probe={"p1": LOCAL})
    routes = [{"request": "POST admin:/login", "rate": "10/m", "burst": 5, "key": "ip"}]
    forbidden = {"security_rate_limit_routes": routes, "golive_domains": {"admin": "admin.comanda.example"}, "security_rate_limit_impact": "passive"}
    content["all"]["vars"] = {**OWNER, **forbidden}  # type: ignore[index]  # it is a nested literal
    ran = audit(project, content)
    assert ran.codes("security.rate_limit") == {"verdict.impact"}


EVIDENCE = """
- ansible.builtin.import_playbook: {playbooks}/preflight.yml
- name: Prove it by hand
  hosts: a1
  gather_facts: false
  tasks:
    - name: Record what was seen
      resto.golive.evidence: {{items: {items}, name: "{name}", status: "{status}", says: seen}}
- ansible.builtin.import_playbook: {playbooks}/decide.yml
"""


def test_a_users_own_evidence_fills_a_box_and_goes_only_by_an_approved_retirement(project: Project) -> None:
    content = shop(app={"a1": LOCAL})

    def found(name: str, status: str = "pass") -> str:
        book = project.directory / "evidence.yml"
        book.write_text(EVIDENCE.format(playbooks=ROOT / "playbooks", items=["acceptance.smoke_ui"], name=name, status=status))
        return project.play(str(book), "-i", project.inventory("hosts.yml", content).parent).state("acceptance.smoke_ui")

    assert found("playwright") == "pass"
    assert found("playwright", "fail") == "fail"
    assert found("cypress") == "stale"  # it passes under its new name; what was said under the old one holds no longer, and is not taken back either
    by = {"item": "acceptance.smoke_ui", "target": "playwright", "reason": "ahora es cypress", "by": "ana@comanda.example"}
    content["all"]["vars"] = {**OWNER, "golive_retired": [{**by, "approver": "luis@comanda.example"}]}  # type: ignore[index]  # it is a nested literal
    assert found("cypress") == "pass"
    assert found("playwright", "fail") == "fail"  # what is recorded again counts again


FIX = """
- ansible.builtin.import_playbook: {playbooks}/preflight.yml
- name: Fail to fix
  hosts: r1
  gather_facts: false
  tasks:
    - block:
        - ansible.builtin.fail: {{msg: no such package}}
      rescue:
        - name: Record that the fix failed
          resto.golive.evidence: {{items: [redis.persistence], name: redis, status: fail, says: no such package, failed_fix: true}}
        - name: Prove something by hand
          resto.golive.evidence: {{items: [acceptance.smoke_ui], name: playwright, status: pass, says: seen}}
- ansible.builtin.import_playbook: {playbooks}/decide.yml
"""


def test_a_fix_that_fails_is_told_under_check_mode_too_and_nothing_is_kept(project: Project) -> None:
    book = project.directory / "fix.yml"
    book.write_text(FIX.format(playbooks=ROOT / "playbooks"))
    staging = project.inventory("hosts.yml", shop(redis={"r1": LOCAL}, app={"a1": LOCAL})).parent
    ran = project.play(str(book), "-i", staging, "--check", "-v", "-e", "golive_fail_on_no_go=false")
    assert ran.recap["r1"]["rescued"] == 1, ran.output
    assert ran.decided["states"]["redis.persistence"] == "fail"
    assert ran.decided["states"]["acceptance.smoke_ui"] == "unknown"
    assert ran.report is None
    assert not project.reports.exists()


def test_a_ledger_whose_newest_run_and_head_are_gone_is_no_go(project: Project) -> None:
    content = shop(redis={"r1": LOCAL})
    runs = project.reports / "staging" / "runs"
    for _run in range(2):
        assert audit(project, content).problems() == set()
    shutil.rmtree(runs / json.loads((runs / "HEAD").read_text())["run_id"])
    (runs / "HEAD").unlink()
    assert audit(project, content).problems() == {"ledger.head_lost"}
    (runs / "HEAD").write_text("{")
    assert audit(project, content).problems() == {"ledger.head_lost"}
