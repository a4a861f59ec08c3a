"""What tasks share that answer with one class an example. Where no labels say so, an output may also answer at several places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.data.outputs import scores_of_classes as fits
from gatekeeper.evaluate.metrics._positions import answered as flat
from gatekeeper.evaluate.tasks._numbers import gather, label, read, way

if TYPE_CHECKING:
    from gatekeeper.evaluate.metrics._base import Pair
    from gatekeeper.records.scores import KeptClass

__all__ = ["agreement", "check", "fits", "flat", "gather", "kept", "label", "read", "signs", "takes", "way"]


UNLABELLED = "share of examples answered with the same class"


def check(labels: Any, answers: Any, way: Any) -> Any:
    """Labels as they are, which metrics read, but for those that another task takes: several an example."""
    from gatekeeper.errors import NotMeasured
    from gatekeeper.evaluate.metrics._base import class_labels, one_hot
    from gatekeeper.evaluate.tasks._axes import shaped
    from gatekeeper.evaluate.tasks._base import others_taking

    several = labels.size > len(labels) and not (answers.ndim == 2 and one_hot(labels.reshape(len(labels), -1)))
    if several and others_taking(way.task or "", answers.shape, labels.shape):
        said = f"the labels have shape {shaped(labels.shape)}, several an example, and the output {shaped(answers.shape)}"
        raise NotMeasured("data", f"{said}.")
    if answers.ndim <= 2:  # of other answers the metrics say what they are
        class_labels(labels, answers)
    return labels


def takes(outputs: tuple[int, ...], labels: tuple[int, ...]) -> bool:
    """One label an example, and scores of classes."""
    return len(outputs) == 2 and (len(labels) == 1 or labels[1:] == (1,))


def agreement(baseline: Any, variant: Any) -> Pair:
    """Share of examples answered with the same class; of outputs that answer at several places, of as many as can be."""
    import numpy as np

    from gatekeeper.evaluate.metrics._base import Pair, binary, classes
    from gatekeeper.evaluate.metrics._positions import positional, positions, several
    from gatekeeper.records.scores import PairedScores

    if not several(baseline):
        same = classes(baseline) == classes(variant, baseline)
        return binary(np.ones(len(same), dtype=bool), same)
    shares = (positions(baseline) == positions(variant, baseline)).mean(axis=1)
    if baseline.dtype.kind == "f" and not positional(baseline):  # scores of classes or yes and no to each: either must hold
        shares = shares * (classes(baseline) == classes(variant, baseline))
    return Pair(1.0, float(shares.mean()), PairedScores("bounded", p=shares, q=np.ones(len(shares)), examples=len(shares)))


def signs(baseline: Any, variant: Any) -> dict[str, float]:
    """Classes that are answered, and how many the variant still answers."""
    from gatekeeper.evaluate.collapse import of_classes

    return of_classes(flat(baseline), flat(variant, baseline))


def kept(baseline: Any, variant: Any, truth: Any, slices: dict[str, Any], way: Any) -> list[KeptClass]:
    """Examples of each class and of each group, and how many are answered rightly."""
    import numpy as np

    from gatekeeper.errors import NotMeasured
    from gatekeeper.evaluate.groups import kept_answers, kept_classes, kept_columns, kept_given
    from gatekeeper.evaluate.metrics._base import class_labels, classes
    from gatekeeper.evaluate.metrics._positions import positions, several
    from gatekeeper.evaluate.places import of_places

    if truth is not None or not several(baseline):
        theirs, ours = classes(baseline), classes(variant, baseline)
        right = theirs if truth is None else class_labels(truth, baseline)
        groups = {"": right} | slices
        found = [each for name, of in groups.items() for each in kept_classes(of, theirs == right, ours == right, name)]
        return found + kept_given(theirs, ours, right)
    if slices:
        said = "`dataset.slices` counts right and wrong answers, and the judged output has several an example. Remove it."
        raise NotMeasured("data", said)
    if baseline.dtype.kind in "iub":
        return kept_columns(baseline.astype(int), variant.astype(int))
    theirs, ours = positions(baseline), positions(variant, baseline)
    if baseline.ndim == 2:
        return kept_columns(theirs, ours)
    everywhere = np.ones(theirs.shape, bool)
    return kept_answers(theirs, ours) + of_places(everywhere, everywhere, theirs == ours)
