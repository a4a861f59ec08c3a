"""Measures arms round by round until every variant is decided, the rounds are used up or the time is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from gatekeeper.errors import NotMeasured
from gatekeeper.ids import BASELINE
from gatekeeper.measure.conditions import Snapshot, snapshot
from gatekeeper.measure.energy._base import Absent, Meter, told
from gatekeeper.measure.rounds import CONTROL, Arm, Round, Settings, measure_round
from gatekeeper.measure.sizes import with_sizes
from gatekeeper.process.memory import available
from gatekeeper.progress import Progress
from gatekeeper.records.measured import Control, Energy, Performance, RoundData
from gatekeeper.stats.rounds import ratio_interval

COPIES_IN_MEMORY = 3  # a runtime may hold a model's bytes this many times while loading it


@dataclass
class Race:
    """What all rounds of some arms found."""

    rounds: list[Round] = field(default_factory=list)
    failures: dict[str, NotMeasured] = field(default_factory=dict)
    snapshots: list[Snapshot] = field(default_factory=list)
    stopped: Stopped = "decided"
    meter: Meter | Absent = field(default_factory=lambda: Absent("nothing was measured"))
    blocks: int = 0

    def paired(self, variant: str) -> tuple[list[RoundData], list[RoundData], list[RoundData]]:
        """Baseline, variant and control data of the rounds in which all three were measured."""
        rows = [r.data for r in self.rounds if {BASELINE, CONTROL, variant} <= r.data.keys()]
        return [d[BASELINE] for d in rows], [d[variant] for d in rows], [d[CONTROL] for d in rows]

    @property
    def energy(self) -> Energy:
        """By what the rounds' joules were read, and what went wrong with it so far."""
        return told(self.meter, self.blocks)

    @property
    def elapsed_s(self) -> float:
        """Seconds from the start to the end of the last round; 0 before the first."""
        return self.snapshots[-1].at - self.snapshots[0].at if self.rounds else 0.0

    def round_s(self) -> float:
        """Seconds a round took, on average so far."""
        return self.elapsed_s / max(1, len(self.rounds))


Stopped = Literal["decided", "rounds", "budget"]
Decided = Callable[[str, Race], bool]  # (variant id, race so far): nothing more to learn


@dataclass(frozen=True)
class Limits:
    """When to look and when to stop."""

    looks: Sequence[int]
    budget_s: float
    seed: int


def race(
    baseline: Arm, variants: Sequence[Arm], settings: Settings, limits: Limits, decided: Decided, progress: Progress
) -> Race:
    """Race the variants against the baseline, all together where they fit in memory, else one pair at a time.

    A baseline that fails ends the race with `NotMeasured`; a failing variant only leaves it.
    """
    start, whole = time.monotonic(), Race(snapshots=[snapshot()], meter=settings.meter, blocks=settings.blocks)
    groups = [list(variants)] if _fit_together([baseline, *variants]) else [[v] for v in variants]
    order = random.Random(limits.seed)
    for position, group in enumerate(groups):
        deadline = start + limits.budget_s * (position + 1) / len(groups)
        _race_group(baseline, group, settings, limits, deadline, order, decided, progress, whole)
    whole.rounds = with_sizes(whole.rounds)
    return whole


def _race_group(
    baseline: Arm,
    variants: list[Arm],
    settings: Settings,
    limits: Limits,
    deadline: float,
    order: random.Random,
    decided: Decided,
    progress: Progress,
    whole: Race,
) -> None:
    control = replace(baseline, id=CONTROL)
    undecided = list(variants)
    for number in range(1, max(limits.looks) + 1):
        started = time.monotonic()
        this_round = measure_round(len(whole.rounds), [baseline, control, *undecided], settings, order)
        whole.snapshots.append(snapshot())
        for name in (BASELINE, CONTROL):
            if name in this_round.failures:
                failure = this_round.failures[name]
                raise NotMeasured(failure.kind, f"the baseline cannot be measured: {failure}")
        whole.rounds.append(this_round)
        whole.failures |= this_round.failures
        undecided = [v for v in undecided if v.id not in this_round.failures]
        if number in limits.looks:
            whole.rounds = with_sizes(whole.rounds)
            undecided = [v for v in undecided if not decided(v.id, whole)]
        progress.round(number, max(limits.looks), [v.id for v in undecided])
        if not undecided:
            return
        now = time.monotonic()
        if number < max(limits.looks) and now + (now - started) > deadline:
            whole.stopped = "budget"
            return
    if whole.stopped == "decided":
        whole.stopped = "rounds"


def _fit_together(arms: Sequence[Arm]) -> bool:
    sizes = [_bytes(Path(arm.spec.artifact)) for arm in arms]
    return COPIES_IN_MEMORY * (sum(sizes) + sizes[0]) < 0.8 * available()


def _bytes(artifact: Path) -> int:
    return sum(f.stat().st_size for f in artifact.iterdir()) if artifact.is_dir() else artifact.stat().st_size


def performance(data: Sequence[RoundData], batch_size: int, metric: str) -> Performance | None:
    """One arm over its rounds; None if it has none."""
    import numpy as np

    if not data:
        return None

    def median(values: Sequence[float]) -> float:
        return float(np.median(values))

    medians = [d.median_ns for d in data]
    mean = median([d.mean_ns for d in data])

    def known(name: str) -> float | None:
        values = [v for d in data if (v := getattr(d, name)) is not None]
        return median(values) if values else None

    saturated = known("saturated_per_s")
    return Performance(
        p50_ns=median(medians),
        p95_ns=median([d.p95_ns for d in data]),
        p99_ns=median([d.p99_ns for d in data]),
        mean_ns=mean,
        throughput_per_s=batch_size * 1e9 / mean,
        load_ns=median([d.load_ns for d in data]),
        cpu_utilisation=median([d.cpu_utilisation for d in data]),
        variation=float(np.std(medians, ddof=1) / np.mean(medians)) if len(medians) > 1 else 0.0,
        peak_bytes=known("peak_bytes"),
        high_water_bytes=known("high_water_bytes"),
        memory_metric="pss" if metric == "pss" else "uss",
        saturated_per_s=None if saturated is None else batch_size * saturated,
        first_token_ns=known("first_token_ns"),
        preempted_per_s=known("preempted_per_s"),
        joules=known("joules"),
        per="token" if data[0].first_token_ns is not None else "inference",
        ran_on=data[-1].ran_on,
        rounds=list(data),
    )


def control_interval(rounds: Sequence[Round], alpha: float) -> Control | None:
    """Baseline against its copy, over every round."""
    both = [r.data for r in rounds if {BASELINE, CONTROL} <= r.data.keys()]
    if len(both) < 2:
        return None
    ratio = ratio_interval([d[BASELINE].median_ns for d in both], [d[CONTROL].median_ns for d in both], alpha)
    return Control(observed=ratio.observed, lower=ratio.lower, upper=ratio.upper)


def samples(rounds: Sequence[Round]) -> Mapping[str, list[list[int]]]:
    """Raw latencies in nanoseconds: arm -> round -> inferences in order."""
    names = dict.fromkeys(name for r in rounds for name in r.samples)
    return {name: [r.samples[name] for r in rounds if name in r.samples] for name in names}
