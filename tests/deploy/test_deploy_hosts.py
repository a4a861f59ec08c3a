"""`deployment.hosts`: whom a stage deploys to, and a record of it that is judged again."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from kit.command import Command

from gatekeeper.config.sections.hosts import Host
from gatekeeper.errors import UsageError
from gatekeeper.legs.setup import Known
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import StageReport, TargetReport
from gatekeeper.records.rollout import Asked, Decision, Live, Production, RolloutLimits, Ruling, Seen, Window
from gatekeeper.stages._hosts import checked, here, why_not
from gatekeeper.stats.rollout import NOTHING, Judge
from gatekeeper.verdicts.rehearsed import PRODUCTION, judge_production

LIMITS = RolloutLimits(slow_ms=100.0, burst_s=0.1)


def rolled(errors: int = 0, most: int = 2000) -> Live:
    """A canary at once, whose green fails so many of 40 requests a look."""
    judge, windows, ruling = Judge(LIMITS, 1), [], NOTHING
    while not judge.over and len(windows) < most:
        seen = Window(
            step=0, seconds=round(0.1 * (len(windows) + 1), 3), green=Seen(requests=40, errors=errors, slow=errors),
            blue=Seen(requests=40), asked=Asked(pairs=2),
        )  # fmt: skip
        windows.append(seen)
        ruling = judge.see(seen)
    return Live(host="edge-1", artifact="a" * 64, steps=[10], limits=LIMITS, windows=windows, ruling=ruling)


def judged(live: Live | None, **changes: Any) -> tuple[Verdict, str]:
    told = {"variant": "a/b/c", "outcome": "deployed", "strategy": "canary", "ramping": "immediate", "rollback": "automatic"}
    own = Production(**(told | {"live": live} | changes))  # type: ignore[arg-type]
    return judge_production(StageReport(stage=PRODUCTION, verdict=Verdict.PASS, reason="", production=[own]), [])


def test_what_was_promoted_among_users_passes_and_says_so() -> None:
    verdict, reason = judged(rolled())
    assert verdict is Verdict.PASS and reason.startswith("deployed: ") and "on edge-1" in reason


def test_what_was_rolled_back_fails_and_what_was_held_is_inconclusive() -> None:
    assert judged(rolled(errors=8))[0] is Verdict.FAIL
    assert judged(rolled(most=30))[0] is Verdict.INCONCLUSIVE


HONEST = rolled()
BAD = rolled(errors=8)
EDITS: dict[str, tuple[Live | None, dict[str, Any], str]] = {
    "a ruling that its windows do not give": (msgspec.structs.replace(BAD, ruling=HONEST.ruling), {}, "what was seen of it says"),
    "fewer windows": (msgspec.structs.replace(HONEST, windows=HONEST.windows[:50]), {}, "what was seen of it says hold"),
    "looser limits": (
        msgspec.structs.replace(HONEST, limits=msgspec.structs.replace(LIMITS, error_rate=0.5)), {}, "error_rate may be 0.5"
    ),
    "a larger first step": (HONEST, {"strategy": "blue_green"}, "which blue_green has not"),
    "no limits": (msgspec.structs.replace(HONEST, limits=None), {}, "no limits"),
    "deployed without a rollout": (None, {}, "holds no rollout among users"),
    "rehearsed with one": (HONEST, {"outcome": "rehearsed"}, "holds a rollout among users"),
    "served already, with windows": (msgspec.structs.replace(HONEST, already=True), {}, "served on edge-1 already"),
    "served already, and rolled back": (
        Live(host="x", artifact="a" * 64, already=True, ruling=Ruling(decision=Decision.ROLLBACK)), {}, "already, and holds"
    ),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_record_does_not_pass(edit: str) -> None:
    live, changes, said = EDITS[edit]
    verdict, reason = judged(live, **changes)
    assert verdict is Verdict.ERROR and said in reason, reason


def test_this_machine_is_known_by_its_names_and_no_other_is() -> None:
    assert here("localhost") and here("127.0.0.1") and here(socket.gethostname())
    assert checked(Host(host="localhost")).port == 8080
    with pytest.raises(UsageError, match=r"names elsewhere\.example, and this machine is .*self-hosted runner"):
        checked(Host(host="elsewhere.example"))


def test_what_a_run_may_not_deploy_is_rehearsed_with_the_reason() -> None:
    legs = [SimpleNamespace(id=name, skip=None) for name in ("x/a", "x/b")]
    setup: Any = SimpleNamespace(legs=legs, planned=legs, loaded=SimpleNamespace(policy=None))
    known = Known(targets=[target_of_verdict("x", Verdict.PASS)])
    own: Any = [("x/a/int8", None)]
    assert why_not(setup, known, own, {}) == ""
    for event in ("pull_request", "pull_request_target", "workflow_run", "issue_comment", "merge_group", ""):
        assert "deploys nothing" in why_not(setup, known, own, {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": event})
    assert why_not(setup, known, own, {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push"}) == ""
    part: Any = SimpleNamespace(legs=legs[:1], planned=legs)
    assert "ran 1 of 2 legs" in why_not(part, known, own, {})
    assert "2 targets" in why_not(setup, known, own * 2, {})


@pytest.mark.parametrize("what", ["another target", "a stage", "the policy"])
def test_what_is_no_pass_as_a_whole_does_not_go_live(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`gatekeeper deploy` refuses its report; a stage that runs before the report is there must not be easier."""
    legs = [SimpleNamespace(id=name, skip=None) for name in ("x/a", "y/a")]
    setup: Any = SimpleNamespace(legs=legs, planned=legs, loaded=SimpleNamespace(policy=what == "the policy" or None))
    monkeypatch.setattr("gatekeeper.config.policy.unheld", lambda _: [("the target z of the policy is missing", ("targets",))])
    targets = [target_of_verdict("x", Verdict.PASS)]
    if what == "another target":
        targets.append(target_of_verdict("y", Verdict.FAIL))
    verdict = Verdict.ERROR if what == "a stage" else Verdict.PASS
    known = Known(targets=targets, stages=[StageReport(stage="own", verdict=verdict, reason="")])
    said = {"another target": "y is fail", "a stage": "the stage own is error", "the policy": "of the policy is missing"}[what]
    own: Any = [("x/a/int8", None)]
    assert said in why_not(setup, known, own, {})


def target_of_verdict(name: str, verdict: Verdict) -> TargetReport:
    return TargetReport(name=name, verdict=verdict, selected=None, environment=None, variants=[])


def test_the_reason_of_a_rehearsal_is_in_its_line() -> None:
    from kit.rehearsed import rehearsal

    own = Production(
        variant="edge/onnx_runtime/int8", outcome="rehearsed", strategy="blue_green", ramping="gradual", rollback="automatic",
        rehearsal=rehearsal(), why="this job ran 1 of 2 legs",
    )  # fmt: skip
    verdict, reason = judge_production(StageReport(stage=PRODUCTION, verdict=Verdict.PASS, reason="", production=[own]), [])
    assert verdict is Verdict.PASS and reason.startswith("rehearsed, not deployed (this job ran 1 of 2 legs): ")


def test_the_file_is_held_to_one_host(gatekeeper: Command, tmp_path: Any) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("edge_ai_pipeline:\n  stages: [model_validation]\n  deployment: {hosts: [{host: a}, {host: b, prt: 1}]}\n")
    done = gatekeeper("validate", file)
    assert done.returncode == 2 and "did you mean 'port'" in done.stderr
    file.write_text(file.read_text().replace(", prt: 1", ""))
    done = gatekeeper("validate", file)
    assert done.returncode == 2
    assert "2 hosts are named, and one is supported" in done.stderr and "without the stage production_deployment" in done.stderr
