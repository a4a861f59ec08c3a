"""How far a model's answers are from the original's, without labels: what ranks candidates on calibration data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.process.messages import Answer, Held, Request

WHOLE = 0.02
TINY = 1e-12


class Diverge(Request, frozen=True, kw_only=True):
    """Compare what two models answered to the same examples: files of predictions, .npy of shape [examples, ...]."""

    before: str
    after: str

    def answer(self, held: Held) -> Diverged:
        """Read both files."""
        import numpy as np

        before, after = (np.load(path, mmap_mode="r") for path in (self.before, self.after))
        return divergence(before, after)


class Diverged(Answer, frozen=True, kw_only=True):
    """`kl`: mean Kullback-Leibler divergence of the original's distribution from the other's, in nats; of outputs that are no
    scores of classes, the share of the original's variance that is lost. `same`: share of answers that are the same class.
    """

    kl: float
    same: float | None
    examples: int


def divergence(before: Any, after: Any) -> Diverged:
    """Of two arrays of the same shape, [examples, ..., classes] or [examples, ...]."""
    import numpy as np

    if before.shape != after.shape or not len(before):
        raise NotMeasured("model", f"its answers have shape {after.shape}, the original's {before.shape}.")
    one, other = (np.asarray(each, np.float64) for each in (before, after))
    if not np.isfinite(other).all():
        raise NotMeasured("model", "its answers hold NaN or infinite values.")
    if before.dtype.kind != "f" or before.ndim < 2 or before.shape[-1] < 2:
        if before.dtype.kind in "iub":
            return Diverged(kl=float((one != other).mean()), same=float((one == other).mean()), examples=len(one))
        spread = float(np.square(one - one.mean(axis=0)).sum())
        return Diverged(kl=float(np.square(one - other).sum() / max(spread, TINY)), same=None, examples=len(one))
    p, q = _shares(one, one), _shares(other, one)
    kl = (p * (np.log(np.maximum(p, TINY)) - np.log(np.maximum(q, TINY)))).sum(axis=-1)
    same = (one.argmax(axis=-1) == other.argmax(axis=-1)).mean()
    return Diverged(kl=max(0.0, float(kl.mean())), same=float(same), examples=len(one))


def _shares(scores: Any, reference: Any) -> Any:
    """Probabilities along the last axis: as they are where the original's are some, else of logits."""
    import numpy as np

    if reference.min() >= -WHOLE and (np.abs(reference.sum(axis=-1) - 1) <= WHOLE).all():
        clipped = np.clip(scores, 0, None)
        return clipped / np.maximum(clipped.sum(axis=-1, keepdims=True), TINY)
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def some_of(dataset: Path, destination: Path, most: int) -> int:
    """Write a prepared set of at most so many examples, drawn evenly over another one's; how many they are."""
    import numpy as np

    data = PreparedDataset(dataset)
    count = min(most, data.contents.examples)
    chosen = np.linspace(0, data.contents.examples - 1, count).round().astype(int)
    destination.mkdir(parents=True, exist_ok=True)
    for index, array in enumerate(data.inputs.values()):
        np.save(destination / f"input{index}.npy", np.asarray(array)[chosen])
    contents = msgspec.structs.replace(data.contents, examples=count, labelled=False, slices=[], distinct=0)
    (destination / "contents.json").write_bytes(msgspec.json.encode(contents))
    return count
