"""Cross-layer equalization of an ONNX model: channels rescaled between layers, so that one range fits them all.

Nagel, van Baalen, Blankevoort, Welling: Data-Free Quantization Through Weight Equalization and Bias Correction (ICCV 2019),
section 4.1. For f(s x) = s f(x), s > 0, two layers may exchange a factor for each channel between them:

    W2 f(W1 x + b1) = (W2 S) f(S^-1 W1 x + S^-1 b1),    s_i = sqrt(r1_i r2_i) / r2_i

with r1_i the largest weight that makes channel i and r2_i the largest that reads it; both are then sqrt(r1_i r2_i). Answers in
floating point stay as they were, but for rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatekeeper.frameworks._onnx_layers import Chain, chains

if TYPE_CHECKING:
    import onnx

SWEEPS = 50
"""Times that all pairs are gone through at most: what one pair settles, its neighbour moves again."""
SETTLED = 1e-3
"""Factors this near to 1 need no further sweep."""


@dataclass(frozen=True)
class Scaled:
    """Two layers between which channels were rescaled. `uneven` is how many times the largest range of a channel was the least,
    before and after.
    """

    first: str
    second: str
    channels: int
    uneven: tuple[float, float]

    def __str__(self) -> str:
        before, after = self.uneven
        return f"{self.first} -> {self.second} ({self.channels} channels, ranges {before:.3g} : 1, now {after:.3g} : 1)"


def equalized(model: onnx.ModelProto) -> list[Scaled]:
    """Rescale every pair of layers that allows it, in place; which they are, none where the model has none."""
    import numpy as np

    found = chains(model)
    before = [_uneven(chain) for chain in found]
    for _ in range(SWEEPS):
        if not found or max(_settle(chain) for chain in found) < SETTLED:
            break
    for chain in found:
        chain.write()
    after = [_uneven(chain) for chain in found]
    return [
        Scaled(chain.first.name, chain.second.name, int(np.size(chain.made_by())), (old, new))
        for chain, old, new in zip(found, before, after, strict=True)
    ]


def _settle(chain: Chain) -> float:
    """Rescale one pair; how far the farthest factor is from 1."""
    import numpy as np

    made, read = chain.made_by(), chain.read_by()
    alive = (made > 0) & (read > 0)  # a channel that is never made, or never read, has no range to share
    factors = np.ones_like(made)
    factors[alive] = np.sqrt(made[alive] * read[alive]) / read[alive]
    chain.rescale(factors)
    return float(np.abs(factors - 1).max(initial=0.0))


def _uneven(chain: Chain) -> float:
    made: Any = chain.made_by()
    alive = made[made > 0]
    return float(alive.max() / alive.min()) if alive.size else 1.0
