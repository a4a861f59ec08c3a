"""The gates on energy: which rounds pass, and that nothing unmeasured or impossible does."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from kit.support import round_data

from gatekeeper.gates import energy, power_w
from gatekeeper.gates._energy import blur, watts
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import Artifact, Energy, RoundData

PASS, FAIL, ERROR, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE
RAPL = Energy(method="rapl", kind="measured", note="CPU package", lag_s=0.001, blocks=8)
BLOCK_NS, WATTS = 200e6, 10.0


def arm(seed: int, median_ns: float, watts: float = WATTS, noise: float = 0.01, rounds: int = 8) -> list[RoundData]:
    """Rounds of 8 blocks at a power that wobbles; a joule an inference follows from both."""
    rng, made = random.Random(seed), []
    for index in range(rounds):
        drawn, own = watts * rng.lognormvariate(0, noise), median_ns * rng.lognormvariate(0, noise)
        count = int(8 * BLOCK_NS / own)
        made.append(round_data(index, own, count=count, joules=drawn * own / 1e9, timed_ns=count * own))
    return made


def evidence(speed: float = 2.0, watts: float = WATTS, meter: Energy = RAPL, **changes: Any) -> Evidence:
    arms = {"baseline": arm(1, 1e6), "control": arm(2, 1e6), "variant": arm(3, 1e6 / speed, watts)} | changes
    return Evidence(artifact=Artifact(path="", sha256="", bytes=0), energy=meter, **arms)


def saved(found: Evidence, reduction: float = 0.3) -> Decision:
    return energy.judge(energy.Config(reduction=reduction), found)


def drawn(found: Evidence, most: float = 15.0) -> Decision:
    return power_w.judge(power_w.Config(max=most), found)


@pytest.mark.parametrize(
    ("speed", "power", "verdict"),
    [(2.0, 10.0, PASS), (1.0, 10.0, FAIL), (2.0, 19.0, FAIL), (1.0, 5.0, PASS), (1.43, 10.0, INCONCLUSIVE)],
)
def test_what_an_inference_takes_is_power_by_time(speed: float, power: float, verdict: Verdict) -> None:
    found = saved(evidence(speed, power))
    assert found.verdict is verdict and found.observed == pytest.approx(1 - power / 10 / speed, abs=0.02)
    assert found.lower is not None and found.upper is not None and found.lower < found.observed < found.upper


@pytest.mark.parametrize(("power", "verdict"), [(10.0, PASS), (20.0, FAIL), (15.0, INCONCLUSIVE)])
def test_power_is_the_variants_own(power: float, verdict: Verdict) -> None:
    found = drawn(evidence(watts=power))
    assert found.verdict is verdict and found.observed == pytest.approx(power, rel=0.02)
    assert drawn(evidence(watts=power, baseline=[], control=[])).verdict is verdict


@pytest.mark.parametrize("judged", [saved, drawn])
@pytest.mark.parametrize(
    ("meter", "said"),
    [
        (Energy(note="rapl: no counters"), "nothing measures energy here: rapl: no counters"),
        (Energy(method="codecarbon", kind="estimate", note="CPU time"), "an estimate decides nothing"),
        (msgspec.structs.replace(RAPL, lag_s=None), "how old a reading of rapl may be is not known"),
        (msgspec.structs.replace(RAPL, blocks=0), "how old a reading of rapl may be is not known"),
        (msgspec.structs.replace(RAPL, lag_s=0.1), "readings of rapl are up to 100 ms old, 50% of a block"),
        (msgspec.structs.replace(RAPL, lag_s=math.nan), "nan ms old"),
        (msgspec.structs.replace(RAPL, lag_s=math.inf), "inf ms old"),
    ],
)
def test_without_a_counter_it_is_an_error(judged: Any, meter: Energy, said: str) -> None:
    found = judged(evidence(speed=10.0, watts=1.0, meter=meter))
    assert found.verdict is ERROR and found.applies and said in found.reason
    assert judged(evidence(meter=meter, variant=[], baseline=[], control=[])).verdict is ERROR


@pytest.mark.parametrize("judged", [saved, drawn])
@pytest.mark.parametrize("changes", [
    {"joules": None}, {"joules": 0.0}, {"joules": -1e-3}, {"joules": math.inf}, {"joules": math.nan}, {"joules": 1e300},
    {"joules": 1e-12}, {"timed_ns": None}, {"timed_ns": 0.0}, {"timed_ns": math.inf}, {"timed_ns": math.nan},
])  # fmt: skip
def test_one_round_that_cannot_be_is_an_error(judged: Any, changes: dict[str, Any]) -> None:
    good = evidence(speed=10.0, watts=1.0)
    assert judged(good).verdict is PASS
    spoilt = [*good.variant[:3], msgspec.structs.replace(good.variant[3], **changes), *good.variant[4:]]
    assert judged(replace(good, variant=spoilt)).verdict is ERROR


@pytest.mark.parametrize("name", ["baseline", "control"])
def test_the_baseline_too_is_measured_in_every_round(name: str) -> None:
    good = evidence()
    own = getattr(good, name)
    assert saved(replace(good, **{name: [*own[:-1], msgspec.structs.replace(own[-1], joules=None)]})).verdict is ERROR
    assert saved(replace(good, control=[])).verdict is ERROR


def test_one_round_bounds_nothing() -> None:
    one = evidence(baseline=arm(1, 1e6, rounds=1), control=arm(2, 1e6, rounds=1), variant=arm(3, 1e5, rounds=1))
    assert saved(one).verdict is INCONCLUSIVE and drawn(one).verdict is INCONCLUSIVE


def test_copies_that_differ_are_charged() -> None:
    """Of two copies of the baseline one takes 1.5 times the energy: 60 % less may be a third less."""
    assert saved(evidence(2.5, control=arm(2, 1.5e6)), 0.5).verdict is INCONCLUSIVE
    assert saved(evidence(2.5), 0.5).verdict is PASS
    assert "too noisy" in saved(evidence(2.5, control=arm(2, 1.5e6)), 0.5).reason


@pytest.mark.parametrize("times", [0.0, 3.0])
@pytest.mark.parametrize("part", [0.005, 0.05, 0.099])
def test_readings_that_are_late_are_charged(times: float, part: float) -> None:
    """A tenth of what is read of a block at most is what ran before it, which drew nothing, or three times as much."""
    meter = msgspec.structs.replace(RAPL, lag_s=part * BLOCK_NS / 1e9)
    read = WATTS * (1 - part + part * times)
    found = drawn(evidence(meter=meter, watts=read, variant=arm(3, 1e6, read, noise=1e-4)))
    assert found.lower is not None and found.upper is not None and found.lower <= WATTS <= found.upper
    assert blur(meter, evidence().variant) == pytest.approx(part, rel=0.01)


def test_the_power_of_a_round() -> None:
    own = round_data(0, 1e6, count=500, joules=0.02, timed_ns=1e9)
    assert watts(own) == pytest.approx(10.0)
    assert watts(msgspec.structs.replace(own, joules=None)) == 0
