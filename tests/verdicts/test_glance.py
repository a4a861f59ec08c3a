"""What is confirmed at a glance is what judging each gate alone says, and nothing else is."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from kit.measured import Made, measured

from gatekeeper.errors import UsageError
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Report
from gatekeeper.verdicts.glance import WORTH, confirmed
from gatekeeper.verdicts.held import held_report
from gatekeeper.verdicts.rules import Rules

ON_ROUNDS = ("memory", "speedup", "stability")


def some(rng: random.Random) -> Made:
    """Of all that gates on rounds can say, near the limits and far from them."""
    return Made(
        speed=rng.choice((0.5, 1.9, 2.0, 2.1, 2.3, 4.0)), noise=rng.choice((0.001, 0.01, 0.1)),
        peak=rng.choice((0.001, 0.3, 0.49, 0.5, 0.51, 1.2)), tail=rng.choice((1.01, 1.19, 1.2, 1.25, 2.0)),
    )  # fmt: skip


def legs(count: int, seed: int = 0) -> list[Report]:
    rng = random.Random(seed)
    return [
        measured(
            f"t{index}/onnx_runtime", {f"v{i}": some(rng) for i in range(4)}, seed=seed + index,
            copy=rng.choice((1.0, 1.0, 1.05, 1.5)), attempt=rng.choice((1, 1, 3)),
        )
        for index in range(count)
    ]  # fmt: skip


def results(reports: list[Report]) -> list[Any]:
    return [g for r in reports for t in r.targets for v in t.variants for g in v.gates if g.gate in ON_ROUNDS]


def test_what_is_true_is_confirmed_and_few_are_left_to_judge_alone() -> None:
    reports, rules = legs(60), Rules()
    sure = confirmed(reports, rules)
    known = results(reports)
    assert sure <= {id(each) for each in known}
    assert len(sure) == len([g for g in known if g.lower is not None])
    assert {g.verdict for g in known} == {Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE}
    for report in reports:
        assert held_report(report, "r", rules) is held_report(report, "r", rules, sure) is report


def test_few_are_judged_alone() -> None:
    assert confirmed(legs(WORTH // 4 - 1), Rules()) == frozenset()


def tampered(report: Report, rng: random.Random) -> Report:
    """One gate says something else of itself, or one number of a round is another."""
    data = msgspec.to_builtins(report)
    leg, variant = data["targets"][0]["legs"][0], rng.choice(data["targets"][0]["variants"])
    gate = rng.choice([g for g in variant["gates"] if g["gate"] in ON_ROUNDS])
    arm = rng.choice((variant["performance"]["rounds"], leg["baseline"]["rounds"], leg["control_rounds"]))
    match rng.randrange(6):
        case 0:
            gate["verdict"] = rng.choice(("pass", "fail", "inconclusive"))
        case 1:
            gate["limit"] = rng.choice((0.01, 0.5, 1.9, 2.1))
        case 2:
            gate[rng.choice(("lower", "upper"))] = rng.choice((None, 0.3, 2.0, 5.0))
        case 3:
            rng.choice(arm)[rng.choice(("median_ns", "p95_ns", "mean_ns", "tick_ns", "peak_bytes", "count"))] = rng.choice(
                (1, 0, 10**6)
            )
        case 4:
            leg["attempt"] = rng.choice((1, 2, 5))
        case _:
            arm.pop(rng.randrange(len(arm)))
    return msgspec.convert(data, Report)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_confirmed_that_judging_alone_denies(seed: int) -> None:
    rng, rules = random.Random(seed), Rules()
    reports = [tampered(each, rng) for each in legs(50, seed)]
    sure = confirmed(reports, rules)
    assert sure
    for report in reports:
        assert outcome(report, rules, frozenset()) == outcome(report, rules, sure)


def outcome(report: Report, rules: Rules, sure: frozenset[int]) -> Report | str:
    try:
        return held_report(report, "r", rules, sure)
    except UsageError as error:
        return str(error)
