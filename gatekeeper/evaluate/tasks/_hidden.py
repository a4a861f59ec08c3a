"""Places at which nobody asks for an answer: what is not labelled, and without labels what the model's own mask leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gatekeeper.data.prepared import IGNORED

if TYPE_CHECKING:
    from gatekeeper.evaluate.tasks._base import Task


def hidden(judged: Task, answers: Any, labels: Any, inputs: Mapping[str, Any]) -> Any:
    """Where no answer counts, of the answers' shape; None where every one does."""
    import numpy as np

    if judged.ANSWERS != "classes":
        return None
    if labels is not None:
        found = labels == IGNORED if labels.shape == answers.shape else None
    else:
        masks = (array for name, array in inputs.items() if "mask" in name.lower() and array.shape == answers.shape)
        found = next((np.asarray(mask) == 0 for mask in masks if mask.dtype.kind in "biu" and np.isin(mask, (0, 1)).all()), None)
    return found if found is not None and found.any() and not found.all() else None
