"""Of how many examples a model's own outputs change where it is asked a set under a corruption: that it reads what changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatekeeper.data.outputs import outputs_beside
from gatekeeper.process.messages import Answer, Held, Request

LEAST = 1e-3
"""How far a number must be from what it was, in standard deviations of its output: more than runs differ by rounding."""


class CompareOutputs(Request, frozen=True, kw_only=True):
    """Compare one model's predictions of a set with those of the same set under a corruption: two .npy files, others beside."""

    before: str
    after: str

    def answer(self, held: Held) -> Changed:
        """Count."""
        return Changed(examples=changed(Path(self.before), Path(self.after)))


class Changed(Answer, frozen=True, kw_only=True):
    """So many examples have an output that changed."""

    examples: int


def changed(before: Path, after: Path) -> int:
    """Examples of which any number of any output is another; an output that only one side has says nothing."""
    import numpy as np

    files, others = outputs_beside(before).others, outputs_beside(after).others
    pairs = [(before, after)]
    pairs += [(before.with_name(file), after.with_name(others[name])) for name, file in files.items() if name in others]
    found: Any = None
    for pair in pairs:
        old, new = (np.load(path, mmap_mode="r", allow_pickle=False) for path in pair)
        own = _moved(old, new)
        found = own if found is None else found | own
    return int(found.sum())


def _moved(old: Any, new: Any) -> Any:
    """Which examples, of shape [examples], have another number; of outputs as long as the data asks for, where both have one."""
    import numpy as np

    shared = tuple(slice(0, min(each)) for each in zip(old.shape, new.shape, strict=True))
    a, b = (np.asarray(each[shared]).reshape(shared[0].stop, -1) for each in (old, new))
    if a.dtype.kind != "f":
        return (a != b).any(axis=1)
    a, b = a.astype(np.float64), b.astype(np.float64)
    known = a[np.isfinite(a)]
    least = LEAST * known.std() if known.size else 0.0
    with np.errstate(invalid="ignore"):
        far = np.abs(a - b) > least
    return (far | (np.isfinite(a) != np.isfinite(b))).any(axis=1)
