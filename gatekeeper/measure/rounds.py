"""Rounds: the unit of statistics. One fresh worker per arm, all loaded, exactly one awake at a time.

Iterations inside a process are not independent samples, processes are; and thread pools of idle workers keep
spinning and steal cores, so the others are suspended while one is timed. Blocks are short and their order is drawn
anew each time, so that a slow phase of the machine falls on every arm alike.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._spec import ModelSpec
from gatekeeper.measure.clock import Reading, check_clock, read_clock
from gatekeeper.measure.energy._base import Absent, Meter, per_inference
from gatekeeper.measure.session import LoadModel, ModelLoaded, Open
from gatekeeper.measure.timing import Block, Saturate, Saturated, Timed
from gatekeeper.process.isolate import Worker
from gatekeeper.process.memory import Footprint
from gatekeeper.process.messages import Done
from gatekeeper.records.measured import RoundData

CONTROL = "control"
"""The second copy of the baseline, which must measure as the first."""
LEAST_INFERENCES = 20  # a round, so that its p95 means something


@dataclass(frozen=True)
class Arm:
    """One model to measure: the baseline, its A/A copy, or a variant."""

    id: str
    spec: ModelSpec
    runtime: str = ""  # the module whose memory is not the model's


@dataclass(frozen=True)
class Settings:
    """How a round is measured; equal for every arm."""

    scratch: Path
    inputs: Path  # feeds to time
    blocks: int
    block_ms: float
    timeout_s: float
    memory_limit: int
    heavy: Path | None = None  # feeds to watch the memory on
    meter: Meter | Absent = field(default_factory=lambda: Absent("not asked for"))


@dataclass(frozen=True)
class Round:
    """What one round found: per arm its numbers and raw latencies, or why it has none."""

    index: int
    data: dict[str, RoundData] = field(default_factory=dict)
    samples: dict[str, list[int]] = field(default_factory=dict)
    failures: dict[str, NotMeasured] = field(default_factory=dict)
    inputs: int = 0
    """How many were timed equally often, latency after latency in turn, from the one whose number is the round's; 0: tokens."""


@dataclass
class _Running:
    arm: Arm
    worker: Worker
    load_ns: int = 0
    inputs: int = 0
    footprint: Footprint | None = None
    base: int | None = None
    resident: int | None = None
    peak: int | None = None
    high_water: int | None = None
    latencies: list[int] = field(default_factory=list)
    log_medians: list[float] = field(default_factory=list)  # of each block
    first_tokens: list[int] = field(default_factory=list)
    cpu_ns: int = 0
    wall_ns: int = 0
    yielded: int | None = 0
    preempted: int | None = 0
    overhead_ns: int = 0
    clock: Reading | None = None  # when the model was loaded
    saturated_per_s: float | None = None
    joules: float = 0.0
    ran_on: str = ""


def measure_round(index: int, arms: Sequence[Arm], settings: Settings, order: random.Random) -> Round:
    """Measure every arm once in fresh processes; a failing arm does not stop the others."""
    this_round = Round(index)
    with ExitStack() as stack:
        running = [
            _Running(arm, stack.enter_context(Worker(settings.scratch, settings.memory_limit, arm.spec.threads)))
            for arm in order.sample(arms, len(arms))
        ]
        running = _each(running, this_round, lambda r: _open(r, settings, index), at_once=True)  # nothing is timed yet
        running = _each(running, this_round, lambda r: _load(r, settings))
        least = -(-LEAST_INFERENCES // settings.blocks)
        for left in reversed(range(settings.blocks)):
            order.shuffle(running)
            running = _each(running, this_round, partial(_block, settings=settings, least=least, last=not left))
        order.shuffle(running)
        running = _each(running, this_round, lambda r: _saturate(r, settings))
        for r in running:
            this_round.data[r.arm.id] = _summarise(index, r, r.arm.spec.threads)
            this_round.samples[r.arm.id] = r.latencies
    counts = {r.inputs for r in running}
    return replace(this_round, inputs=counts.pop() if len(counts) == 1 else 0)


def _each(running: list[_Running], this_round: Round, step: Callable[[_Running], None], at_once: bool = False) -> list[_Running]:
    """Do a step on every arm, in turn or all at once; arms that fail leave the round with their reason."""

    def attempt(r: _Running) -> bool:
        try:
            step(r)
        except NotMeasured as error:
            this_round.failures[r.arm.id] = error
            r.worker.close()
            return False
        return True

    if at_once and running:
        with ThreadPoolExecutor(len(running)) as pool:
            done = list(pool.map(attempt, running))
    else:
        done = [attempt(r) for r in running]
    return [r for r, well in zip(running, done, strict=True) if well]


def _open(r: _Running, settings: Settings, index: int) -> None:
    """Each round begins with another input: a text model's prompts are more than a round has time for."""
    request = Open(
        spec=r.arm.spec,
        inputs=str(settings.inputs),
        heavy=str(settings.heavy or ""),
        first=index * (settings.blocks if r.arm.spec.text else 1),
        runtime=r.arm.runtime,
    )
    r.worker.ask(request, Done, settings.timeout_s)
    r.worker.suspend()


def _load(r: _Running, settings: Settings) -> None:
    """Load the model while its memory is watched; the others are suspended."""
    r.worker.resume()
    footprint = r.footprint = Footprint(r.worker.pid)
    r.base, r.resident = footprint.full(), footprint.reset_high_water()
    peak = r.base or 0

    def sample(full: bool) -> None:
        nonlocal peak
        peak = max(peak, (footprint.full() if full else footprint.quick()) or 0)

    loaded = r.worker.ask(LoadModel(), ModelLoaded, settings.timeout_s, sample)
    r.load_ns, r.overhead_ns, r.ran_on, r.inputs = loaded.load_ns, loaded.overhead_ns, loaded.ran_on, loaded.inputs
    if r.base is not None:
        r.peak = peak - r.base
    _memory_since(r)  # what came and went while nobody could look, on a busy machine
    r.clock = read_clock(r.worker, settings.timeout_s)
    footprint.reset_high_water()
    r.worker.suspend()


def _memory_since(r: _Running) -> None:
    """What the model took since the last mark, read when it works no more: a timed block is not disturbed by being watched.

    The kernel keeps the peak of resident bytes; by as much as that is above what is resident now, what is held now was once more.
    """
    assert r.footprint is not None
    held, high, now = r.footprint.full(), r.footprint.high_water(), r.footprint.resident()
    above = max(0, high - now) if high is not None and now is not None else 0
    if r.peak is not None and r.base is not None and held is not None:
        r.peak = max(r.peak, held + above - r.base)
    if r.resident is not None and high is not None:
        r.high_water = max(r.high_water or 0, high - r.resident)


def _block(r: _Running, settings: Settings, least: int, last: bool) -> None:
    before = settings.meter.read()
    r.worker.resume()
    request = Block(duration_ns=int(settings.block_ms * 1e6), least=least, last=last)
    timed = r.worker.ask(request, Timed, settings.timeout_s, quiet=True)
    r.worker.suspend()
    r.joules += settings.meter.since(before, timed.wall_ns, timed.cpu_ns)
    r.latencies += timed.latencies_ns
    r.log_medians.append(math.log(statistics.median(timed.latencies_ns)))
    r.first_tokens += timed.first_tokens_ns
    r.cpu_ns += timed.cpu_ns
    r.wall_ns += timed.wall_ns
    r.yielded = _plus(r.yielded, timed.yielded)
    r.preempted = _plus(r.preempted, timed.preempted)
    if last:
        _memory_since(r)


def _plus(sum_: int | None, more: int | None) -> int | None:
    return None if sum_ is None or more is None else sum_ + more


def _saturate(r: _Running, settings: Settings) -> None:
    """Throughput with more callers than threads, so that the machine is never idle between two requests."""
    r.worker.resume()
    request = Saturate(duration_ns=int(settings.block_ms * 1e6), callers=r.arm.spec.threads + 1)
    answer = r.worker.ask(request, Saturated, settings.timeout_s, quiet=True)
    if r.clock is not None:
        check_clock(r.clock, read_clock(r.worker, settings.timeout_s))
    r.worker.suspend()
    if answer.inferences:
        r.saturated_per_s = answer.inferences * 1e9 / answer.wall_ns


def _summarise(index: int, r: _Running, threads: int) -> RoundData:
    import numpy as np

    latencies = np.asarray(r.latencies, dtype=float)
    p50 = np.median(latencies)
    # The usual interpolation puts a p95 of few inferences too low, and a bound over rounds makes that look certain.
    p10, p95, p99 = np.percentile(latencies, [10, 95, 99], method="weibull")
    return RoundData(
        round=index,
        count=latencies.size,
        p10_ns=float(p10),
        median_ns=float(p50),
        turn_median_ns=math.exp(statistics.fmean(r.log_medians)) if r.log_medians else None,
        mean_ns=float(latencies.mean()),
        p95_ns=float(p95),
        p99_ns=float(p99),
        load_ns=r.load_ns,
        cpu_utilisation=r.cpu_ns / (r.wall_ns * threads),
        peak_bytes=r.peak,
        high_water_bytes=r.high_water,
        saturated_per_s=r.saturated_per_s,
        first_token_ns=float(np.median(r.first_tokens)) if r.first_tokens else None,
        yielded_per_s=_per_second(r.yielded, r.wall_ns),
        preempted_per_s=_per_second(r.preempted, r.wall_ns),
        joules=per_inference(r.joules, latencies.size),
        timed_ns=float(r.wall_ns),
        overhead_ns=r.overhead_ns,
        tick_ns=_tick(r.latencies),
        inputs=r.inputs,
        ran_on=r.ran_on,
    )


def _per_second(count: int | None, wall_ns: int) -> float | None:
    return None if count is None else count * 1e9 / wall_ns


def _tick(latencies: Sequence[int]) -> int:
    """The smallest step between two latencies that differ; where all are alike, nothing is known below the first."""
    steps = sorted(set(latencies))
    return min((b - a for a, b in itertools.pairwise(steps)), default=steps[0])
