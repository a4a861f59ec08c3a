"""Numbers that are estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatekeeper.evaluate.metrics._base import Pair

FAMILY = "regression"
ANSWERS = "numbers"
DESCRIPTION = "one or several numbers an example"
LABELS = "as many numbers an example as the output has"

ALIKE = 0.05
"""How far a number may be from the baseline's and be alike, in units of the baseline's own spread."""


def agreement(baseline: Any, variant: Any) -> Pair:
    """Share of examples of which every number is within 5 % of the baseline's own spread."""
    import numpy as np

    from gatekeeper.evaluate.metrics._base import binary

    b, v = (outputs.reshape(len(outputs), -1).astype(float) for outputs in (baseline, variant))
    same = (np.abs(v - b) <= ALIKE * b.std(axis=0)).all(axis=1)
    return binary(np.ones(len(same), dtype=bool), same)
