"""How noisy a runner is, and what it can therefore decide: rounds of identical models, nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.config.limits import Limit
from gatekeeper.config.loaded import Loaded
from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.gates._base import RatioGate
from gatekeeper.gates._rounds import SPARE
from gatekeeper.legs.leg import Leg
from gatekeeper.legs.measuring import settings
from gatekeeper.legs.setup import bench
from gatekeeper.making.cache import Cache
from gatekeeper.measure.conditions import conditions, warnings
from gatekeeper.measure.energy._base import Absent
from gatekeeper.measure.race import Limits, Race, control_interval, race
from gatekeeper.planning.plan import choose_legs, make_plan, model_of
from gatekeeper.progress import Progress
from gatekeeper.records.base import Record
from gatekeeper.records.measured import Control, Environment
from gatekeeper.stats.looks import ALPHA, LOOKS, look_alpha
from gatekeeper.stats.power import rounds_to_decide, smallest_effect
from gatekeeper.stats.rounds import log_ratios, mean_and_spread
from gatekeeper.units import format_duration, parse_duration

COPY = "copy"
ARMS = 3  # the baseline, its A/A control and one copy more
LEAST_ROUNDS = 3


class Resolution(Record, frozen=True, kw_only=True):
    """What this runner can tell of one gate's limit."""

    gate: str
    limit: float
    unit: str
    bound: Literal["at_least", "at_most"]
    noise: Annotated[float, Meta(description="Standard deviation over rounds of ln(ratio) between identical models.")]
    told_apart: Annotated[
        dict[int, float],
        Meta(description="Rounds -> the value nearest to the limit that passes 4 times in 5, in `unit`."),
    ]
    rounds: Annotated[int | None, Meta(description="Rounds that a truth beyond the limit by `effect` needs; None: over 200.")]
    blocking: bool
    remark: str = ""


class Calibration(Record, frozen=True, kw_only=True):
    """The noise of one leg on this machine."""

    leg: str
    environment: Environment
    rounds: int
    round_s: float
    effect: float
    control: Control | None
    resolutions: list[Resolution]
    measure: Annotated[dict[str, int | str], Meta(description="The `measure` keys to put into the pipeline file.")]
    notes: list[str]

    def resolved(self) -> bool:
        """Whether every blocking limit can be decided here at all."""
        return not self.unresolved()

    def unresolved(self) -> list[str]:
        """The blocking limits that cannot be decided here."""
        return [r.gate for r in self.resolutions if r.blocking and r.rounds is None]


def calibrate(
    loaded: Loaded, cache: Cache, target: str | None, framework: str | None, rounds: int, effect: float, progress: Progress
) -> Calibration:
    """Measure `rounds` rounds of three identical baselines in the first leg asked for that this machine can run.

    `effect` is the distance from a limit that shall be decided, as a fraction of the ratio.
    """
    _, assessment = model_of(loaded)
    planned = choose_legs(make_plan(loaded, assessment), target, framework)
    with bench(loaded, assessment, planned, cache, progress) as (_, evaluation, legs, _):
        leg = _able(legs)
        raced = _race(leg, evaluation.prepared(), rounds)
    own = [_resolution(limit, limit.gate, raced, effect) for limit in leg.limits() if isinstance(limit.gate, RatioGate)]
    resolutions, state = [each for each in own if each], conditions(raced.snapshots)
    arms = 2 + len(leg.planned.variants)
    return Calibration(
        leg=leg.id,
        environment=leg.environment(),
        rounds=len(raced.rounds),
        round_s=raced.round_s(),
        effect=effect,
        control=control_interval(raced.rounds, ALPHA),
        resolutions=resolutions,
        measure=_measure(resolutions, raced.round_s() * arms / ARMS, leg.place.threads),
        notes=warnings(state) if state else [],
    )


def _able(legs: Sequence[Leg]) -> Leg:
    """The first leg that this machine can run; a `UsageError` with the reasons where there is none."""
    reasons = []
    for leg in legs:
        reason = leg.planned.skip or leg.place.error or leg.untimed
        if not reason:
            return leg
        reasons.append(f"{leg.id}: {reason}")
    raise UsageError(f"no leg can run on this machine. {'; '.join(reasons)}")


def _race(leg: Leg, dataset: Path | None, rounds: int) -> Race:
    """Race the model against two copies of itself."""
    measure, progress = leg.measure, leg.progress
    inputs = leg.feeds("inputs", dataset)
    progress.step(f"{leg.id}: measuring {rounds} rounds of three identical models")
    with leg.space.alone(progress, f"calibrating {leg.id}", measure.budget):
        raced = race(
            leg.baseline_arm(),
            [leg.baseline_arm(COPY)],
            settings(leg, inputs, Absent("not asked for")),
            Limits((rounds,), parse_duration(measure.budget), measure.seed),
            lambda name, so_far: True,
            progress,
        )
    if failure := raced.failures.get(COPY):
        raise failure
    if len(raced.rounds) < LEAST_ROUNDS:
        raise NotMeasured(
            "timeout",
            f"`measure.budget` of {measure.budget} ended too early: a round takes {raced.round_s():.1f} s, and a "
            f"spread needs {LEAST_ROUNDS}. Set it to at least {format_duration(SPARE * rounds * raced.round_s())}.",
        )
    return raced


def _resolution(limit: Limit, gate: RatioGate, raced: Race, effect: float) -> Resolution | None:
    """What can be told of a limit; None where it is disabled or nothing was read."""
    if limit.config is None:
        return None
    baseline, copy, control = raced.paired(COPY)
    logs = [log_ratios(*pair) for arm in (copy, control) for pair in gate.ratios(baseline, arm)]
    read = [mean_and_spread(values) for values in logs if values is not None and len(values) == len(raced.rounds)]
    if len(read) < len(logs):
        return None
    noise = max(spread for _, spread in read)
    bound = gate.to_ratio(value := float(getattr(limit.config, gate.limit_key)))
    # A gate that wants a large value passes above the limit's ratio, unless its ratio falls while its value rises.
    sign = 1 if (gate.BOUND == "at_least") == (gate.from_ratio(2 * bound) > gate.from_ratio(bound)) else -1
    needed = rounds_to_decide(noise, math.log1p(effect))
    own = min(mean for mean, _ in read)
    remark = _out_of_reach(gate, own, bound)
    return Resolution(
        gate=limit.name,
        limit=value,
        unit=gate.UNIT,
        bound=gate.BOUND,
        noise=noise,
        told_apart={
            n: gate.from_ratio(bound * math.exp(sign * smallest_effect(noise, n, look_alpha(n, LOOKS[-1]))))
            for n in (LOOKS[0], LOOKS[-1])
        },
        rounds=None if remark or needed is None else max(needed, getattr(gate, "LEAST_ROUNDS", 2)),
        blocking=limit.config.blocks,
        remark=remark,
    )


def _out_of_reach(gate: RatioGate, own: float, bound: float) -> str:
    """A remark where the model is beyond a limit on its own tail, whatever is done to it, on this runner."""
    if gate.BOUND != "at_most" or own <= math.log(bound):
        return ""
    return f"here the original itself has {gate.from_ratio(math.exp(own)):.0%}: use a quieter runner, or `on_fail: warn`"


def _measure(resolutions: list[Resolution], round_s: float, threads: int) -> dict[str, int | str]:
    """Rounds for the limit that needs most, of those that can be decided, and time for them in the largest leg."""
    needed = [r.rounds for r in resolutions if r.blocking and r.rounds is not None]
    rounds = max([LOOKS[0], *needed])
    return {"max_rounds": rounds, "budget": format_duration(SPARE * rounds * round_s), "threads": threads}
