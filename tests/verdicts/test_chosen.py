"""One passing variant is enough for a target, if it is shown to pass among all that may be at a limit."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kit.measured import OF_TENSORS, Made, measured

from gatekeeper.deploy.packages._approved import _named
from gatekeeper.deploy.packages._base import Part
from gatekeeper.errors import Refused
from gatekeeper.gates._base import Told, gate
from gatekeeper.monitor.resolution.host import fastest
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import Report
from gatekeeper.records.scores import KeptClass, KeptOutput
from gatekeeper.reports._base import reporter
from gatekeeper.stats.closed import share_of_bound
from gatekeeper.verdicts.chosen import near, shown_among
from gatekeeper.verdicts.held import held_report
from gatekeeper.verdicts.merge import merge
from gatekeeper.verdicts.rules import Rules
from gatekeeper.verdicts.shares import share_of

PASS, FAIL, OPEN, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.SKIP
ORT, VINO, OLIVE = LEGS = ("cpu/onnx_runtime", "cpu/openvino", "cpu/microsoft_olive")
CLEAR, NEAR, AT, BAD = Made(), Made(kept=0.963), Made(kept=0.955), Made(kept=0.5)
"""Of 1,000 answers, 0.963 passes at about 0.7 of the level, 0.955 is undecided."""


def merged(legs: Mapping[str, Mapping[str, Made]], **more: Any) -> Report:
    reports = [measured(leg, made, manifest=list(legs), seed=i, **more) for i, (leg, made) in enumerate(legs.items())]
    return merge([held_report(each, "r", Rules()) for each in reports])


def test_one_that_is_near_its_limit_passes_if_it_is_the_only_one() -> None:
    found = measured(ORT, {"int8": NEAR}).targets[0]
    assert (found.verdict, found.selected, found.reason, found.notes) == (PASS, f"{ORT}/int8", "", [])


@pytest.mark.parametrize("parted", [False, True])
def test_of_several_it_is_not_enough_to_pass_alone(parted: bool) -> None:
    """Wherever they ran, in one leg or in several."""
    made = {"int8": NEAR, "int4": AT, "fp16": AT}
    legs = {leg: {name: each} for leg, (name, each) in zip(LEGS, made.items(), strict=True)} if parted else {ORT: made}
    report = merged(legs)
    [target] = report.targets
    assert [v.verdict for v in target.variants] == [PASS, OPEN, OPEN]
    assert (report.verdict, target.verdict, target.selected) == (OPEN, OPEN, None)
    assert "onnx_runtime/int8 passes only if looked at alone (accuracy): of 3 variants that may be at a limit" in target.reason
    assert "take more examples, or ask for fewer techniques" in target.reason
    if parted:  # each leg knows of its own only, and leaves the target to the merge
        assert measured(ORT, legs[ORT], manifest=LEGS).targets[0].verdict is PASS


def test_all_may_be_named() -> None:
    few = Made(kept=0.9625)
    target = measured(ORT, {"int8": few, "int4": few, "fp16": AT}).targets[0]
    assert target.verdict is OPEN
    assert target.reason.startswith("each of 2 variants (onnx_runtime/")


@pytest.mark.parametrize("beside", [BAD, Made(error="no memory"), Made(collapsed="it answers one class", kept=0.3)])
def test_what_is_ruled_out_costs_nothing(beside: Made) -> None:
    target = measured(ORT, {"int8": NEAR, "int4": beside, "fp16": beside}).targets[0]
    assert (target.verdict, target.selected, target.notes) == (PASS, f"{ORT}/int8", [])


def test_a_clear_one_costs_the_others_nothing_and_is_chosen_where_they_are_not_shown() -> None:
    fast = Made(kept=0.963, speed=4.0)
    both = measured(ORT, {"int8": fast, "fp16": CLEAR}).targets[0]
    assert (both.verdict, both.selected, both.notes) == (PASS, f"{ORT}/int8", [])
    crowd = measured(ORT, {"int8": fast, "fp16": CLEAR, "a": AT, "b": AT}).targets[0]
    assert (crowd.verdict, crowd.selected) == (PASS, f"{ORT}/fp16")
    assert "onnx_runtime/int8 passes only if looked at alone (accuracy)" in crowd.notes[0]
    assert "The best of those that are shown to pass is chosen" in crowd.notes[0]


def test_what_passes_alone_is_neither_tried_nor_shipped_by_its_name() -> None:
    """The faster one that got through alone is what an alert of latency, or somebody who reads the report, would take."""
    crowd = measured(ORT, {"int8": Made(kept=0.963, speed=4.0), "fp16": CLEAR, "a": AT, "b": AT})
    [target] = crowd.targets
    assert target.selected == f"{ORT}/fp16" and target.variants[0].verdict is PASS
    assert [each.id for each in fastest(crowd)] == [f"{ORT}/fp16"]
    part = Part("container", "", None, ("container",))
    assert _named(crowd, f"{ORT}/fp16", part).id == f"{ORT}/fp16"
    with pytest.raises(Refused, match="int8 passes only if looked at alone"):
        _named(crowd, f"{ORT}/int8", part)
    few = measured(ORT, {"int8": Made(kept=0.963, speed=4.0), "fp16": CLEAR})
    assert [each.id for each in fastest(few)] == [f"{ORT}/int8", f"{ORT}/fp16"]
    every = measured(ORT, {"int8": NEAR, "int4": NEAR, "fp16": CLEAR}, require="all")
    assert len(fastest(every)) == 3


def test_where_every_variant_must_pass_nothing_is_corrected() -> None:
    target = measured(ORT, {"int8": NEAR, "int4": NEAR, "fp16": CLEAR}, require="all").targets[0]
    assert (target.verdict, target.reason) == (PASS, "")


def test_speed_near_its_limit_is_judged_again_from_the_rounds() -> None:
    slow = Made(speed=2.055, noise=0.035)
    alone = measured(ORT, {"int8": slow}, seed=9).targets[0]
    assert alone.verdict is PASS
    needed = share_of(alone.variants[0], alone.legs[0], 1e-6)
    assert needed.gate == "speedup" and 0.05 < needed.needed <= 1
    crowd = {"int8": slow, **{f"x{i}": Made(speed=2.0, noise=0.05) for i in range(12)}}
    target = measured(ORT, crowd, seed=9).targets[0]
    assert target.verdict is not PASS or target.selected != f"{ORT}/int8"


def test_what_fails_by_a_class_that_was_lost_is_counted() -> None:
    """Such a gate passes unless a fault is shown: how near the variant was otherwise is not known."""
    lost = (KeptClass(name="seven", examples=60, both=5, only_baseline=55, only_variant=0),)
    kept = (KeptClass(name="seven", examples=60, both=60, only_baseline=0, only_variant=0),)
    output = KeptOutput(name="box", observed=0.999, lower=0.998, upper=1.0, what="variance", examples=1000)
    made = {"int8": Made(kept=0.963, classes=kept, outputs=(output,)), "a": Made(classes=lost, outputs=(output,)), "b": AT}
    target = measured(ORT, made, limits=OF_TENSORS).targets[0]
    assert [v.verdict for v in target.variants][:2] == [PASS, FAIL]
    assert len(near(target.variants, target.legs)) == 3
    assert target.verdict is OPEN


@pytest.mark.parametrize("claim", ["fail", "error", "skip"])
def test_what_a_variant_claims_does_not_make_it_count_less(claim: str) -> None:
    data = json.loads(reporter("json").render(measured(ORT, {"int8": NEAR, "int4": AT, "fp16": AT})))
    for variant in data["targets"][0]["variants"][1:]:
        variant["verdict"] = claim
        next(each for each in variant["gates"] if each["gate"] == "accuracy")["verdict"] = claim
    found = merge([held_report(msgspec.convert(data, Report), "r", Rules())])
    assert found.targets[0].verdict is not PASS
    assert found.targets[0].selected is None


def test_a_leg_that_says_fewer_rounds_is_not_believed() -> None:
    report = measured(ORT, {"int8": CLEAR, "int4": CLEAR})
    leg = msgspec.structs.replace(report.targets[0].legs[0], max_rounds=8)
    edited = msgspec.structs.replace(report, targets=[msgspec.structs.replace(report.targets[0], legs=[leg])])

    class Asked(Rules):
        def max_rounds(self, stated: int) -> int:
            return 24

    found = held_report(edited, "r", Asked())
    assert found.targets[0].legs[0].max_rounds == 24
    assert "says that it could take 8 rounds" in found.notes[0]


def test_counts_are_believed_only_where_bounds_are_theirs() -> None:
    target = measured(ORT, {"int8": NEAR}).targets[0]
    [variant], [leg] = target.variants, target.legs
    each = next(g for g in variant.gates if g.gate == "accuracy")
    module: Any = gate("accuracy")

    def share(**details: Any) -> float:
        changed = msgspec.structs.replace(each, details={**each.details, **details})
        return float(module.share(Told(changed, variant, leg, 0.04)))

    bare = share(counts=None)
    assert share() < bare < 1  # the bounds alone say less
    for counts in ([1000, 0, 0], [963, 0, 0], [9630, 370, 0], [1, 2], "x", [964, 37, -1], [0, 0, 0], [1e300, 37, 0], {"a": 1}):
        assert share(counts=counts) == bare
    stated = {"limit": each.limit, "needed": 1e-9}
    assert 1e-9 < share(counts=None, share=stated) < bare
    assert share(counts=None, share={**stated, "limit": 0.5}) == bare
    assert share(counts=None, share={"limit": "x"}) == share(counts=None, share=[1]) == bare


def test_variants_of_other_legs_are_expected_to_be_as_near_as_can_be() -> None:
    target = measured(ORT, {"int8": NEAR, "fp16": CLEAR}).targets[0]
    assert shown_among(target.variants, target.legs[0], 0) == {f"{ORT}/int8", f"{ORT}/fp16"}
    assert shown_among(target.variants, target.legs[0], 6) == {f"{ORT}/fp16"}


PASSING = Made(checks=[PASS], late=1, classes=(KeptClass(name="a", examples=60, both=60, only_baseline=0, only_variant=0),))
OTHER = KeptOutput(name="box", observed=0.995, lower=0.985, upper=1.0, what="variance", examples=1000)
STATED: dict[str, dict[str, Any]] = {
    "package_size": {"max": "50MB"}, "p99_latency": {"max_ms": 10.0}, "robustness": {"corruptions": ["noise"]},
}  # fmt: skip
SURE = {"unit_tests": True, "package_size": True, "worst_class": True, "accuracy": False, "outputs": False, "speedup": False,
        "memory": False, "stability": False, "error_rate": False, "p99_latency": False, "robustness": False,
        "calibration_error": False}  # fmt: skip


@pytest.mark.parametrize(("name", "sure"), SURE.items())
def test_every_kind_of_gate_says_how_surely_it_passes(name: str, sure: bool) -> None:
    """What is counted is sure; all others need some of their level."""
    made = replace(PASSING, outputs=(OTHER,), under={"noise": 0.98}, sure=0.99)
    [target] = measured(ORT, {"int8": made}, limits={name: STATED.get(name, {})}).targets
    assert target.verdict is PASS
    found = share_of(target.variants[0], target.legs[0], 1e-9).needed
    assert found == 0 if sure else 0 < found < 0.2


def test_a_long_run_is_as_sure_as_memory_and_latency_both() -> None:
    details = {"slowdown": 0.1, "bounds": {"memory": [0.0, 0.02], "slowdown": [0.0, 0.2]}, "max_slowdown": 0.25}
    result = GateResult(gate="endurance", verdict=PASS, observed=0.01, upper=0.02, limit=0.05, bound="at_most", details=details)
    [target] = measured(ORT, {"int8": CLEAR}).targets

    def share(**more: Any) -> float:
        each = msgspec.structs.replace(result, **more)
        return float(gate("endurance").share(Told(each, target.variants[0], target.legs[0], 0.04)))  # type: ignore[attr-defined]

    assert share() == pytest.approx(share_of_bound(0.1, 0.2, 0.25, 0.04))
    assert share() < 1
    assert share(upper=0.045) == pytest.approx(share_of_bound(0.01, 0.045, 0.05, 0.04))
    assert share(upper=0.045) > share()
    assert share(details={**details, "max_slowdown": 0.21}) > share()
    assert share(details={}) == share(details={"bounds": 3}) == 1.0


def test_a_variant_that_does_not_pass_is_never_sure() -> None:
    target = measured(ORT, {"int8": BAD, "int4": AT}).targets[0]
    assert [share_of(v, target.legs[0], 0.01).needed for v in target.variants] == [math.inf, math.inf]


def test_the_command_line_says_so(gatekeeper: Any, tmp_path: Path) -> None:
    for index, (leg, made) in enumerate(((ORT, NEAR), (VINO, AT), (OLIVE, AT))):
        report = measured(leg, {"int8": made}, manifest=LEGS, seed=index)
        assert report.verdict is (PASS if made is NEAR else OPEN)
        (tmp_path / f"{index}.json").write_text(reporter("json").render(report))
    done = gatekeeper("report", *(f"{index}.json" for index in range(3)), cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "passes only if looked at alone" in " ".join(done.stdout.split())


@pytest.mark.parametrize(("name", "limit"), [("energy", {"reduction": 0.3}), ("power_w", {"max": 12})])
def test_of_energy_it_is_asked_how_surely_it_passes(name: str, limit: dict[str, float]) -> None:
    """Two that draw as little are candidates of one target, and either is shown to pass among both."""
    made = {"int8": Made(speed=2.5, watts=10.0), "int4": Made(speed=2.5, watts=10.0)}
    [target] = measured(ORT, made, limits={"accuracy": {}, name: limit}).targets
    assert target.verdict is PASS, target.reason
    shares = [share_of(each, target.legs[0], 1e-4) for each in target.variants]
    assert all(0 < each.needed < 0.5 for each in shares)
