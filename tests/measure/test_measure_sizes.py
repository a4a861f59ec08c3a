"""Inputs of several sizes: what rounds say of them, and what the gates then decide."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from kit.lazily import Lazily
from kit.support import round_data

from gatekeeper.gates import speedup, stability
from gatekeeper.ids import BASELINE
from gatekeeper.measure.rounds import CONTROL, Round
from gatekeeper.measure.sizes import with_sizes
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.measured import Artifact, RoundData
from gatekeeper.stats.looks import ALPHA
from gatekeeper.verdicts.glance import _columns

stats = Lazily("scipy.stats")

ARTIFACT = Artifact(path="model.onnx", sha256="0" * 64, bytes=1_000_000)
INPUTS = 32
ALIKE = np.ones(INPUTS)
TWO = np.where(np.arange(INPUTS) < 20, 1.0, 10.0)
ONE_HUGE = np.where(np.arange(INPUTS) == 7, 50.0, 1.0)
MANY = np.geomspace(1, 20, INPUTS)
SIZES = {"two": TWO, "one huge": ONE_HUGE, "many": MANY}


def arm(number: int, mean: Any, noise: Any, rng: np.random.Generator, passes: int) -> tuple[RoundData, list[int]]:
    """A round begins with the input of its own number, and goes round as often as `passes` says."""
    order = np.roll(np.asarray(mean, dtype=float), -number)
    process = math.exp(0.02 * rng.standard_normal())
    times = 1e6 * process * np.tile(order, passes) * noise(passes * len(order))
    p10, p50, p95, p99 = np.percentile(times, [10, 50, 95, 99], method="weibull")
    data = round_data(
        number, float(p50), p10_ns=float(p10), mean_ns=float(times.mean()), p95_ns=float(p95), p99_ns=float(p99),
        count=len(times), inputs=len(order), tick_ns=1,
    )  # fmt: skip
    return data, [int(each) for each in times]


def raced(baseline: Any, variant: Any, rounds: int = 8, passes: int = 2, seed: int = 0, noise: Any = None) -> list[Round]:
    rng = np.random.default_rng(seed)
    quiet = lambda n: np.exp(0.03 * rng.standard_normal(n))  # noqa: E731
    found = []
    for number in range(rounds):
        each = Round(number, inputs=len(baseline))
        for name, mean in ((BASELINE, baseline), (CONTROL, baseline), ("v", variant)):
            each.data[name], each.samples[name] = arm(number, mean, noise(rng) if noise and name == "v" else quiet, rng, passes)
        found.append(each)
    return with_sizes(found)


def evidence(rounds: list[Round]) -> Evidence:
    arms = ([r.data[name] for r in rounds] for name in (BASELINE, "v", CONTROL))
    baseline, variant, control = arms
    return Evidence(artifact=ARTIFACT, baseline=baseline, variant=variant, control=control)


def speed(rounds: list[Round]) -> Any:
    return speedup.judge(speedup.Config(min=2.0), evidence(rounds))


def steady(rounds: list[Round]) -> Any:
    return stability.judge(stability.Config(max_variation=0.2), evidence(rounds))


@pytest.mark.parametrize("rounds", [1, 2, 8])
def test_inputs_that_are_alike_have_no_sizes(rounds: int) -> None:
    found = raced(ALIKE, ALIKE / 3, rounds)
    assert all(data.short_ns is data.alike_p95_ns is None for each in found for data in each.data.values())
    assert "sizes" not in speed(found).details


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_not_taken_for_size(seed: int) -> None:
    """One process of each arm, on a busy machine, and one pass over the inputs."""
    rng = np.random.default_rng(seed)
    found = [Round(i, inputs=INPUTS) for i in range(8)]
    for each in found:
        for name in (BASELINE, CONTROL):
            busy = lambda n: np.exp(0.3 * rng.standard_normal(n))  # noqa: E731
            each.data[name], each.samples[name] = arm(each.index, ALIKE, busy, rng, 1)
    assert with_sizes(found)[0].data[BASELINE].short_ns is None


def test_short_and_long_inputs_are_told_apart_whichever_a_round_begins_with() -> None:
    found = raced(TWO, np.where(TWO == 1, 0.25, 40.0))
    for each in found:
        assert each.data[BASELINE].short_ns == pytest.approx(1e6, rel=0.1)
        assert each.data[BASELINE].long_ns == pytest.approx(1e7, rel=0.1)
        assert each.data["v"].long_ns == pytest.approx(4e7, rel=0.1)
        assert each.data[BASELINE].alike_median_ns == pytest.approx(1e6 * TWO.mean(), rel=0.1)
    sizes = speed(found).details["sizes"]
    assert sizes == pytest.approx({"short": 4.0, "long": 0.25, "apart": 10.0}, rel=0.05)


@pytest.mark.parametrize("sizes", SIZES)
def test_a_variant_that_is_faster_on_all_passes_and_says_nothing_of_sizes(sizes: str) -> None:
    found = speed(raced(SIZES[sizes], SIZES[sizes] / 3))
    assert found.verdict is Verdict.PASS and "short" not in found.reason and "busy" not in found.reason


@pytest.mark.parametrize(("sizes", "long"), [("two", 0.25), ("one huge", 0.25), ("two", 0.5), ("many", 0.3)])
def test_a_variant_that_is_faster_on_short_inputs_alone_fails(sizes: str, long: float) -> None:
    """The typical input is 4x as fast; all inputs together are not 2x."""
    mean = SIZES[sizes]
    found = speed(raced(mean, np.where(mean > np.sqrt(mean.min() * mean.max()), mean / long, mean / 4)))
    assert found.verdict is Verdict.FAIL, found.reason
    assert "short inputs 4.0" in found.reason or "short inputs 3.9" in found.reason
    assert found.lower <= found.observed <= found.upper


def test_a_variant_that_is_faster_on_long_inputs_alone_fails() -> None:
    """All inputs together are more than 2x as fast; the typical one is not."""
    found = speed(raced(TWO, np.where(TWO == 1, 1.0, 10 / 4)))
    assert found.verdict is Verdict.FAIL and "on a middling input; short inputs 1.00x, long ones (" in found.reason


@pytest.mark.parametrize("passes", [1, 2, 5])
@pytest.mark.parametrize("sizes", SIZES)
def test_sizes_make_no_model_inconsistent(sizes: str, passes: int) -> None:
    found = raced(SIZES[sizes], SIZES[sizes] / 2, passes=passes)
    assert stability.judge(stability.Config(max_variation=0.2), evidence(found)).verdict is Verdict.PASS


def tail(share: float, times: float) -> Any:
    """A share of the inferences takes so many times as long, whatever the input."""
    return lambda rng: lambda n: np.exp(0.02 * rng.standard_normal(n)) * np.where(rng.random(n) < share, times, 1.0)


@pytest.mark.parametrize("passes", [1, 3])
@pytest.mark.parametrize("sizes", SIZES)
def test_an_inconsistent_variant_fails_on_inputs_of_any_size(sizes: str, passes: int) -> None:
    found = steady(raced(SIZES[sizes], SIZES[sizes] / 2, passes=passes, noise=tail(0.15, 2.0)))
    assert found.verdict is Verdict.FAIL, found.reason


@pytest.mark.parametrize(("mean", "passes"), [(TWO, 1), (ONE_HUGE, 3), (MANY, 1)], ids=SIZES)
def test_stability_at_its_limit_passes_falsely_at_most_as_often_as_promised(mean: Any, passes: int) -> None:
    """The law of one inference has its 95th percentile exactly 20 % above its median, on every input."""
    runs, alpha = 200, ALPHA
    scale = math.log(1.2) / stats.norm.ppf(0.95)
    at_limit = lambda rng: lambda n: np.exp(scale * rng.standard_normal(n))  # noqa: E731
    passed = 0
    for seed in range(runs):
        rounds = raced(mean, mean / 2, passes=passes, seed=seed, noise=at_limit)
        variant = [r.data["v"] for r in rounds]
        found = stability.judge(
            stability.Config(max_variation=0.2), Evidence(artifact=ARTIFACT, baseline=variant, variant=variant, alpha=alpha)
        )
        passed += found.verdict is Verdict.PASS
    assert stats.binom.sf(passed - 1, runs, 0.05) > 0.01, f"{passed} of {runs}"


def test_what_a_worker_made_up_has_no_sizes() -> None:
    found = raced(TWO, TWO)
    for each in found:
        each.samples["v"] = each.samples["v"][:-1]
    again = with_sizes([Round(r.index, {n: round_data(r.index, 1e6) for n in r.data}, r.samples, inputs=r.inputs) for r in found])
    assert again[0].data["v"].short_ns is None and again[0].data[BASELINE].short_ns is not None


@pytest.mark.parametrize("gate", [speedup, stability])
@pytest.mark.parametrize("variant", [TWO / 3, np.where(TWO == 1, 0.25, 20.0), np.where(TWO == 1, 1.0, 2.5)])
def test_at_a_glance_the_gates_say_the_same_of_sizes(gate: Any, variant: Any) -> None:
    found = evidence(raced(TWO, variant))
    decision = gate.judge(gate.DEFAULT, found)
    arms = [_columns([arm]) for arm in (found.baseline, found.variant, found.control)]
    limit = getattr(gate.DEFAULT, gate.limit_key)
    seen = gate.glance(np.array([limit]), found.alpha, *arms)
    assert seen.sure[0] and (seen.lower[0], seen.upper[0]) == pytest.approx((decision.lower, decision.upper))
    assert bool(seen.passes[0]) == (decision.verdict is Verdict.PASS)
    assert bool(seen.fails[0]) == (decision.verdict is Verdict.FAIL)
