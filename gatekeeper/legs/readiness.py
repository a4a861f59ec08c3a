"""What is asked of a variant beyond its answers to the evaluation set: the same under corruptions, and how sure it is of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from gatekeeper.data.corruptions._base import Corruption
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.answered import Changed, CompareOutputs
from gatekeeper.evaluate.corrupted import corrupted
from gatekeeper.gates import calibration_error, robustness
from gatekeeper.legs.leg import Leg
from gatekeeper.making.optimize import Made
from gatekeeper.records.evidence import Comparison, Corrupted


def bins_of(leg: Leg) -> int:
    """Bins of the calibration error that the file asks for on this target; 0 where it asks for none."""
    return next((limit.config.bins for limit in leg.limits() if isinstance(limit.config, calibration_error.Config)), 0)


def under_corruptions(leg: Leg, name: str, made: Made, dataset: Path, comparison: Comparison) -> Comparison:
    """The comparison with those under every corruption that the file names; as it is where it names none, or there is none."""
    config = next((limit.config for limit in leg.limits() if isinstance(limit.config, robustness.Config)), None)
    if config is None or comparison.error:
        return comparison
    found = {}
    for asked in robustness.corruptions_of(config):
        leg.progress.step(f"{name}: comparing answers under {asked.label}")
        found[asked.label] = _under(leg, made, dataset, asked, config.seed)
    return replace(comparison, corrupted=found)


def _under(leg: Leg, made: Made, dataset: Path, asked: Corruption, seed: int) -> Corrupted:
    """Both models on the very same corrupted examples."""
    try:
        folder, arrived = corrupted(leg.evaluation, dataset, asked, seed)
    except NotMeasured as failure:
        return Corrupted(Comparison(error=str(failure)))
    try:
        baseline, variant = leg.baseline_predictions(folder), leg.predictions(made, folder)
        if arrived.still:  # it may be these alone that the model reads
            asked_of = CompareOutputs(before=str(leg.baseline_predictions(dataset)), after=str(baseline))
            answered = leg.space.ask_clerk(asked_of, Changed).examples
            arrived = msgspec.structs.replace(arrived, answered=answered)
        return Corrupted(leg.evaluation.compare(folder, baseline, variant, looks="answers"), arrived)
    except NotMeasured as failure:
        return Corrupted(Comparison(error=str(failure)), arrived)
