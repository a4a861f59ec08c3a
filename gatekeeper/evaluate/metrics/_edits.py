"""Errors of transcripts, as edits of what should be there: letters or words that are wrong, missing or too many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import Pair
from gatekeeper.records.scores import PairedScores

TRIED = 5
"""Texts that are always the same, and random orders."""
WORST = 2.0
"""An example that was not seen may lose so many times the longest: all is missing, and as much is made up."""


def compare(baseline: Any, variant: Any, labels: Any, parts: Callable[[str], Sequence[str]]) -> Pair:
    """Edits of all texts by the length of all labels."""
    import numpy as np

    lengths = np.asarray([len(parts(each)) for each in labels.tolist()], float)
    if not lengths.sum() > 0:
        raise NotMeasured("data", "every label is an empty text. Use examples with something to write.")
    return paired(lengths, *(edits(answers, labels, parts) for answers in (baseline, variant)))


def paired(lengths: Any, baseline: Any, variant: Any) -> Pair:
    """What is kept is kept of what is right, one less the rate: of a text its length less its edits. The mean length is the same
    on both sides, so that the ratio of means is what is kept.
    """
    mean = float(lengths.mean())
    p, q = (lengths - variant) / mean, (lengths - baseline) / mean
    scores = PairedScores("real", p=p, q=q, examples=len(q), unseen=WORST * float(lengths.max()) / mean)
    return Pair(float(baseline.mean()) / mean, float(variant.mean()) / mean, scores, level=float(q.mean()))


def edits(answers: Any, labels: Any, parts: Callable[[str], Sequence[str]]) -> Any:
    """How many each answer takes to become its label, [examples]."""
    import numpy as np

    try:
        from rapidfuzz.distance import Levenshtein
    except ImportError:
        raise NotMeasured("data", "rapidfuzz is not installed. Run: pip install 'edge-gatekeeper[transcription]'.") from None
    pairs = zip(answers.tolist(), labels.tolist(), strict=True)
    return np.asarray([Levenshtein.distance(parts(answer), parts(label)) for answer, label in pairs], float)


def guess(answers: Any, labels: Any, parts: Callable[[str], Sequence[str]]) -> float | None:
    """What is right of a text that is always the same, or of the model's own in random order; None where one is right for all."""
    import numpy as np

    texts, counts = np.unique(labels, return_counts=True)
    if len(texts) < 2:
        return None
    always = (np.full(len(labels), text) for text in texts[np.argsort(-counts, kind="stable")[:TRIED]])
    generator = np.random.default_rng(0)
    shuffled = (generator.permutation(answers) for _ in range(TRIED))
    return max(1 - compare(each, each, labels, parts).baseline for each in (*always, *shuffled))
