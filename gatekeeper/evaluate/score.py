"""Compares predictions, and refuses to compare with a baseline of which nothing can be kept."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from gatekeeper.data.distinct import distinct, firsts, numbered
from gatekeeper.data.near import Near, near
from gatekeeper.data.outputs import outputs_beside
from gatekeeper.data.prepared import IGNORED, PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.by_class import by_class
from gatekeeper.evaluate.chance import beside_chance, chance, constant, guessing, no_better
from gatekeeper.evaluate.collapse import all_finite, collapsed, not_finite, of_values
from gatekeeper.evaluate.confidence import calibration
from gatekeeper.evaluate.detection.unlooked import unlooked
from gatekeeper.evaluate.flips import of_classes as flips_of
from gatekeeper.evaluate.flips import one_answer
from gatekeeper.evaluate.metrics._base import (
    REGISTRY,
    REGRESSION,
    Compare,
    Pair,
    Undefined,
    default_of,
    family,
    with_names,
)
from gatekeeper.evaluate.metrics._told import recording, replayed
from gatekeeper.evaluate.metrics._whole import Function, guess, ranged, user_metric
from gatekeeper.evaluate.once import once
from gatekeeper.evaluate.others import kept_each, kept_outputs, spoilt
from gatekeeper.evaluate.tasks._base import Reading, Task, judged_as, or_another
from gatekeeper.evaluate.tasks._hidden import hidden, in_doubt
from gatekeeper.process.messages import Answer, Held, Request
from gatekeeper.records.flips import Flips
from gatekeeper.records.scores import Calibrated, KeptClass, KeptOutput, Kind, PairedScores

Looks = Literal["all", "alone", "answers", "scores"]
"""What is looked at: all that a variant is judged by, what can be said of a model without a baseline, its answers without its
other outputs, or its scores only.
"""


class Score(Request, frozen=True, kw_only=True):
    """Compare the predictions of a variant (or of the baseline with itself) with the baseline's."""

    dataset: str
    baseline: str
    variant: str
    metric: str | None
    reading: Reading
    folder: str
    destination: str
    text: bool = False
    range: tuple[float, float] | None = None  # of one example's score, where it is declared
    looks: Looks = "all"
    bins: int = 0  # of the calibration error; 0: nobody asks for it
    told: str | None = None  # the file of what a metric of the user's own said, see gatekeeper/evaluate/own_metric.py

    def answer(self, held: Held) -> Scored:
        """Write the scores."""
        return score(self)


class Scored(Answer, frozen=True, kw_only=True):
    """Paired scores were written; `error` says why the baseline cannot be judged against. Or none were: `undefined` says why
    the metric has no value for the variant.
    """

    metric: str
    baseline: float | None
    variant: float | None
    agreement: bool
    kind: Kind
    examples: int
    power: float = 1.0
    low: float = 0.0
    high: float = 1.0
    error: str | None
    details: dict[str, float] = {}
    copies: int = 0
    near: int = 0  # examples that the baseline answers as another, and of these those that are nearly the same to ask
    close: int = 0
    unseen: float | None = None
    union: bool = False
    collapsed: str = ""
    signs: dict[str, float] = {}
    outputs: list[KeptOutput] = []
    unjudged: dict[str, str] = {}
    classes: list[KeptClass] = []
    worse: list[str] = []
    calibrated: Calibrated | None = None
    flips: Flips | None = None


def write_scores(scores: PairedScores, destination: str) -> None:
    """The arrays of scores: p and q, and of the kind `classes` the truth and the numbers of distinct examples; or counts."""
    import numpy as np

    if scores.counts is not None:
        np.save(destination, scores.counts.table.astype(np.float32))
        return
    rows = [scores.p, scores.q] if scores.own is None else [scores.p, scores.q, scores.own]
    if scores.kind == "classes":
        rows += [scores.truth, np.arange(len(scores.p)) if scores.unit is None else scores.unit]
    np.save(destination, np.stack(rows))


def score(request: Score, kept: list[Any] | None = None) -> Scored:
    """Write paired scores to `request.destination`. With `kept` a metric of the user's own is called, and what it says kept."""
    if request.text:
        from gatekeeper.evaluate.text.score import score_text

        return score_text(request)
    import numpy as np

    dataset = PreparedDataset(Path(request.dataset))
    judged = judged_as(request.reading.task, request.metric)
    how: Literal["r"] | None = "r" if judged.ANSWERS == "classes" else None  # scores of every pixel may be more than fits
    baseline, variant = np.load(request.baseline, mmap_mode=how), np.load(request.variant, mmap_mode=how)
    if not all_finite(baseline):
        raise NotMeasured("model", "the baseline's output holds NaN or infinite values. Look at the model and its inputs.")
    units, everything = distinct(dataset.inputs), request.looks != "scores"
    others, unjudged = _others(request, units)
    if variant.shape != baseline.shape:
        raise NotMeasured(
            "model",
            f"the variant's output has shape {variant.shape}, the baseline's {baseline.shape}. Name a variant of this model.",
        )
    first = np.unique(units, return_index=True)[1]
    alike = near(list(dataset.inputs.values()), baseline, first) if request.baseline == request.variant else Near()
    rows = _rows(dataset, units, baseline, variant)
    own_units, places = numbered(units[rows]), np.arange(len(units))[rows]
    inputs, slices = ({key: array[rows] for key, array in each.items()} for each in (dataset.inputs, dataset.slices))
    labels, error = None if dataset.labels is None else dataset.labels[rows], None
    name = "agreement" if labels is None else request.metric or default_of(judged.FAMILY)
    # What a metric of the user's own compares is not known; its classes are looked at one by one all the same.
    own = name not in REGISTRY.names and name != "agreement"
    nothing = Scored(metric=name, baseline=None, variant=None, agreement=labels is None, kind="real", examples=0, error=None)
    if how is None or own:
        baseline, variant = baseline[rows], variant[rows]
    broken = not_finite(baseline, variant)
    if broken:
        return msgspec.structs.replace(nothing, collapsed=broken, outputs=others, unjudged=unjudged)
    if request.looks == "all" and family(name) == REGRESSION:
        others += kept_each(outputs_beside(Path(request.baseline)).judged, baseline, variant, own_units)
    given, names = labels, request.reading.classes  # labels as they are, which is what a metric of the user's own gets
    try:
        way = judged.way(baseline, request.reading)
        theirs, ours = judged.read(baseline, way), judged.read(variant, way)
        if how is not None and not own:
            theirs, ours = theirs[rows], ours[rows]
        if labels is not None and not own:
            labels = judged.check(labels, theirs, way)
    except NotMeasured as refused:
        raise or_another(refused, judged.name, baseline.shape, None if given is None else given.shape) from None
    if (unasked := hidden(judged, theirs, labels, inputs)) is not None:
        theirs, ours = (np.where(unasked, IGNORED, answers) for answers in (theirs, ours))
    doubts = in_doubt(judged, theirs, labels, inputs)
    known = judged.of_classes and not own
    function = _function(name, request, kept) if own else None
    try:
        if labels is None:
            compared = _once(judged.agreement(theirs, ours), own_units)
        else:
            compared = _compared(name, function, request, own_units, *((baseline, variant) if own else (theirs, ours)), labels)
    except Undefined as undefined:
        why = str(undefined).rstrip(".")
        return msgspec.structs.replace(nothing, baseline=undefined.baseline, collapsed=why, outputs=others, unjudged=unjudged)
    error = constant(theirs, judged.flat(theirs, theirs) if known else None)
    if labels is not None:
        error = error or chance(name, theirs, labels, compared, names)
    if request.reading.own:
        error = error or unlooked(theirs, labels)
    scores = compared.scores
    write_scores(scores, request.destination)
    signs: dict[str, float] = {}
    if everything and not error:
        signs = {"not_finite": 0} | (of_values(baseline, variant) if own and judged.of_classes else judged.signs(theirs, ours))
        if function is not None and labels is not None:
            signs |= beside_chance(compared, guess(function, baseline, labels))
        elif labels is not None:
            signs |= guessing(name, theirs, ours, labels, compared, names)
    gone = _gone(name, signs, judged, theirs, ours, compared) if signs else ""
    files = Path(request.baseline), Path(request.variant)
    looked = None if own and request.reading.task is None else judged
    classes = [] if error else by_class(looked, way, own, files, (theirs, ours), given, own_units, slices, doubts, places)
    kind: str = "of the user's own" if own else judged.ANSWERS
    sure = calibration(kind, theirs, ours, labels, own_units, request.bins) if request.bins else None
    flipped = flips_of(theirs, ours, labels, own_units, places, names) if kind == "class" and one_answer(theirs, labels) else None
    return Scored(
        metric=name,
        baseline=compared.baseline,
        variant=compared.variant,
        agreement=labels is None,
        kind=scores.kind,
        examples=scores.examples,
        power=scores.power,
        low=scores.low,
        high=scores.high,
        error=error,
        copies=scores.copies + len(units) - len(places),
        near=alike.answered,
        close=alike.asked,
        unseen=scores.unseen,
        union=scores.counts is not None and scores.counts.union,
        collapsed=gone,
        signs=signs,
        outputs=others,
        unjudged=unjudged,
        classes=classes,
        calibrated=sure,
        flips=flipped,
    )


def _rows(dataset: PreparedDataset, units: Any, baseline: Any, variant: Any) -> Any:
    """The examples without those that repeat another in all: inputs, label, groups and both models' answers."""
    import numpy as np

    counts = np.bincount(units)
    [several] = np.nonzero(counts[units] > 1)
    if not len(several):
        return slice(None)
    labels = [] if dataset.labels is None else [dataset.labels[several]]
    groups = [values[several] for values in dataset.slices.values()]
    kept = firsts(units[several], *labels, *groups, _Rows(baseline, several), _Rows(variant, several))
    return np.sort(np.concatenate([np.nonzero(counts[units] == 1)[0], several[kept]]))


class _Rows:
    """Some rows of an array that is read one by one."""

    def __init__(self, array: Any, rows: Any):
        self.array, self.rows = array, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> Any:
        return self.array[self.rows[i]]


def _others(request: Score, units: Any) -> tuple[list[KeptOutput], dict[str, str]]:
    """What is kept of outputs that the metric does not read, and why others are not judged."""
    if request.looks in ("answers", "scores"):
        return [], {}
    files = Path(request.baseline), Path(request.variant)
    return spoilt(files[0]) if request.looks == "alone" else kept_outputs(*files, units)


def _gone(name: str, signs: dict[str, float], judged: Task, theirs: Any, ours: Any, compared: Pair) -> str:
    """How the variant has collapsed, by what its answers show; or nothing."""
    answered = judged.flat(ours, theirs) if "classes" in signs else None
    return collapsed(signs, len(ours), answered) or no_better(name, signs, compared)


def _compared(name: str, function: Function | None, request: Score, units: Any, baseline: Any, variant: Any, labels: Any) -> Pair:
    """Values of the whole set, and scores of its distinct examples; `Undefined` where the baseline alone has a value."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):  # squares of what a broken model answers
        compared = _metric(name, function, request, units)(baseline, variant, labels)
    if math.isfinite(compared.baseline) and not math.isfinite(compared.variant):
        raise Undefined(f"{name} is undefined on the variant: it is {compared.variant}", compared.baseline)
    if request.range is not None and name == "mae":
        compared = replace(compared, scores=ranged(compared.scores, request.range, "errors go"))
    return _once(compared, units)


def _once(compared: Pair, units: Any) -> Pair:
    return replace(compared, scores=once(compared.scores, units))


def _metric(name: str, function: Function | None, request: Score, units: Any) -> Compare:
    if function is None:
        return with_names(name, request.reading.classes)[0]
    return user_metric(name, function, units, request.range)


def _function(name: str, request: Score, kept: list[Any] | None) -> Function:
    """The user's own, which gets copies of what it is asked about; or, where it was asked before, what it said then."""
    if kept is None:
        return replayed(name, Path(request.told or ""))
    from gatekeeper.evaluate.datasets.loader import call, user_function

    function = user_function(name, Path(request.folder))
    return recording(lambda outputs, labels: call(name, function, outputs.copy(), labels.copy()), kept)
