"""How far two models are apart in one output, example by example, in units of the output's own spread.

Numbers are compared component by component and the worst one counts, so that what differs in one of them is not hidden by
others; a value that is finite for one model alone is infinitely far. Of classes, other whole numbers and texts it is the share
of a component's numbers that differ.
"""

from __future__ import annotations

from typing import Any

from gatekeeper.data.components import Components, chunks, spread


class Scale:
    """How far each component of an output spreads over the examples of the reference, shape [examples, ...]."""

    def __init__(self, reference: Any):
        self.groups = Components(reference.shape[1:])
        self.numbers = reference.dtype.kind == "f"
        self.level: Any = spread(self.groups, reference).mean(axis=0) if self.numbers else None

    def apart(self, reference: Any, other: Any) -> Any:
        """Of each example, how far the worst component is from the reference's, [examples]; both of the scale's shape."""
        import numpy as np

        found = []
        for a, b in chunks(reference, other):
            if not self.numbers:
                found.append((self.groups.sums((a != b).astype(float)) / self.groups.members).max(axis=1))
                continue
            b = b.astype(float)
            both = np.isfinite(a) & np.isfinite(b)
            with np.errstate(invalid="ignore", over="ignore"):
                squares = self.groups.sums(np.where(both, np.where(both, a, 0) - np.where(both, b, 0), 0) ** 2)
                distance = np.sqrt(np.divide(squares, self.level, out=np.full_like(squares, np.inf), where=self.level > 0))
            distance[squares == 0] = 0
            lost = (np.isfinite(a) != np.isfinite(b)).reshape(len(a), -1).any(axis=1)
            found.append(np.where(lost, np.inf, distance.max(axis=1)))
        return np.concatenate(found)
