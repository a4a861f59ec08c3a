"""How far a candidate's answers are from the original's, without labels: what ranks candidates on calibration data."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.explain.sensitivity.divergence import divergence
from gatekeeper.legs.leg import Leg
from gatekeeper.process.messages import Answer, Held, Request

WORST = 1e6


class Diverge(Request, frozen=True, kw_only=True):
    """Compare what two models answered to the same examples: files of predictions, .npy of shape [examples, ...].

    `classes`: the last axis is of classes, where it has more than one. `text`: they are of next tokens.
    """

    before: str
    after: str
    classes: bool
    text: bool = False

    def answer(self, held: Held) -> Diverged:
        """Read both files."""
        import numpy as np

        if self.text:
            from gatekeeper.evaluate.text.score import divergence as of_text

            told = of_text(Path(self.before), Path(self.after))
            return Diverged(kl=max(0.0, told["kl_mean"]), same=None, examples=len(np.load(self.before, mmap_mode="r")))
        before, after = (np.load(path, mmap_mode="r") for path in (self.before, self.after))
        return apart(before, after, self.classes)


class Diverged(Answer, frozen=True, kw_only=True):
    """`kl` as `divergence` has it, in nats; `same`: share of answers that are the same class, None of numbers."""

    kl: float
    same: float | None
    examples: int


def apart(before: Any, after: Any, classes: bool) -> Diverged:
    """Of two arrays of one shape, [examples, ..., classes] or [examples, ...]."""
    import numpy as np

    if before.shape != after.shape or not len(before):
        raise NotMeasured("model", f"its answers have shape {after.shape}, the original's {before.shape}.")
    if before.dtype.kind != "f":  # classes by their names or numbers
        same = float((np.asarray(before) == np.asarray(after)).mean())
        return Diverged(kl=1 - same, same=same, examples=len(before))
    kl = divergence([before], [after], classes)
    if kl >= WORST:
        raise NotMeasured("model", "its answers hold NaN or infinite values.")
    scores = classes and before.ndim > 1 and before.shape[-1] > 1
    alike = (before.argmax(axis=-1) == after.argmax(axis=-1)).mean() if scores else None
    return Diverged(kl=kl, same=None if alike is None else float(alike), examples=len(before))


def in_classes(leg: Leg) -> bool:
    """Whether answers are scores of classes; where nobody says what they are, they are taken for that."""
    from gatekeeper.evaluate.metrics._base import CLASSIFICATION
    from gatekeeper.evaluate.tasks._base import judged_as

    return leg.evaluation.task is None or judged_as(leg.evaluation.task).FAMILY == CLASSIFICATION


def some_of(dataset: Path, destination: Path, most: int) -> int:
    """Write a prepared set of at most so many examples, drawn evenly over another one's; how many they are."""
    import numpy as np

    data = PreparedDataset(dataset)
    count = min(most, data.contents.examples)
    chosen = np.linspace(0, data.contents.examples - 1, count).round().astype(int)
    destination.mkdir(parents=True, exist_ok=True)
    for index, array in enumerate(data.inputs.values()):
        np.save(destination / f"input{index}.npy", np.asarray(array)[chosen])
    for file in dataset.glob("*.json"):  # of a text, how it begins
        shutil.copyfile(file, destination / file.name)
    contents = msgspec.structs.replace(data.contents, examples=count, labelled=False, slices=[], distinct=0)
    (destination / "contents.json").write_bytes(msgspec.json.encode(contents))
    return count
