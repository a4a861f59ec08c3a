"""A variant is measured until it passes for one of as many as may be at a limit, and not until it passes alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from kit.measured import applied
from kit.support import round_data

from gatekeeper.config.sections.measure import Measure
from gatekeeper.ids import BASELINE
from gatekeeper.legs.candidates import Candidate
from gatekeeper.legs.judging import Judge
from gatekeeper.legs.leg import Leg
from gatekeeper.legs.setup import Setup
from gatekeeper.making.optimize import Made
from gatekeeper.measure.conditions import Snapshot
from gatekeeper.measure.race import Race
from gatekeeper.measure.rounds import CONTROL, Round
from gatekeeper.planning.plan import PlannedLeg, PlannedVariant
from gatekeeper.records.evidence import Comparison
from gatekeeper.records.scores import PairedScores

NAMES = [f"cpu/onnx_runtime/{name}" for name in ("a", "b", "c", "d")]


def planned(leg: str, names: list[str], **more: Any) -> PlannedLeg:
    target, framework = leg.split("/")
    variants = [PlannedVariant(id=name, technique=name.rpartition("/")[2]) for name in names]
    about: dict[str, Any] = {"hardware": "cpu", "extra": "", "runs_on": "x"}
    return PlannedLeg(id=leg, target=target, framework=framework, variants=variants, **(about | more))


def judge(names: list[str], beside: int = 0, require: str = "best", limits: dict[str, Any] | None = None) -> Judge:
    """Of a leg that is not there: only what is planned of it, and how it is measured, is asked for."""
    leg = SimpleNamespace(
        planned=planned("cpu/onnx_runtime", names), measure=Measure(), place=SimpleNamespace(threads=1), untimed="",
        loaded=SimpleNamespace(require=require),
    )  # fmt: skip
    return Judge(cast(Leg, leg), applied(limits or {"speedup": {}}), 1, beside)


def candidate(name: str, kept: float = 1.0) -> Candidate:
    own = np.ones(1000)
    own[: round(1000 * (1 - kept))] = 0
    scores = PairedScores("binary", p=own, q=np.ones(1000), examples=1000)
    variant = PlannedVariant(id=name, technique=name.rpartition("/")[2])
    made = Made(files=[Path("model.onnx")], folder=Path(), sha256="a" * 64, bytes=100, cached=False)
    return Candidate(variant, made=made, comparison=Comparison(metric="accuracy", baseline=1.0, variant=kept, scores=scores))


def race(**speeds: float) -> Race:
    """Eight rounds whose medians go up and down by 5 %, so that 2.1x passes alone and not for one of many."""
    rounds = []
    for index in range(8):
        wave = 1.025 if index % 2 else 1 / 1.025
        arms = {BASELINE: round_data(index, 1e6 * wave), CONTROL: round_data(index, 1e6 / wave)}
        arms |= {f"cpu/onnx_runtime/{name}": round_data(index, 1e6 / speed) for name, speed in speeds.items()}
        rounds.append(Round(index, arms))
    return Race(rounds=rounds, snapshots=[cast(Snapshot, SimpleNamespace(at=float(at))) for at in range(9)])


def test_alone_it_is_measured_until_it_passes() -> None:
    assert judge(NAMES[:1]).decided(candidate(NAMES[0]), race(a=2.1))


@pytest.mark.parametrize(("beside", "require", "decided"), [(0, "best", True), (30, "best", False), (30, "all", True)])
def test_with_others_in_other_legs_it_takes_more(beside: int, require: str, decided: bool) -> None:
    assert judge(NAMES[:1], beside, require).decided(candidate(NAMES[0]), race(a=2.1)) is decided
    assert judge(NAMES[:1], beside, require).decided(candidate(NAMES[0]), race(a=4.0))


def test_those_that_failed_need_no_counting() -> None:
    many = [*NAMES[:1], *(f"cpu/onnx_runtime/x{index}" for index in range(30))]
    told = judge(many)
    assert not told.decided(candidate(NAMES[0]), race(a=2.1))
    for name in many[1:]:
        assert told.decided(candidate(name), race(**{name.rpartition("/")[2]: 1.2}))
    assert told.decided(candidate(NAMES[0]), race(a=2.1))


def test_who_fails_by_its_answers_is_known_before_anything_is_timed() -> None:
    many = [*NAMES[:1], *(f"cpu/onnx_runtime/x{index}" for index in range(30))]
    told = judge(many, limits={"speedup": {}, "accuracy": {}})
    told.rule_out([candidate(NAMES[0]), *(candidate(name, 0.5) for name in many[1:])])
    assert told.failed == set(many[1:])
    assert told.decided(candidate(NAMES[0]), race(a=2.1))


def test_what_cannot_pass_for_want_of_data_is_measured_until_the_first_look() -> None:
    told = judge(NAMES[:1], limits={"speedup": {}, "accuracy": {}})
    assert not told.decided(candidate(NAMES[0]), race(a=2.02))
    told.rule_out([replace(candidate(NAMES[0]), comparison=Comparison(error="no evaluation set"))])
    assert (told.failed, told.unable) == (set(), {NAMES[0]})
    assert told.decided(candidate(NAMES[0]), race(a=2.02))


def test_a_failure_and_a_doubt_are_what_they_were() -> None:
    assert judge(NAMES, 5).decided(candidate(NAMES[0]), race(a=1.2))
    assert not judge(NAMES, 5).decided(candidate(NAMES[0]), race(a=2.02))


def test_variants_of_other_legs_are_those_that_the_plan_tries() -> None:
    legs = [
        planned("cpu/onnx_runtime", NAMES[:2]),
        planned("cpu/openvino", ["cpu/openvino/a", "cpu/openvino/b", "cpu/openvino/c"]),
        planned("cpu/microsoft_olive", ["cpu/microsoft_olive/a"], skip="it cannot take this model"),
        planned("pi/onnx_runtime", ["pi/onnx_runtime/a"]),
    ]
    setup: Any = SimpleNamespace(planned=legs)
    assert [Setup.beside(setup, cast(Leg, SimpleNamespace(id=leg.id, planned=leg))) for leg in legs] == [3, 2, 5, 0]
