"""The merge judges again: each way a leg may speak for itself ends in no pass, and in words that say what is wrong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kit.measured import CHECKED, LIMITS, OF_TENSORS, Limits, Made, applied, measured

from gatekeeper.config.policy import limits_file, policy_file
from gatekeeper.errors import UsageError
from gatekeeper.models.files import digest
from gatekeeper.planning.plan import Plan, PlannedLeg, PlannedVariant
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Report
from gatekeeper.records.scores import KeptClass, KeptOutput
from gatekeeper.records.wish import Wish
from gatekeeper.reports._base import reporter
from gatekeeper.verdicts.held import held_report
from gatekeeper.verdicts.judge import exit_code
from gatekeeper.verdicts.merge import merge
from gatekeeper.verdicts.rules import Rules

Command = Callable[..., subprocess.CompletedProcess[str]]
Edit = Callable[[dict[str, Any]], object]
PASS, FAIL, OPEN, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.SKIP
LEG = "cpu/onnx_runtime"
POLICY = "edge_ai_pipeline: {targets: [{name: cpu, hardware: cpu}], gates: {accuracy: {retention: 0.95}}}\n"
WORSE = Made(kept=0.1)


def plan(*techniques: str, **more: Any) -> Plan:
    variants = [PlannedVariant(id=f"{LEG}/{name}", technique=name, **more) for name in techniques]
    leg = PlannedLeg(
        id=LEG, target="cpu", hardware="cpu", framework="onnx_runtime", extra="", runs_on="x", variants=variants
    )  # fmt: skip
    return Plan(schema="gatekeeper/plan/v1", pipeline="p.yaml", pipeline_sha256="p" * 64, legs=[leg])


def edited(report: Report, edit: Edit) -> Report:
    data = json.loads(reporter("json").render(report))
    edit(data)
    return msgspec.convert(data, Report)


def variant_of(data: dict[str, Any], index: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = data["targets"][0]["variants"][index]
    return found


def gate_of(data: dict[str, Any], name: str, index: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = next(g for g in variant_of(data, index)["gates"] if g["gate"] == name)
    return found


def passes(data: dict[str, Any], name: str = "accuracy", **more: Any) -> None:
    """What a forger writes beside every other edit: that it passes."""
    gate_of(data, name).update({"verdict": "pass", **more})
    variant_of(data)["verdict"] = "pass"


def without_accuracy(data: dict[str, Any]) -> None:
    variant_of(data)["gates"] = [g for g in variant_of(data)["gates"] if g["gate"] != "accuracy"]
    variant_of(data)["verdict"] = "pass"


def invented(data: dict[str, Any]) -> None:
    passes(data)
    gate_of(data, "accuracy")["gate"] = "quality"


def twice(data: dict[str, Any]) -> None:
    again = json.loads(json.dumps(variant_of(data)))
    again["verdict"] = "pass"
    again["gates"] = [g for g in again["gates"] if g["verdict"] == "pass"]
    data["targets"][0]["variants"].append(again)


def unplanned(data: dict[str, Any]) -> None:
    twice(data)
    data["targets"][0]["variants"][-1].update(id=f"{LEG}/better", technique="better")


def renamed(data: dict[str, Any]) -> None:
    variant_of(data).update(id="cpu/openvino/int8", framework="openvino")


def artifact(**more: Any) -> Edit:
    return lambda data: (passes(data, lower=0.96, observed=0.97, upper=0.98), variant_of(data)["artifact"].update(more))


NAMED: dict[str, tuple[Edit, int, str]] = {
    "pass beside bounds that miss": (passes, 1, f"{LEG}/int8: accuracy says pass, and its own numbers say fail"),
    "limit": (lambda d: passes(d, limit=0.01), 1, "its own numbers say fail and says the limit is 0.01, which base.yaml:1"),
    "gate removed": (without_accuracy, 2, f"{LEG}/int8: accuracy was not judged, and"),
    "gate invented": (invented, 2, f"{LEG}/int8: the gate 'quality' is none that is known here"),
    "variant twice": (twice, 2, f"the variant {LEG}/int8 is there 2 times"),
    "variant not in the plan": (unplanned, 2, f"the plan has no variant {LEG}/better"),
    "variant renamed": (renamed, 2, "the variant cpu/openvino/int8 belongs to none of its legs"),
    "variant missing": (lambda d: d["targets"][0].update(variants=[]), 2, f"{LEG}/int8 of the plan is missing"),
    "bounds of -5": (lambda d: passes(d, lower=-5, observed=-5, upper=-5), 1, "accuracy says pass"),
    "bounds out of order": (lambda d: passes(d, lower=-5, upper=-5), 2, "its bounds are out of order"),
    "path that climbs out": (artifact(path="../../etc/passwd"), 2, "its artifact lies at '../../etc/passwd', outside of"),
    "path with a drive": (artifact(path="C:\\models\\m.onnx"), 2, "outside of the report's folder"),
    "does not block": (lambda d: gate_of(d, "accuracy").update(blocking=False), 1, "says that it does not block"),
    "disabled": (
        lambda d: gate_of(d, "accuracy").update(verdict="skip", blocking=False, limit=None), 1, "says that it is disabled",
    ),
    "skipped": (lambda d: variant_of(d).update(verdict="skip", gates=[]), 4, ""),
    "bytes of -1": (artifact(bytes=-1), 2, "Expected `int` >= 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_no_edit_of_a_failing_leg_passes(name: str, gatekeeper: Command, tmp_path: Path) -> None:
    edit, code, says = NAMED[name]
    policy = tmp_path / "base.yaml"
    policy.write_text(POLICY)
    (tmp_path / "plan.json").write_bytes(msgspec.json.encode(plan("int8")))
    report = measured(LEG, {"int8": WORSE}, policy="main", policy_sha256=digest(policy))
    data = json.loads(reporter("json").render(report))
    edit(data)
    (tmp_path / "report.json").write_text(json.dumps(data))
    done = gatekeeper("report", "report.json", "--policy", "base.yaml", "--plan", "plan.json")
    assert done.returncode == code, done
    said = " ".join((done.stdout + done.stderr).split())
    assert " ".join(says.split()) in said
    assert not says or "report.json" in said
    assert "Traceback" not in done.stderr


def test_an_undecided_leg_does_not_say_what_that_means(gatekeeper: Command, tmp_path: Path) -> None:
    policy = tmp_path / "base.yaml"
    policy.write_text(POLICY)
    report = measured(
        LEG, {"int8": Made(speed=2.0, noise=0.1)}, policy="main", policy_sha256=digest(policy), on_inconclusive="warn"
    )  # fmt: skip
    (tmp_path / "report.json").write_text(reporter("json").render(report))
    assert gatekeeper("report", "report.json").returncode == 0
    done = gatekeeper("report", "report.json", "--policy", "base.yaml")
    assert done.returncode == 3
    assert "report.json: says `on_inconclusive: warn`, which base.yaml does not" in " ".join(done.stdout.split())


CLASSES = tuple(KeptClass(name=n, examples=90, both=b, only_baseline=85 - b, only_variant=2) for n, b in (("a", 85), ("b", 80)))
LOST_CLASS = KeptClass(name="c", examples=90, both=20, only_baseline=60, only_variant=0)
KEPT = KeptOutput(name="y", what="variance kept", observed=0.99, lower=0.98, upper=0.995, examples=1000)
LOST_OUTPUT = msgspec.structs.replace(KEPT, observed=0.2, lower=0.1, upper=0.3)

NOISE: Limits = {**LIMITS, "robustness": {"corruptions": ["noise"], "seed": 3}}

KINDS = {
    "as it is": (Made(), {}),
    "slow": (Made(speed=1.5), {}),
    "undecided": (Made(speed=2.0, noise=0.1), {}),
    "wrong": (WORSE, {}),
    "few examples": (Made(examples=58), {}),
    "large": (Made(peak=0.9), {}),
    "unsteady": (Made(tail=1.5), {}),
    "crashed": (Made(error="it crashed"), {}),
    "noisy runner": (Made(speed=2.3), {"copy": 1.5}),
    "third attempt": (Made(speed=2.2, noise=0.05), {"attempt": 3}),
    "package": (Made(), {"limits": {**LIMITS, "package_size": {"max": "50MB"}}}),
    "too large a package": (Made(size=60_000_000), {"limits": {**LIMITS, "package_size": {"max": "50MB"}}}),
    "disabled": (Made(speed=1.5), {"limits": {**LIMITS, "speedup": None}}),
    "warns": (Made(speed=1.5), {"limits": {**LIMITS, "speedup": {"on_fail": "warn"}}}),
    "tested": (Made(checks=[PASS, PASS], late=5), {"limits": {**LIMITS, **CHECKED}}),
    "all late": (Made(checks=[PASS], late=90), {"limits": {**LIMITS, **CHECKED}}),
    "a check fails": (Made(checks=[PASS, FAIL], late=0), {"limits": {**LIMITS, **CHECKED}}),
    "collapsed": (Made(collapsed="it answers one class"), {}),
    "nothing else to judge": (Made(), {"limits": OF_TENSORS}),
    "every output and class": (Made(classes=CLASSES, outputs=(KEPT,)), {"limits": OF_TENSORS}),
    "an output lost": (Made(outputs=(LOST_OUTPUT,)), {"limits": OF_TENSORS}),
    "an output that is NaN": (Made(outputs=(msgspec.structs.replace(KEPT, problem="NaN"),)), {"limits": OF_TENSORS}),
    "a class lost": (Made(classes=(*CLASSES, LOST_CLASS)), {"limits": OF_TENSORS}),
    "robust": (Made(under={"noise": 0.99}), {"limits": NOISE}),
    "not robust": (Made(under={"noise": 0.5}), {"limits": NOISE}),
    "undecided under noise": (Made(under={"noise": 0.9}), {"limits": NOISE}),
    "calibrated": (Made(sure=0.995), {"limits": {**LIMITS, "calibration_error": {}}}),
    "not calibrated": (Made(sure=0.7), {"limits": {**LIMITS, "calibration_error": {"bins": 15}}}),
    "the baseline's p99": (Made(checks=[PASS], late=0), {"limits": {**LIMITS, **CHECKED, "p99_latency": {}}}),
}


@pytest.mark.parametrize("name", KINDS)
def test_what_was_measured_is_judged_as_it_was(name: str) -> None:
    made, more = KINDS[name]
    report = measured(LEG, {"int8": made}, **more)
    assert held_report(report, "report.json", Rules(plan("int8"))) is report


@pytest.mark.parametrize(
    ("made", "gate", "edit", "verdict"),
    [
        (Made(collapsed="it answers one class"), "accuracy", {}, FAIL),
        (Made(collapsed="it answers one class"), "accuracy", {"verdict": "inconclusive"}, FAIL),
        (Made(classes=(*CLASSES, LOST_CLASS)), "worst_class", {"lower": 0.96, "observed": 0.97, "upper": 0.98}, FAIL),
        (Made(classes=(*CLASSES, LOST_CLASS)), "worst_class", {"details": {}}, ERROR),
        (Made(classes=(*CLASSES, LOST_CLASS)), "worst_class", {"verdict": "skip", "blocking": False}, FAIL),
        (Made(outputs=(LOST_OUTPUT,)), "outputs", {}, FAIL),
        (Made(outputs=(LOST_OUTPUT,)), "outputs", {"verdict": "skip", "blocking": False}, FAIL),
        (Made(outputs=(msgspec.structs.replace(KEPT, problem="NaN"),)), "outputs", {}, ERROR),
    ],
)
def test_what_failed_besides_its_bounds_stays_failed(made: Made, gate: str, edit: dict[str, Any], verdict: Verdict) -> None:
    report = measured(LEG, {"int8": made}, limits=OF_TENSORS)
    assert report.verdict is FAIL
    forged = edited(report, lambda d: passes(d, gate, **edit))
    rules = Rules()
    rules._limits["cpu"] = {limit.name: limit for limit in applied(OF_TENSORS)}
    found = held_report(forged, "r", rules).targets[0].variants[0]
    assert found.verdict is verdict
    assert {g.gate: g.verdict for g in found.gates}[gate] is verdict


def test_a_gate_by_its_other_name_is_the_same_gate() -> None:
    report = edited(measured(LEG, {"int8": WORSE}), lambda d: gate_of(d, "accuracy").update(gate="agreement"))
    assert held_report(report, "report.json", Rules(plan("int8"))) is report
    both = edited(report, lambda d: variant_of(d)["gates"].append(gate_of(d, "agreement") | {"gate": "accuracy"}))
    with pytest.raises(UsageError, match="the gate accuracy is there 2 times"):
        held_report(both, "report.json", Rules())


def rounds_of(data: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = variant_of(data)["performance"]["rounds"]
    return found


CONTRADICTIONS: dict[str, tuple[Edit, str]] = {
    "a bound of speed": (lambda d: gate_of(d, "speedup").update(lower=0.1), "its lower bound is 0.1, and its own"),
    "rounds of speed": (lambda d: rounds_of(d)[0].update(mean_ns=1e5), "speedup: its"),
    "a bound of memory": (lambda d: gate_of(d, "memory").update(upper=0.99), "memory: its upper bound is 0.99"),
    "a bound of stability": (lambda d: gate_of(d, "stability").update(lower=-0.5), "stability: its lower bound is -0.5"),
    "another attempt": (lambda d: d["targets"][0]["legs"][0].update(attempt=5), "its lower bound is"),
    "fewer looks": (lambda d: d["targets"][0]["legs"][0].update(max_rounds=8), "its lower bound is"),
    "a round less": (lambda d: rounds_of(d).pop(), "its median latency is"),
    "a round twice": (lambda d: rounds_of(d).append(rounds_of(d)[-1]), "round 7 comes twice"),
    "a round of its own": (lambda d: rounds_of(d)[-1].update(round=9), "the baseline was not measured in its round 9"),
    "percentiles": (lambda d: rounds_of(d)[0].update(p95_ns=1.0), "percentiles out of order"),
    "median": (lambda d: variant_of(d)["performance"].update(p50_ns=1.0), "its median latency is 1 ns"),
    "memory": (lambda d: variant_of(d)["performance"].update(peak_bytes=1.0), "its peak memory is 1 bytes"),
    "no memory": (lambda d: variant_of(d)["performance"].update(peak_bytes=None), "its peak memory is nothing"),
    "energy": (lambda d: variant_of(d)["performance"].update(joules=1e-9), "its energy is 1e-09 J"),
    "the baseline's": (lambda d: d["targets"][0]["legs"][0]["baseline"].update(peak_bytes=1e12), "its baseline: its peak memory"),
    "unit": (lambda d: gate_of(d, "speedup").update(unit="fraction"), "it is at_least in 'fraction'"),
    "side": (lambda d: gate_of(d, "speedup").update(bound="at_most"), "it is at_most in 'x'"),
    "gate twice": (lambda d: variant_of(d)["gates"].append(gate_of(d, "speedup")), "the gate speedup is there 2 times"),
    "leg elsewhere": (lambda d: d["targets"][0].update(name="arm"), f"the leg {LEG} stands in the target arm"),
    "untimed": (lambda d: d["targets"][0]["legs"][0].update(untimed="x"), "those of onnx_runtime always do mean"),
    "skip": (lambda d: gate_of(d, "speedup").update(verdict="skip"), "it says skip, and nothing in its leg says why"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_report_that_contradicts_itself_is_refused(name: str) -> None:
    edit, says = CONTRADICTIONS[name]
    report = edited(measured(LEG, {"int8": Made(speed=2.2, noise=0.05)}), edit)
    with pytest.raises(UsageError) as refused:
        held_report(report, "legs/report.json", Rules())
    assert str(refused.value).startswith("legs/report.json: ")
    assert says in str(refused.value)


def test_rounds_that_are_gone_prove_nothing() -> None:
    report = edited(measured(LEG, {"int8": Made()}), lambda d: variant_of(d).update(performance=None))
    found = held_report(report, "report.json", Rules()).targets[0].variants[0]
    assert found.verdict is ERROR
    assert [g.verdict for g in found.gates] == [PASS, ERROR, ERROR, ERROR]


def test_the_control_of_an_earlier_version_is_the_one_it_states() -> None:
    """It kept no rounds of it."""
    for copy, verdict in ((1.0, PASS), (1.5, OPEN)):
        report = measured(LEG, {"int8": Made(speed=2.3)}, copy=copy)
        assert report.verdict is verdict
        older = edited(report, lambda d: d["targets"][0]["legs"][0].update(control_rounds=[]))
        assert held_report(older, "report.json", Rules()) is older


def test_the_control_is_made_of_its_rounds() -> None:
    report = measured(LEG, {"int8": Made(speed=2.3)}, copy=1.5)
    forged = edited(report, lambda d: passes(d, "speedup", control={"observed": 1.0, "lower": 0.9, "upper": 1.1}))
    assert held_report(forged, "report.json", Rules()).targets[0].variants[0].verdict is OPEN


def policy_rules(tmp_path: Path, gates: str, **more: Any) -> Rules:
    file = tmp_path / "base.yaml"
    file.write_text(f"edge_ai_pipeline: {{targets: [{{name: cpu, hardware: cpu}}], gates: {gates}}}\n")
    return Rules(policy=policy_file(file).limits, **more)


def test_a_stricter_limit_of_ones_own_holds(tmp_path: Path) -> None:
    rules = policy_rules(tmp_path, "{speedup: {min: 1.2, on_fail: warn}}")
    report = measured(LEG, {"int8": Made(speed=1.5)})
    assert held_report(report, "report.json", rules) is report
    assert report.verdict is FAIL


@pytest.mark.parametrize("kind", ["own file", "policy"])
def test_require_is_the_file_s(kind: str, tmp_path: Path) -> None:
    rules = policy_rules(tmp_path, "{require: all}", plan=plan("int8", "fp16"))
    if kind == "own file":
        rules = Rules(rules.plan, limits_file(tmp_path / "base.yaml"))
    report = measured(LEG, {"int8": Made(), "fp16": WORSE})
    assert merge([report]).verdict is PASS
    found = merge([held_report(report, "report.json", rules)])
    assert (found.verdict, found.targets[0].require) == (FAIL, "all")
    assert "report.json: says `require: best` for cpu" in found.notes[0]


def test_what_is_preferred_is_the_file_s(tmp_path: Path) -> None:
    """A report that chooses otherwise than its file chooses nothing."""
    optimization = "optimization: {select: memory}, targets: [{name: cpu, hardware: cpu}]"
    (tmp_path / "p.yaml").write_text(f"edge_ai_pipeline: {{{optimization}}}\n")
    report = measured(LEG, {"int8": Made(), "fp16": Made(speed=4.0)})
    own = msgspec.structs.replace(report.targets[0], wish=Wish(select="preferences", weights={"speed": 9.0}))
    edited = msgspec.structs.replace(report, targets=[own])
    rules = Rules(file=limits_file(tmp_path / "p.yaml"))
    found = held_report(edited, "report.json", rules)
    assert found.targets[0].wish.select == "memory"
    assert "report.json: says `preferences: {speed: 9}` for cpu, and" in found.notes[0]
    assert merge([found]).targets[0].because.startswith("`select: memory`")
    told = msgspec.structs.replace(report, targets=[msgspec.structs.replace(own, wish=Wish(select="memory", where="p.yaml:9"))])
    assert held_report(told, "report.json", rules) is told


def test_with_require_all_nobody_leaves_a_variant_out(tmp_path: Path) -> None:
    rules = policy_rules(tmp_path, "{require: all}", plan=plan("int8", "fp16"))
    report = measured(LEG, {"int8": Made(), "fp16": WORSE}, require="all")
    assert merge([held_report(report, "r", rules)]).verdict is FAIL
    gone = edited(report, lambda d: variant_of(d, 1).update(verdict="skip", gates=[], reason="cannot be made"))
    found = merge([held_report(gone, "r", rules)])
    assert found.verdict is ERROR
    assert found.targets[0].variants[1].reason == "it was left out, and the plan does not leave it out"
    dropped = edited(report, lambda d: d["targets"][0]["variants"].pop())
    with pytest.raises(UsageError, match="fp16 of the plan is missing"):
        held_report(dropped, "r", rules)


def test_what_the_plan_leaves_out_is_left_out(tmp_path: Path) -> None:
    whole = plan("int8", "fp16")
    [leg] = whole.legs
    variants = [leg.variants[0], msgspec.structs.replace(leg.variants[1], skip="cannot be made")]
    rules = policy_rules(
        tmp_path, "{require: all}", plan=msgspec.structs.replace(whole, legs=[msgspec.structs.replace(leg, variants=variants)])
    )
    report = measured(LEG, {"int8": Made(), "fp16": WORSE}, require="all")
    left_out = edited(
        report, lambda d: variant_of(d, 1).update(verdict="skip", gates=[], artifact=None, performance=None, quality=None)
    )
    assert merge([held_report(left_out, "r", rules)]).verdict is PASS


def test_a_leg_that_could_not_be_measured_need_not_name_its_variants() -> None:
    report = edited(measured(LEG, {}, error="no such device"), lambda d: None)
    assert exit_code(merge([held_report(report, "r", Rules(plan("int8")))])) == 4


def test_times_that_mean_nothing_mean_nothing() -> None:
    """Of a framework that knows of such times its word is taken; the variant is then not the one that passes."""

    def untimed(data: dict[str, Any]) -> None:
        variant_of(data)["verdict"] = "skip"
        for name in ("speedup", "stability"):
            gate_of(data, name).update(verdict="skip", observed=None, lower=None, upper=None)

    report = edited(measured("cpu/apple_mlx", {"int8": Made()}, untimed="reference CPU backend"), untimed)
    found = merge([held_report(report, "r", Rules())])
    assert found.targets[0].variants[0].verdict is SKIP
    assert found.verdict is ERROR


def test_what_only_the_testing_stage_shows_is_not_taken_for_granted(tmp_path: Path) -> None:
    """A leg that says it was tested, and shows nothing."""
    from gatekeeper.records.report import StageReport

    text = "{}, stages: [model_validation, optimization, testing], testing: {unit_tests: basic}"
    ran = [StageReport(stage=name, verdict=PASS) for name in ("model_validation", "optimization", "testing")]
    rules = policy_rules(tmp_path, text)
    found = merge([held_report(measured(LEG, {"int8": Made()}, stages=ran), "r", rules)])
    assert found.verdict is ERROR
    assert "unit_tests: it was not judged" in found.targets[0].variants[0].reason
    lost = merge([held_report(measured(LEG, {"int8": Made()}, stages=ran[:2]), "r", rules)])
    assert lost.verdict is ERROR
    assert "lists it" in lost.stages[-1].reason


def test_problems_of_a_report_are_told_together_and_the_many_are_counted() -> None:
    report = measured(LEG, {f"v{i}": Made() for i in range(8)})
    data = json.loads(reporter("json").render(report))
    for index in range(8):
        variant_of(data, index)["artifact"]["path"] = "/etc/passwd"
    with pytest.raises(UsageError) as refused:
        held_report(msgspec.convert(data, Report), "r.json", Rules())
    lines = str(refused.value).splitlines()
    assert len([line for line in lines if "outside of" in line]) == 5
    assert lines[5] == "r.json: and 3 more"
    assert "Run that leg again" in lines[6]
