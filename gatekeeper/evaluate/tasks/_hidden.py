"""Places at which nobody asks for an answer: what is not labelled, and without labels what the model's own mask leaves out.

Which of a mask's two values means padding nothing says: `attention_mask` is 1 at what is read, PyTorch's `key_padding_mask` at
what is not, and what is added to scores is 0 at what is read. Where the data tell, they are believed, else the name; where
neither does, every place counts, and those of each value are looked at by themselves, so that the padding cannot hide the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatekeeper.data.prepared import IGNORED

if TYPE_CHECKING:
    from gatekeeper.evaluate.tasks._base import Task

FAR = -1000.0
"""What is added to a score so that it counts no more; half precision goes to -65,504."""
READ, PADDING = ("attention", "input_mask", "valid", "nonpad", "non_pad"), ("pad", "ignore")
"""Parts of names of masks that are true of what is read, and of what is not, in the order in which they are looked for."""


def hidden(judged: Task, answers: Any, labels: Any, inputs: Mapping[str, Any]) -> Any:
    """Where no answer counts, of the answers' shape; None where every one does."""
    import numpy as np

    if judged.ANSWERS != "classes":
        return None
    if labels is not None:
        found = labels == IGNORED if labels.shape == answers.shape else None
        return found if found is not None and found.any() and not found.all() else None
    told = [_padding(mask, inputs) for mask in _masks(answers, inputs)]
    known = np.logical_or.reduce([padding for padding in told if padding is not None] or [np.zeros(answers.shape, bool)])
    return known if known.any() and not known.all() else None


def in_doubt(judged: Task, answers: Any, labels: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Places of each value of masks of which it is not known what they mean, and what comes before an end that repeats one value:
    names, and where they are, of the answers' shape.
    """
    if judged.ANSWERS != "classes" or labels is not None:
        return {}
    found: dict[str, Any] = {}
    masks = list(_masks(answers, inputs))
    for mask in masks:
        if _padding(mask, inputs) is None:
            found |= {f"places where {mask.name} is 1": mask.ones, f"places where {mask.name} is 0": ~mask.ones}
    if not masks:
        for name, array in inputs.items():
            if array.shape == answers.shape and array.dtype.kind in "iu" and (end := _repeated_end(array)) is not None:
                found[f"places of {name} before its end repeats"] = ~end
    return found


@dataclass(frozen=True)
class Mask:
    """An input of two values: its name, where it is set, of the answers' shape, and which of both means padding, if its numbers
    say so themselves.
    """

    name: str
    ones: Any
    padding: bool | None = None


def _masks(answers: Any, inputs: Mapping[str, Any]) -> Iterator[Mask]:
    """Inputs that are called masks or padding, of the answers' shape but for axes of one."""
    import numpy as np

    for name, array in inputs.items():
        if not any(word in name.lower() for word in ("mask", *READ, *PADDING)) or array.size != answers.size:
            continue
        if [each for each in array.shape if each > 1] != [each for each in answers.shape if each > 1]:
            continue
        values = np.asarray(array).reshape(answers.shape)
        if values.dtype.kind == "f" and (values <= 0).all() and (values <= FAR).any() and ((values == 0) | (values <= FAR)).all():
            yield Mask(name, values == 0, padding=False)  # added to scores: what is read stays as it is
        elif values.dtype.kind in "biuf" and np.isin(values, (0, 1)).all() and (values == 0).any() and (values == 1).any():
            yield Mask(name, values == 1)


def _padding(mask: Mask, inputs: Mapping[str, Any]) -> Any:
    """Where a mask says padding is; None where nothing tells."""
    told = _by_data(mask.ones, inputs) if mask.padding is None else mask.padding
    if told is None:
        called = mask.name.lower()
        told = False if any(word in called for word in READ) else True if any(word in called for word in PADDING) else None
    return None if told is None else mask.ones == told


def _by_data(mask: Any, inputs: Mapping[str, Any]) -> bool | None:
    """Which value of a mask the data show to be padding: what fills one end of every example, and where another input has one
    value only; or no example at all, where the other value fills some.
    """
    import numpy as np

    rows = mask.reshape(len(mask), -1)
    if (np.diff(rows.astype(np.int8), axis=1) != 0).sum(axis=1).max() > 1:
        return None
    for array in inputs.values():
        if array.shape[: mask.ndim] == mask.shape and array.dtype.kind in "iuf" and (array.ndim > mask.ndim or not _two(array)):
            same = {value: bool((array[mask == value] == array[mask == value][0]).all()) for value in (False, True)}
            if same[True] != same[False]:
                return same[True]
    full = {value: bool((rows == value).all(axis=1).any()) for value in (False, True)}
    return full[False] if full[True] != full[False] else None


def _two(array: Any) -> bool:
    """Whether an input has no more than two values, as masks and numbers of segments have."""
    import numpy as np

    return len(np.unique(array[: 1 + 4096 // max(array[0].size, 1)])) <= 2 and len(np.unique(array)) <= 2


def _repeated_end(ids: Any) -> Any:
    """Where the end of examples repeats one value that is nowhere else, in some by more than in others; None where none does."""
    import numpy as np

    rows = ids.reshape(len(ids), -1)
    values, counts = np.unique(rows[:, -1], return_counts=True)
    end = np.logical_and.accumulate((rows == values[counts.argmax()])[:, ::-1], axis=1)[:, ::-1]
    lengths = end.sum(axis=1)
    alone = bool(((rows == values[counts.argmax()]) == end).all())
    return end.reshape(ids.shape) if alone and lengths.max() > 1 and lengths.min() < lengths.max() else None
