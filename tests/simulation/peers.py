"""Ways in which others decide whether a model is twice as fast, on the same simulated iterations as the gate.

Every rule gets as many processes and iterations as the gate may take at most. Pooled rules take iterations for samples;
"A then B" runs all processes of one model before those of the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from gatekeeper.stats.looks import LOOKS
from simulation import noise
from simulation.noise import ARMS, BASELINE, BLOCKS, ROUNDS, VARIANT, Array, Noise
from simulation.rows import Row
from simulation.rules import bounds, sequential, speedup

ITERATIONS = 25  # of a block: 200 of a process
SAMPLES = ROUNDS * BLOCKS * ITERATIONS  # of an arm
RESAMPLES = 1000
LIMIT, FASTER = 2.0, 2.2
TAIL = 0.1  # of a median inference
LEVEL = 0.05  # what a textbook test spends, and each of its looks


@dataclass(frozen=True)
class Machine:
    """A machine's noise, and the standard deviation of a process's own effect."""

    name: str
    noise: Noise
    process: float


MACHINES = (
    Machine("shared runner", noise.autoregressive, 0.05),
    Machine("quiet machine", noise.quiet, 0.01),
)


@dataclass(frozen=True)
class Pooled:
    """Mean and variance of all iterations of an arm, of baseline and variant: [runs, 2]."""

    mean: Array
    variance: Array


Passes = Callable[[float], Array]  # whether each run passes, from limit / truth


def rules(machine: Machine, rng: np.random.Generator, runs: int) -> dict[str, Passes]:
    """Every rule on runs whose arms are of one law: a truth of r divides the variant's latencies by r."""
    process = machine.process * rng.standard_normal((runs, ROUNDS, 1, ARMS))
    slow = machine.noise(rng, runs)
    raced = np.exp(process + noise.met(slow, rng))
    # One model's blocks first, then the other's, on the same stretch of time.
    in_turn = slow[:, : 2 * ROUNDS * BLOCKS].reshape(runs, 2, ROUNDS, BLOCKS).transpose(0, 2, 3, 1)
    turned = np.exp(process[..., : VARIANT + 1] + in_turn)
    own = [_iterations(rng, runs) for _ in range(ARMS)]

    logs, *views = (
        np.log(np.stack([of(raced[..., arm], own[arm]) for arm in range(ARMS)], axis=-1))
        for of in (_medians, _means, _fastest_tenths)
    )
    effect = logs[:, :, BASELINE] - logs[:, :, VARIANT]
    first, then = (_ordered(turned[..., arm], own[arm], 1, 0.5)[:, 0] for arm in (BASELINE, VARIANT))
    interleaved, after = _pooled(raced, own), _pooled(turned, own)
    resampled = _bootstrap(raced, own, rng)

    def gate(scale: float) -> Array:
        shift = np.zeros(ARMS)
        shift[VARIANT] = math.log(LIMIT / scale)
        return speedup(logs - shift, LIMIT, views=[view - shift for view in views])[0] > 0

    def looking(looks: tuple[int, ...]) -> Passes:
        def judge(scale: float) -> Array:
            return sequential(lambda n: (bounds(effect[:, :n], LEVEL)[0] >= math.log(scale)).astype(int), looks, runs)[0] > 0

        return judge

    return {
        "gatekeeper": gate,
        "ratio of means, A then B": lambda scale: after.mean[:, 0] >= scale * after.mean[:, 1],
        "ratio of medians, A then B": lambda scale: first >= scale * then,
        "Welch's t, iterations pooled, A then B": lambda scale: _welch(after, scale),
        "Welch's t, iterations pooled, interleaved": lambda scale: _welch(interleaved, scale),
        "bootstrap of the medians, iterations pooled, interleaved": lambda scale: resampled >= scale,
        "t over rounds, interleaved, five looks at 5 % each": looking(LOOKS),
        f"t over rounds, interleaved, once after {ROUNDS}": looking((ROUNDS,)),
    }


def _iterations(rng: np.random.Generator, runs: int) -> Array:
    """Slowness of each inference, [runs, rounds, blocks, iterations], with a Pareto tail (3): p99 is a third above p50."""
    u = 1 - rng.random((runs, ROUNDS, BLOCKS, ITERATIONS), dtype=np.float32)
    return (1 - TAIL) + TAIL * np.power(u, np.float32(-1 / 3))


def _ordered(level: Array, own: Array, parts: int, share: float) -> Array:
    """The quantile `share` of the iterations of each of `parts` stretches of an arm, [runs, parts]."""
    found = (own * level.astype(np.float32)[..., None]).reshape(len(own), parts, -1)
    place = int(found.shape[-1] * share)
    return np.partition(found, place, axis=-1)[..., place].astype(float)


def _medians(level: Array, own: Array) -> Array:
    """Of each round, the geometric mean of its blocks' medians."""
    return np.exp(np.log(_ordered(level, own, ROUNDS * BLOCKS, 0.5)).reshape(len(own), ROUNDS, BLOCKS).mean(axis=2))


def _fastest_tenths(level: Array, own: Array) -> Array:
    return _ordered(level, own, ROUNDS, 0.1)


def _means(level: Array, own: Array) -> Array:
    return (level * own.mean(axis=-1, dtype=float)).mean(axis=-1)


def _pooled(level: Array, own: list[Array]) -> Pooled:
    mean, variance = [], []
    for arm in (BASELINE, VARIANT):
        sums = own[arm].sum(axis=-1, dtype=float)
        squares = np.einsum("...i,...i->...", own[arm], own[arm]).astype(float)
        mean.append((level[..., arm] * sums).sum(axis=(1, 2)) / SAMPLES)
        power = (level[..., arm] ** 2 * squares).sum(axis=(1, 2)) / SAMPLES
        variance.append((power - mean[-1] ** 2) * SAMPLES / (SAMPLES - 1))
    return Pooled(np.stack(mean, axis=1), np.stack(variance, axis=1))


def _welch(arms: Pooled, scale: float) -> Array:
    """One-sided test of mean(baseline) <= scale * mean(variant), by Welch's t at 5 %."""
    a, b = arms.variance[:, 0] / SAMPLES, scale**2 * arms.variance[:, 1] / SAMPLES
    freedom = (a + b) ** 2 / ((a**2 + b**2) / (SAMPLES - 1))
    return arms.mean[:, 0] - scale * arms.mean[:, 1] >= stdtrit(freedom, 1 - LEVEL) * np.sqrt(a + b)


def _bootstrap(level: Array, own: list[Array], rng: np.random.Generator) -> Array:
    """Lower 5 % percentile bound of the ratio of medians.

    The median of a resample is the k-th of n sorted values at ceil(n * U), where U, the k-th of n uniform numbers, is
    Beta(k, n - k + 1): the bootstrap's exact law, without resampling.
    """
    runs, k = len(level), SAMPLES // 2
    drawn = []
    for arm in (BASELINE, VARIANT):
        ordered = np.sort((own[arm] * level[..., arm].astype(np.float32)[..., None]).reshape(runs, -1), axis=1)
        place = np.ceil(SAMPLES * rng.beta(k, SAMPLES - k + 1, (runs, RESAMPLES))).astype(np.int64) - 1
        drawn.append(np.take_along_axis(ordered, place, axis=1))
    return np.quantile(drawn[0] / drawn[1], LEVEL, axis=1)


@dataclass(frozen=True)
class Peer:
    """A rule on a machine: false passes at a true 2.00x, and the passes it owes at a true 2.20x."""

    rule: str
    machine: str
    at_limit: Row
    faster: float


def peers(runs: int, chunk: int = 250) -> Iterator[Peer]:
    for machine in MACHINES:
        rng, found = np.random.default_rng(11), dict[str, Array]()
        for start in range(0, runs, chunk):
            for name, passes in rules(machine, rng, min(chunk, runs - start)).items():
                found[name] = found.get(name, 0) + np.array([passes(1.0).sum(), passes(LIMIT / FASTER).sum()])
        for name, (wrong, right) in found.items():
            yield Peer(name, machine.name, Row(name, machine.name, int(wrong), runs), float(right / runs))


def peers_table(found: list[Peer]) -> str:
    """One line a rule; false passes with their Clopper-Pearson upper bound in brackets."""
    names = [m.name for m in MACHINES]
    head = " | ".join(f"{name}: at 2.00x (at most) | at {FASTER:.2f}x" for name in names)
    lines = [f"| rule | {head} |", "|---|" + "--:|" * 2 * len(names)]
    for rule in dict.fromkeys(p.rule for p in found):
        mine = {p.machine: p for p in found if p.rule == rule}
        cells = [f"{mine[n].at_limit.rate:.1%} ({mine[n].at_limit.upper:.1%}) | {mine[n].faster:.1%}" for n in names]
        lines.append(f"| {rule} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
