"""Yes or no to each of several labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.tasks import _classes
from gatekeeper.evaluate.tasks._axes import Way, shaped, threshold
from gatekeeper.evaluate.tasks.token_classification import named

if TYPE_CHECKING:
    from gatekeeper.evaluate.metrics._base import Pair
    from gatekeeper.evaluate.tasks._base import Reading
    from gatekeeper.records.scores import KeptClass

FAMILY = "multi_label_classification"
ANSWERS = "classes"
DESCRIPTION = "yes or no to each of several labels, of which an example may have any number"
UNLABELLED = "macro F1 with the original's answers"
LABELS = "0 or 1 for every label, examples x labels; -100 (`dataset.ignore`) where it is not known"


def fits(output: Any) -> bool:
    """A score for every label."""
    return bool(output.dtype.kind == "f" and output.ndim == 2)


def takes(outputs: tuple[int, ...], labels: tuple[int, ...]) -> bool:
    """As many labels as the output has scores."""
    return len(outputs) == len(labels) == 2 and outputs == labels and labels[1] > 1


def way(baseline: Any, reading: Reading) -> Way:
    """Yes above 0.5 of probabilities, above 0 of logits, as the baseline's numbers tell."""
    if baseline.ndim != 2:
        raise NotMeasured(
            "data",
            f"the output has shape {shaped(baseline.shape)}; multi_label_classification reads a score for every label, examples "
            "x labels. Name the output that has them with `model.output`, or correct the task.",
        )
    if reading.classes and len(reading.classes) != baseline.shape[1]:
        named(Way(reading, classes=baseline.shape[1]))
    return Way(reading, threshold=threshold(baseline) if baseline.dtype.kind == "f" else 0.5, classes=2)


def check(labels: Any, answers: Any, way: Way) -> Any:
    """Labels of 0 and 1, as many as the output has scores."""
    if labels.shape != answers.shape:
        said = f"the labels have shape {shaped(labels.shape)} and the output {shaped(answers.shape)}"
        hint = " One class an example is a task of its own, such as tabular_classification." if labels.size == len(labels) else ""
        raise NotMeasured("data", f"{said}: every label needs a 0 or a 1, in the output's order.{hint} Save them so.")
    found = _classes.check(labels, answers, Way(way.reading))
    if (found > 1).any():
        raise NotMeasured("data", f"labels must be 0 or 1 for every label; these go to {found.max()}. Save them so.")
    return found


def agreement(baseline: Any, variant: Any) -> Pair:
    """Macro F1 of the variant's answers with the baseline's as labels: most answers are no, and would hide the others."""
    from gatekeeper.evaluate.metrics import multilabel_macro_f1

    return multilabel_macro_f1.compare(baseline, variant, baseline)


def flat(answers: Any, baseline: Any) -> Any:
    """Every answer, of each label as classes of its own."""
    import numpy as np

    return _classes.flat(2 * np.arange(answers.shape[1]) + answers, baseline)


def signs(baseline: Any, variant: Any) -> dict[str, float]:
    """Answers that are given, yes and no to each label, and how many the variant still gives."""
    from gatekeeper.evaluate.collapse import of_classes

    return of_classes(flat(baseline, baseline), flat(variant, baseline))


def kept(baseline: Any, variant: Any, truth: Any, slices: dict[str, Any], way: Way) -> list[KeptClass]:
    """The examples that have a label, those that have it not, those that are given it, and those that have none or few, and how
    many are answered rightly.
    """
    import numpy as np

    from gatekeeper.data.prepared import IGNORED
    from gatekeeper.evaluate.by_amount import with_few, with_nothing
    from gatekeeper.evaluate.groups import kept_class
    from gatekeeper.evaluate.places import answers_of

    right = baseline if truth is None else truth
    names, found = way.reading.classes, []
    for j in range(right.shape[1]):
        for value, called in ((1, "class"), (0, "not class")):
            rows = right[:, j] == value
            b, v = (np.asarray(side[rows, j]) == value for side in (baseline, variant))
            if rows.any():
                found.append(kept_class(f"{called} {names[j] if names else j}", b, v))
        yes, now = (side[:, j] == 1 for side in (baseline, variant))
        wrong, seen = right[:, j] == 0, right[:, j] != IGNORED
        if (yes & seen).any():
            counts = ((rows & seen).astype(int) for rows in (yes, yes & ~now & wrong, now & ~yes & wrong))
            found.append(answers_of(f"answers of class {names[j] if names else j}", *counts))
    seen = right != IGNORED
    asked = seen.any(axis=1)
    there = [(seen & (each == 1))[asked] for each in (right, baseline, variant)]
    found += with_nothing("examples without a label", *there)
    return found + with_few(("label", "labels"), *there)
