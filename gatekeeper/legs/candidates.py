"""Variants on their way: made, and their answers compared with the original's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gatekeeper.errors import NotMeasured
from gatekeeper.ids import PROPOSED, baseline_id
from gatekeeper.legs.leg import Leg
from gatekeeper.legs.readiness import bins_of, under_corruptions
from gatekeeper.legs.scanning import hold_variant
from gatekeeper.legs.setup import Data, Scanned
from gatekeeper.making.optimize import Made, make_variant
from gatekeeper.making.own import own_variant
from gatekeeper.planning.plan import PlannedVariant
from gatekeeper.records.evidence import Comparison
from gatekeeper.records.scanned import ModelScan

NOT_SCANNED = Scanned()


@dataclass(frozen=True)
class Candidate:
    """What was made and found of a planned variant, or why not. `predictions` are its and the original's, by name; `also` is
    the same candidate on each further evaluation set, `scan` what was found in what was made.
    """

    planned: PlannedVariant
    made: Made | None = None
    comparison: Comparison = field(default_factory=Comparison)
    predictions: dict[str, Path] = field(default_factory=dict)
    error: str | None = None
    also: Mapping[str, Candidate] = field(default_factory=dict)
    scan: ModelScan | None = None

    def on(self, name: str) -> Candidate:
        """The candidate on an evaluation set; the main one has no name."""
        missing = f"there is no evaluation set '{name}' in this file, and its policy has one. Put it back under `dataset.also`"
        return self.also.get(name, replace(self, comparison=Comparison(error=missing))) if name else self


def candidate(leg: Leg, planned: PlannedVariant, data: Data, trusted: bool, scanned: Scanned = NOT_SCANNED) -> Candidate:
    """Make the artifact and compare its answers with the original's; `trusted`: configuration files may run code."""
    blank = Candidate(planned, error=planned.error)
    if planned.skip or planned.error:
        return blank
    try:
        made = made_of(leg, planned, data, trusted)
        scan = hold_variant(leg, made, planned.path is not None, scanned)
        leg.progress.step(f"{planned.id}: comparing answers")
        found = _compared(replace(blank, made=made), leg, made, data.evaluation, bins_of(leg))
        if found.made and data.evaluation is not None:
            found = replace(found, comparison=under_corruptions(leg, planned.id, made, data.evaluation, found.comparison))
        also = {name: _compared(replace(blank, made=made), leg.on(name), made, path) for name, path in data.also.items()}
        broken = next((each.error for each in [found, *also.values()] if not each.made), None)
        return replace(found, scan=scan, also=also, made=None if broken else found.made, error=found.error or broken)
    except NotMeasured as error:
        leg.progress.note(f"{planned.id}: {error}")
        return replace(blank, error=str(error))


def made_of(leg: Leg, planned: PlannedVariant, data: Data, trusted: bool) -> Made:
    """The artifact: the user's own, or what the framework makes."""
    if planned.path is not None:
        leg.progress.step(f"{planned.id}: reading {planned.path}")
        evaluation, given = leg.evaluation, leg.loaded.folder / planned.path
        itself = planned.technique == PROPOSED and leg.loaded.pipeline.baseline is not None
        return own_variant(leg.source, leg.framework, given, evaluation.model, evaluation.batch_size(), itself)
    leg.progress.step(f"{planned.id}: optimizing")
    config = leg.loaded.folder / planned.config if planned.config else None
    return make_variant(leg.source, planned.method, data.calibration, config, trusted, planned.options)


def _compared(made_only: Candidate, leg: Leg, made: Made, dataset: Path | None, bins: int = 0) -> Candidate:
    """Accuracy against the original. A variant that cannot run is none any more; answers that cannot be compared are the
    accuracy gate's error.
    """
    if dataset is None:
        error = "no evaluation set. Name one with `dataset.path`, or set `gates.accuracy: disabled`."
        return replace(made_only, comparison=Comparison(error=error))
    names = {baseline_id(leg.id): leg.baseline_predictions(dataset)}
    try:
        variant = leg.predictions(made, dataset)
    except NotMeasured as error:
        leg.progress.note(f"{made_only.planned.id}: {error}")
        return replace(made_only, made=None, predictions=names, error=str(error))
    baseline, names[made_only.planned.id] = names[baseline_id(leg.id)], variant
    try:
        alone = made_only.planned.technique == PROPOSED and leg.loaded.pipeline.baseline == "none"
        comparison = leg.evaluation.compare(dataset, baseline, variant, looks="alone" if alone else "all", bins=bins)
    except NotMeasured as failure:
        comparison = Comparison(error=str(failure))
    return replace(made_only, comparison=comparison, predictions=names)
