"""What rounding explains of two models' differences: what the one itself shows when its weights move by next to nothing.

Where a number is cut off, compared or looked up by, the last bit may decide, and runtimes do not add up in one order. Such an
example is answered otherwise by the model itself when its weights are nudged by what rounding may come to.
"""

from __future__ import annotations

from typing import Any

from gatekeeper.models.info import Assessment

FAR = 0.01
"""Distance in units of an output's spread from which on an example has been answered otherwise."""

SMALL = 0.1
"""Distance that arithmetic in 16 bits may cause in a model of 32, where a runtime chooses it."""

NUDGES = 4
TIMES = 4.0
"""An example that is so many times as far as nudges move it is not explained by them."""
CHANCE = 0.01
MISSED = 0.5**NUDGES
"""Chance that an example on an edge is on its own side of it after every nudge."""

SINGLE, HALF, EIGHT_BITS = 2.0**-18, 2.0**-9, 2.0**-7
"""What nudges come to, as a fraction of each weight: for arithmetic in 32 bits, in the fewer of 16-bit types, and in 8."""


def nudge_size(model: Assessment, device: str) -> float:
    """What rounding may come to: accelerators round to fewer bits than the type has, unless they are told otherwise."""
    if model.quantized:
        return EIGHT_BITS
    half = model.weights.keys() & {"float16", "bfloat16"} or device.partition(":")[0] != "cpu"
    return HALF if half else SINGLE


def unexplained(rows: Any, moved: Any, numbers: Any = None) -> Any:
    """Which examples are far in an output, and further than rounding explains, [examples].

    `rows` are distances and `moved` how far nudges move them, [outputs, examples]. Where nudges of 16 bits stand for a model of
    32, `numbers` says which outputs are numbers: of those only small distances are theirs to explain.
    """
    beyond = rows > TIMES * moved
    if numbers is not None:
        beyond |= (rows > SMALL) & numbers[:, None]
    return ((rows > FAR) & beyond).any(axis=0)


def explained(far: int, left: int, examples: int) -> bool:
    """Whether `left` unexplained examples of `far` that differ are what nudges miss, by chance, of those on an edge."""
    from scipy.stats import binom

    if not left:
        return True
    if left == examples:
        return False
    return bool(binom.sf(left - 1, far, MISSED) >= CHANCE)
