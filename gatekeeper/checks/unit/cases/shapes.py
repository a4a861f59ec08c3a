"""Inputs that do not fit: what the original refuses, the variant refuses too, and it works afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.checks.outcome import Broken
from gatekeeper.checks.unit.base import Case, Seen
from gatekeeper.checks.unit.compare import AFTERWARDS, BEFORE, still_answers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatekeeper.checks.unit.lab import Lab, TrialLog


def _shapes(lab: Lab) -> Iterator[tuple[str, dict[str, Any]]]:
    import numpy as np

    feed = lab.feeds[0]
    for tensor in lab.tensors:
        name = tensor["name"]
        array, shape = feed[name], tensor["shape"]
        yield f"{name} with an axis more", feed | {name: array[..., None]}
        if array.ndim:
            yield f"{name} with an axis less", feed | {name: np.ascontiguousarray(array[..., 0])}
        for axis, dimension in enumerate(shape):
            if isinstance(dimension, int) and dimension > 0:
                for label, size in (("longer", dimension + 1), ("shorter", dimension - 1), ("empty", 0)):
                    taken = np.take(array, np.arange(size) % dimension, axis)
                    yield f"{name} {label} in axis {axis}", feed | {name: np.ascontiguousarray(taken)}


def _types(lab: Lab) -> Iterator[tuple[str, dict[str, Any]]]:
    import numpy as np

    feed = lab.feeds[0]
    for name, array in feed.items():
        for dtype in (np.float64, np.float32, np.int64, np.int8, np.bool_):
            if array.dtype != dtype and array.dtype.kind in "fiub":
                yield f"{name} as {np.dtype(dtype)}", feed | {name: np.ones(array.shape, dtype)}
        yield f"without {name}", {other: a for other, a in feed.items() if other != name}


def _observe(make: Any) -> Any:
    def observe(lab: Lab, log: TrialLog) -> None:
        log.run(BEFORE, lab.feeds[0])
        for label, feed in make(lab):
            log.run(label, feed)
        log.run(AFTERWARDS, lab.feeds[0])

    return observe


def _judge(variant: Seen, original: Seen) -> str:
    labels = [label for label in original.trials if label not in (BEFORE, AFTERWARDS)]
    refused = [label for label in labels if original.trials[label].error]
    for label in refused:
        if label in variant.trials and not variant.trials[label].error:
            raise Broken(f"it answers {label}, which the original refuses")
    still_answers(variant, original)
    taken = len(labels) - len(refused)
    more = f"; the original itself takes {taken} others, which are not held against the variant" if taken else ""
    return f"{len(refused)} inputs that do not fit were refused, and it answers as before{more}"


CASES = (
    Case("odd_shapes", "basic", "tensors", _observe(_shapes), _judge,
         "wrong ranks and dimensions are refused as by the original, and it answers as before"),
    Case("odd_types", "comprehensive", "tensors", _observe(_types), _judge,
         "wrong element types and missing inputs are refused as by the original"),
)  # fmt: skip
