"""What is said or written in a recording, an image or another text: speech, OCR, translation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured

if TYPE_CHECKING:
    from gatekeeper.evaluate.metrics._base import Pair
    from gatekeeper.evaluate.tasks._base import Reading
    from gatekeeper.records.scores import KeptClass

FAMILY = "transcription"
ANSWERS = "numbers"
DESCRIPTION = "a text an example, as scores of classes along time (CTC) or as ids"
LABELS = "[examples]: the text; or [examples, most]: its ids, -1 where it is shorter"
UNLABELLED = "letters that are as in the original's texts (one less the character error rate)"


def way(baseline: Any, reading: Reading) -> Any:
    """Which class writes what."""
    from pathlib import Path

    from gatekeeper.evaluate.transcription.symbols import symbols

    return symbols(reading.symbols, baseline, Path(reading.folder))


def read(outputs: Any, way: Any) -> Any:
    """Texts, [examples]."""
    return way.written(outputs)


def check(labels: Any, answers: Any, way: Any) -> Any:
    """Labels as texts."""
    import numpy as np

    if labels.dtype.kind == "U":
        if labels.size != len(labels):
            raise NotMeasured("data", f"the labels have shape {labels.shape}. Labels of transcription are {LABELS}.")
        if way.tokens is None:
            said = "the labels are texts, and what the model's ids write is not known. Name it: `symbols: {vocabulary: ...}`"
            raise NotMeasured("data", f"{said}.")
        return np.asarray([" ".join(text.split()) for text in labels.reshape(-1).tolist()])
    if labels.ndim != 2 or labels.dtype.kind not in "iuf" or (labels != np.round(labels)).any():
        raise NotMeasured("data", f"the labels have shape {labels.shape}. Labels of transcription are {LABELS}.")
    return way.texts(labels.astype(int))


def takes(outputs: tuple[int, ...], labels: tuple[int, ...]) -> bool:
    """Texts, or fewer ids than there are steps: which no shape tells from labels of tokens."""
    return False


def agreement(baseline: Any, variant: Any) -> Pair:
    """Letters that are as in the baseline's texts."""
    from gatekeeper.evaluate.metrics import character_error_rate
    from gatekeeper.evaluate.metrics._base import Pair

    found = character_error_rate.compare(baseline, variant, baseline)
    return Pair(1.0, 1 - found.variant, found.scores)


def signs(baseline: Any, variant: Any) -> dict[str, float]:
    """How many different texts are written. Of one, that it is not always the same."""
    import numpy as np

    ours, theirs = len(np.unique(variant)), len(np.unique(baseline))
    return {"spread": float(ours > 1), "spread_before": float(theirs > 1), "different": ours, "different_before": theirs}


def kept(baseline: Any, variant: Any, truth: Any, slices: dict[str, Any], way: Any) -> list[KeptClass]:
    """How well each text is written, whatever its length, and its beginning and its end; and how often each letter is."""
    from gatekeeper.evaluate.transcription.by_text import kept_texts

    return kept_texts(baseline, variant, baseline if truth is None else truth)
