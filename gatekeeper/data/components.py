"""The numbers of an output in groups that are judged each by itself, and how far each of them spreads over the examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MOST_COMPONENTS = 1024
"""An output of more numbers an example is judged by its last axis, or its second, or as a whole: the first that is shorter."""

QUIET = 1e-6
"""A component with less than this share of the usual variance is held to the usual one: noise is nothing that can be kept."""

_CHUNK = 1 << 22  # numbers read at once


class Components:
    """The numbers of one example in groups that are judged each by itself: single ones where they are few."""

    def __init__(self, shape: tuple[int, ...], axis: int | None = None):
        self.shape, self.axis = shape, -1
        if _product(shape) <= MOST_COMPONENTS and axis is None:
            self.count = max(_product(shape), 1)
        else:
            axes = group_axes(shape) if axis is None else [axis]
            self.axis = axes[0] if axes else len(shape)
            self.count = shape[self.axis] if axes else 1

    def sums(self, values: Any) -> Any:
        """[examples, *shape] added up within each component: [examples, count]."""
        if self.axis < 0:
            return values.reshape(len(values), self.count)
        axes = tuple(i + 1 for i in range(len(self.shape)) if i != self.axis)
        return values.sum(axis=axes).reshape(len(values), self.count)

    @property
    def members(self) -> int:
        """Numbers in one component."""
        return max(_product(self.shape), 1) // self.count

    def called(self, index: int) -> str:
        """A component as people write it: `[3, 0]`, `[:, 5]`; empty where there is one only."""
        import numpy as np

        if self.count == 1:
            return ""
        if self.axis < 0:
            return str([int(i) for i in np.unravel_index(index, self.shape)])
        return "[" + ", ".join(str(index) if i == self.axis else ":" for i in range(len(self.shape))) + "]"


def group_axes(shape: tuple[int, ...]) -> list[int]:
    """The axes by which an output of many numbers is looked at: the last, and the second, where images have their channels."""
    if _product(shape) <= MOST_COMPONENTS:
        return []
    return [axis for axis in dict.fromkeys((len(shape) - 1, 0)) if 1 < shape[axis] <= MOST_COMPONENTS]


def _product(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def spread(groups: Components, outputs: Any) -> Any:
    """Squared differences of outputs, [examples, ...], from their mean over the examples: [examples, components].

    What is not finite counts nowhere. Components that say the same of every example have the usual spread in place of theirs.
    """
    import numpy as np

    total, count = np.zeros(outputs.shape[1:]), np.zeros(outputs.shape[1:])
    for (part,) in chunks(outputs):
        known = np.isfinite(part)
        total += np.where(known, part, 0).sum(axis=0)
        count += known.sum(axis=0)
    mean, squares = total / np.maximum(count, 1), []
    for (part,) in chunks(outputs):
        known = np.isfinite(part)
        with np.errstate(invalid="ignore", over="ignore"):
            squares.append(groups.sums(np.where(known, np.where(known, part, 0) - mean, 0) ** 2))
    return _loud(np.concatenate(squares), mean, groups)


def _loud(spread: Any, mean: Any, groups: Components) -> Any:
    """The spread, with the usual one in place of that of components that say the same of every example."""
    import numpy as np

    variances = spread.mean(axis=0)
    usual = variances[variances > QUIET * variances.mean()]
    if not usual.size:  # nothing of it ever changes: it is held to its own size
        level = groups.sums(mean[None] ** 2)[0]
        level = np.where(level > 0, level, level.mean() if level.any() else 1.0)
        return np.broadcast_to(level, spread.shape)
    return np.where(variances > QUIET * variances.mean(), spread, usual.mean())


def chunks(*arrays: Any) -> Iterator[tuple[Any, ...]]:
    """The same examples of each, some at a time; floats as float64."""
    import numpy as np

    rows = max(1, _CHUNK // max(arrays[0][0].size, 1))
    for start in range(0, len(arrays[0]), rows):
        parts = (np.asarray(array[start : start + rows]) for array in arrays)
        yield tuple(part.astype(float) if part.dtype.kind == "f" else part for part in parts)
