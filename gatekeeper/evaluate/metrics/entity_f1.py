"""F1 of entities, which are runs of tokens tagged B-, I-, E- or S-: right where kind, first and last token are."""

from __future__ import annotations

from typing import Any

from gatekeeper.evaluate.metrics import _counts
from gatekeeper.evaluate.metrics._base import Pair
from gatekeeper.evaluate.metrics._entities import Tags

FAMILY = "token_classification"
DEFAULT = False
NAMED = True


def compare(baseline: Any, variant: Any, labels: Any, names: tuple[str, ...]) -> Pair:
    """F1 of all entities together (micro), as seqeval has it: 2 right / (labelled + answered)."""
    tags = Tags(names)
    labelled, theirs = (tags.entities(answers, labels) for answers in (labels, baseline))
    ours = theirs if variant is baseline else tags.entities(variant, labels)  # a guess is held against itself
    examples = len(labels)

    def table(found: Any) -> tuple[Any, Any]:
        return found.count(examples), found.shared(labelled).count(examples)

    return _counts.of_tables(labelled.count(examples), table(theirs), table(ours))


def guess(answers: Any, labels: Any, names: tuple[str, ...]) -> float | None:
    """What an answer that does not look gets: the model's own in random order."""
    return _counts.guess(lambda b, v, truth: compare(b, v, truth, names), answers, labels)
