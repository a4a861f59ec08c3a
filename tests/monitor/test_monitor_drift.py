"""What the tests of drift ask of a window, and what follows from bursts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from simulation.watch import LIMITS, day, fired, normal, reference

from gatekeeper.monitor.alerts.error_rate import Config
from gatekeeper.monitor.decide import decided
from gatekeeper.monitor.drift import performance, statistical
from gatekeeper.monitor.drift._base import View
from gatekeeper.monitor.drift.performance import BURST, dispersion
from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.reference import Reference
from gatekeeper.monitor.window import CONFIDENCE, REQUESTS, STEPS, Increase, Window

ENDS = (0.5, 0.8, 0.9, 1.0)


def counted(shares: list[float], n: int) -> Window:
    """A histogram of confidence as a server counts it: how many lie in each of its buckets."""
    steps = [np.bincount([7], minlength=STEPS) * float(round(n * sum(shares[: i + 1]))) for i in range(len(ENDS))]
    ups = [f"{end:g}" for end in ENDS]
    return Window(
        0, 1, {CONFIDENCE: [Increase({"le": up}, each) for up, each in zip([*ups, "+Inf"], [*steps, steps[-1]], strict=True)]}
    )


def known(**changes: Any) -> Reference:
    """Of which counters alone are known."""
    made = reference(np.random.default_rng(0), 1000)
    changes = {"confidence": list(zip(ENDS, (100, 400, 700, 1000), strict=True)), **changes}
    return Reference(msgspec.structs.replace(made.contents, **changes), made.rows)


def statuses(window: Window, of: Reference) -> dict[str, str]:
    return {each.name: each.status for each in decided(statistical.ask(View(window, LIMITS, of)), 1)}


def test_confidence_is_compared_by_its_histogram_where_there_is_no_log() -> None:
    assert statuses(counted([0.1, 0.3, 0.3, 0.3], 2000), known()) == {"confidence": "fine"}
    assert statuses(counted([0.3, 0.3, 0.2, 0.2], 2000), known()) == {"confidence": "fires"}
    assert statuses(counted([0.1, 0.3, 0.3, 0.3], 50), known()) == {"confidence": "undecided"}
    assert statuses(Window(0, 1), known()) == {"confidence": "undecided"}, "never counted"
    assert statuses(Window(0, 1, {}, {CONFIDENCE: Unread("nan", "none.")}), known()) == {"confidence": "unread"}


@pytest.mark.parametrize(
    ("now", "status"),
    [
        ({"0": 250, "1": 250, "2": 250, "3": 250}, "fine"),
        ({"0": 100, "1": 400, "2": 250, "3": 250}, "fires"),
        ({"0": 200, "1": 200, "2": 200, "3": 200, "new": 200}, "fires"),
        ({"0": 25, "1": 25, "2": 25, "3": 25}, "undecided"),
    ],
)
def test_answers_that_go_from_one_class_to_another_are_seen_whichever_they_are(now: dict[str, int], status: str) -> None:
    window = day(np.random.default_rng(1), 1000, normal(np.random.default_rng(2), 1000))
    told = known(answers={"0": 250, "1": 250, "2": 250, "3": 250})
    assert statuses(replace(window, answers=now), told)["answers"] == status


def test_many_classes_that_are_as_they_were_are_no_distance() -> None:
    """Put in the order of the reference, 296 of 300 such samples were unlikely at 5 %."""
    rng, unlikely = np.random.default_rng(0), 0
    window = day(rng, 1000, normal(rng, 1000))
    for _ in range(300):
        told = [{str(i): int(c) for i, c in enumerate(np.bincount(rng.integers(0, 50, 300))) if c} for _ in range(2)]
        asked = statistical.ask(View(replace(window, answers=told[0]), LIMITS, known(answers=told[1])))
        unlikely += next(each.p_value for each in asked if each.name == "answers") <= 0.05
    assert unlikely <= 24, "15 on average, and in one of a hundred such tests 25"


def spread(rng: np.random.Generator, n: int, share: float, burst: int) -> tuple[np.ndarray, np.ndarray]:
    """Failures in bursts, over a day of requests, [steps] each."""
    every = rng.multinomial(n, np.full(STEPS, 1 / STEPS)).astype(float)
    over = np.zeros(STEPS)
    for _ in range(rng.poisson(n * share / burst)):
        over[rng.integers(0, STEPS)] += burst
    return np.minimum(over, every + burst), every + burst * (over > 0)


def test_requests_that_fail_together_are_one_observation() -> None:
    rng = np.random.default_rng(3)
    found = {burst: np.median([dispersion(*spread(rng, 50_000, 0.02, burst)) for _ in range(20)]) for burst in (1, 10)}
    assert 1.0 <= found[1] < 1.3
    assert 6 < found[10] < 14
    one = np.zeros(STEPS)
    one[5] = 100
    assert dispersion(one / 10, one) == BURST, "in one moment nobody can tell"


def test_errors_in_bursts_at_their_limit_raise_no_alarm() -> None:
    """Ten at a time, exactly as many as may: at 5 % in a first look, of 200 there are 12 or fewer but for one time in ten."""
    rng, limits = np.random.default_rng(4), {"error_rate": Config(max=0.01)}
    wrong = 0
    for _ in range(200):
        over, every = spread(rng, 20_000, 0.01, 10)
        window = Window(0, 1, {REQUESTS: [Increase({"code": "200"}, every - over), Increase({"code": "500"}, over)]})
        wrong += any(each.status == "fires" for each in decided(performance.ask(View(window, limits)), 1))
    assert wrong <= 12


def test_twice_the_errors_are_seen() -> None:
    rng, limits = np.random.default_rng(5), {"error_rate": Config(max=0.01)}
    over, every = spread(rng, 20_000, 0.03, 10)
    window = Window(0, 1, {REQUESTS: [Increase({"code": "200"}, every - over), Increase({"code": "500"}, over)]})
    [found] = decided(performance.ask(View(window, limits)), 1)
    assert found.status == "fires"
    assert found.observed == pytest.approx(0.03, rel=0.3)


def test_an_input_that_is_missing_or_has_another_shape_is_drift() -> None:
    rng = np.random.default_rng(6)
    before = reference(rng, 2000)
    columns = normal(rng, 500)
    columns["x[2]"] = np.full(500, np.nan)
    assert fired(day(rng, 500, columns), before, 1) == ["inputs/x[2]"]
