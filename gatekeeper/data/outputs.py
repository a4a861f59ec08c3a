"""Which of a model's outputs is judged."""

from __future__ import annotations

from typing import Any

from gatekeeper.errors import NotMeasured


def choose(names: tuple[str, ...], outputs: list[Any], wanted: str | None, task: str | None) -> int:
    """Index of the output to judge: the named one, else for classes the first with scores, else the first."""
    import numpy as np

    if wanted is not None:
        if wanted not in names:
            raise NotMeasured("model", f"the model has no output '{wanted}' (it has {', '.join(names)}). Correct `model.output`.")
        return names.index(wanted)
    arrays = [np.asarray(o) for o in outputs]
    if task is None or task.endswith("classification"):
        for i, array in enumerate(arrays):
            if array.dtype.kind == "f" and array.ndim >= 2 and array.shape[-1] > 1:
                return i
    for i, array in enumerate(arrays):
        if array.dtype.kind in "fiu":
            return i
    raise NotMeasured("model", "the model has no numeric output to judge. Name one with `model.output`.")
