"""What the verdicts of a leg rest on, and what nobody judged: a pass says no more than was looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gatekeeper.config.limits import Limit
from gatekeeper.data.feeds import count_feeds
from gatekeeper.data.outputs import Outputs, outputs_beside
from gatekeeper.evaluate.groups import MOST_CLASSES
from gatekeeper.gates import outputs as outputs_gate
from gatekeeper.ids import baseline_id
from gatekeeper.legs.candidates import Candidate
from gatekeeper.legs.leg import Leg
from gatekeeper.records.report import Basis

DISABLED = "disabled in the pipeline file"
OUTPUTS, ACCURACY = "outputs", "accuracy"


def basis(leg: Leg, made: Sequence[Candidate], timed: Path | None) -> Basis:
    """Out of the comparisons of a leg's variants, which all are of the same examples, and the inputs that were timed."""
    limits = leg.limits()
    compared = next((each.comparison for each in made if each.comparison.scores is not None), None)
    judges = any(limit.config is not None for limit in limits if limit.name == ACCURACY)
    beside = _outputs(leg, made)
    config = next((limit.config for limit in limits if limit.name == OUTPUTS), None)
    ignored = config.ignore if isinstance(config, outputs_gate.Config) else []
    each = beside.judged in {output.name for candidate in made for output in candidate.comparison.outputs or ()}
    known = [beside.judged, *beside.others] if each else list(beside.others)
    unjudged = beside.skipped | (compared.unjudged if compared else {})
    judged = [name for name in known if config is not None and name not in ignored and name not in unjudged]
    # Of a class that the original never finds nothing can be lost.
    classes = [each for each in (compared and compared.classes) or () if each.both + each.only_baseline]
    return Basis(
        metric=compared.metric if compared and judges else "",
        output=beside.judged if judges else "",
        outputs=judged,
        examples=compared.scores.examples if compared and compared.scores else 0,
        copies=compared.scores.copies if compared and compared.scores else 0,
        classes=sum(not (each.slice or each.part) for each in classes),
        groups=sum(bool(each.slice) for each in classes),
        parts=sum(each.part for each in classes),
        timed=count_feeds(timed) * leg.evaluation.batch_size() if timed else 0,
        not_judged=_disabled(limits)
        | _left(beside, judged, ignored, unjudged)
        | _unseen(leg, compared is not None, len(classes)),
    )


def _outputs(leg: Leg, made: Sequence[Candidate]) -> Outputs:
    """What the original answers, as it lies beside its predictions."""
    name = baseline_id(leg.id)
    file = next((each.predictions[name] for each in made if name in each.predictions), None)
    return outputs_beside(file) if file else Outputs(judged="")


def _disabled(limits: Sequence[Limit]) -> dict[str, str]:
    """Gates that are on unless the file says otherwise, and it does."""
    return {limit.name: DISABLED for limit in limits if limit.config is None and limit.gate.DEFAULT is not None}


def _left(beside: Outputs, judged: Sequence[str], ignored: Sequence[str], unjudged: dict[str, str]) -> dict[str, str]:
    """Outputs of the model that nothing judges."""
    left = {name: "ignored in the pipeline file" if name in ignored else DISABLED for name in beside.others if name not in judged}
    return {f"output {name}": why for name, why in (left | unjudged).items()}


def _unseen(leg: Leg, compared: bool, classes: int) -> dict[str, str]:
    """Whole sides of the model that this run does not look at."""
    found = {}
    if leg.loaded.pipeline.dataset is None:
        found["answers"] = "there is no evaluation set"
    elif not compared:
        found["answers"] = "they could not be compared"
    elif leg.loaded.compares_tensors and not classes:
        found["classes one by one"] = "there are none in what the metric reads"
    elif classes >= MOST_CLASSES:
        found["the rarest classes"] = f"no more than {MOST_CLASSES:,} are looked at one by one"
    if leg.untimed:
        found["times"] = leg.untimed
    if "testing" not in leg.loaded.pipeline.stages:
        found["behaviour under tests"] = "the stages have no testing"
    return found
