"""How looks may share the error budget: spending functions and equal shares, on rounds of one law."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from gatekeeper.stats.looks import ALPHA, EARLIER_LOOKS, LOOKS, equal_alpha, look_alpha
from gatekeeper.stats.spending import Spending, levels, obrien_fleming, pocock, proportional
from simulation.noise import Array
from simulation.rules import bounds, sequential

SPREAD, DEGREES = 0.05, 3
LIMIT = 2.0
TRUTHS = (2.0, 2.05, 2.1, 2.3)


def spent(spending: Spending) -> list[float]:
    return list(levels(LOOKS, tuple(spending(look / LOOKS[-1], ALPHA) for look in LOOKS)))


PLANS: dict[str, tuple[Sequence[int], list[float]]] = {
    "equal shares, four looks": (EARLIER_LOOKS, [equal_alpha(LOOKS[-1])] * len(EARLIER_LOOKS)),
    "equal shares": (LOOKS, [ALPHA / len(LOOKS)] * len(LOOKS)),
    "O'Brien and Fleming": (LOOKS, spent(obrien_fleming)),
    "Pocock": (LOOKS, spent(pocock)),
    "in proportion to the rounds": (LOOKS, spent(proportional)),
    "the gates': seven eighths of that": (LOOKS, [look_alpha(look, LOOKS[-1]) for look in LOOKS]),
}
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]
LAWS: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "heavy tail (t3)": lambda rng, shape: rng.standard_t(DEGREES, shape),
}


def verdicts(effect: Array, looks: Sequence[int], nominal: Sequence[float]) -> tuple[Array, Array]:
    """Of ln ratios over the limit, [runs, rounds]: verdicts, and the rounds they took."""
    at = dict(zip(looks, nominal, strict=True))

    def judge(look: int) -> Array:
        lower, upper = bounds(effect[:, :look], at[look])
        return (lower >= 0).astype(int) - (upper < 0)

    return sequential(judge, looks, len(effect))


def looks_table(runs: int) -> str:
    """Passes and mean rounds of each plan at each truth."""
    head = " | ".join(f"{law}: at {truth:g}x | rounds" for law in LAWS for truth in TRUTHS)
    lines = [f"| spending | levels of the looks | {head} |", "|---|---|" + "--:|--:|" * len(TRUTHS) * len(LAWS)]
    drawn = {law: _drawn(draw, runs) for law, draw in LAWS.items()}
    for name, (looks, nominal) in PLANS.items():
        cells = []
        for noise in drawn.values():
            for truth in TRUTHS:
                found, rounds = verdicts(noise + math.log(truth / LIMIT), looks, nominal)
                cells.append(f"{(found > 0).mean():.1%} | {rounds.mean():.1f}")
        lines.append(f"| {name} | {', '.join(f'{level:.2%}' for level in nominal)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _drawn(draw: Draw, runs: int) -> Array:
    one, other = draw(np.random.default_rng(7), (2, runs, LOOKS[-1]))
    return SPREAD * (one - other)
