"""Before anything is optimized: the original model runs on the test set, and is worth keeping."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from gatekeeper.config.section import Need, Section, Share, Switch
from gatekeeper.errors import NotMeasured
from gatekeeper.records.base import Verdict
from gatekeeper.stages._base import report

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.sections.also import AlsoSet
    from gatekeeper.legs.datasets import Sets
    from gatekeeper.legs.setup import Added, Data, Known, Setup

NAME = "model_validation"
DESCRIPTION = "Requirements on the original model."
ORDER = 10


class ModelValidation(Section, frozen=True, kw_only=True):
    """What the original model must satisfy before anything is optimized."""

    accuracy_threshold: Annotated[
        Share | None,
        Meta(description="The same limit as `gates.accuracy.retention`; give one of them."),
    ] = None
    performance_baseline: Annotated[Need, Meta(description="`required`: a baseline that cannot be measured is an error.")] = (
        "required"
    )
    security_scan: Annotated[Switch, Meta(description="Scan the model file for hostile content.")] = "disabled"


SECTION = ModelValidation


def run(setup: Setup, known: Known) -> Added:
    """Prepare the datasets, run the baseline on them and check that it is better than chance."""
    from gatekeeper.config.also import also_sets
    from gatekeeper.config.pins import code_of
    from gatekeeper.legs.datasets import Sets, check_pins, check_unchanged
    from gatekeeper.legs.setup import Added, Data
    from gatekeeper.records.data import CALIBRATION, EVALUATION

    loaded = setup.loaded
    setup.progress.step(f"Checking {Path(setup.assessment.path).name} and its test set")
    data, sets = Data(), Sets(code=code_of(loaded))
    try:
        check_pins(loaded, sets)
        data = Data(setup.evaluation.prepared())
        sets.add(EVALUATION, setup.evaluation, data.evaluation)
        data = Data(data.evaluation, setup.evaluation.prepared(calibration=True))
        sets.add(CALIBRATION, setup.evaluation, data.calibration)
        check_pins(loaded, sets)
        unit = "characters" if setup.assessment.text else "examples"
        checked = [_baseline(setup, data.evaluation, sets, EVALUATION), _overlap(data, unit)]
        for also in also_sets(loaded):
            own, further = _further(setup, also, data.calibration, unit, sets)
            data, checked = replace(data, also={**data.also, also.name: own}), [*checked, further]
        check_unchanged(loaded, sets)
        reason = "; ".join(filter(None, checked))
    except NotMeasured as error:
        return Added(report(loaded, NAME, Verdict.ERROR, str(error), "dataset"), facts=[data, sets])
    if missing := lacks(loaded):
        said = report(loaded, NAME, Verdict.ERROR, f"{missing} The rest was checked: {reason}", NAME, "security_scan")
        return Added(msgspec.structs.replace(said, blocks=False), facts=[data, sets])
    return Added(report(loaded, NAME, Verdict.PASS, reason), facts=[data, sets])


def lacks(loaded: Loaded) -> str:
    """What the file asks of this stage and no version so far can do."""
    if loaded.section(NAME).security_scan != "enabled":
        return ""
    return "cannot run security_scan: this version of gatekeeper has none. Set it to disabled to go on without."


def _overlap(data: Data, unit: str) -> str:
    """What of the evaluation set is in the calibration set, too, in words; `NotMeasured` where that is most of it."""
    from gatekeeper.data.overlap import overlap

    if data.evaluation is None or data.calibration is None:
        return ""
    found = overlap(data.evaluation, data.calibration)
    said = f"{found.shared:,} of the evaluation set's {found.total:,} {unit} are in the calibration set, too"
    if found.shared == found.total:
        said = f"the calibration set holds the whole evaluation set ({found.total:,} {unit}), whatever their names and order"
    if found.too_much:
        raise NotMeasured("data", f"{said}: accuracy would flatter. Split them.")
    return said if found.shared else ""


def _further(setup: Setup, also: AlsoSet, calibration: Path | None, unit: str, sets: Sets) -> tuple[Path, str]:
    """A further evaluation set, prepared and checked as the main one is, and what is to be said of it."""
    from gatekeeper.legs.datasets import check_pins
    from gatekeeper.legs.setup import Data
    from gatekeeper.records.data import further

    evaluation = setup.evaluation.on(also)
    own = replace(setup, loaded=evaluation.loaded, evaluation=evaluation, legs=[leg.on(also.name) for leg in setup.legs])
    try:
        path = evaluation.prepared()
        if path is None:
            raise NotMeasured("data", "there is no such set.")
        sets.add(further(also.name), evaluation, path)
        check_pins(setup.loaded, sets)
        said = [
            _baseline(own, path, sets, further(also.name)).partition("parameters, ")[2],
            _overlap(Data(path, calibration), unit),
        ]
    except NotMeasured as error:
        raise NotMeasured(error.kind, f"dataset.also '{also.name}': {error}") from None
    return path, f"on {also.name}: {', '.join(filter(None, said))}" if any(said) else ""


def _baseline(setup: Setup, dataset: Path | None, sets: Sets, what: str) -> str:
    """Run the original model once; what it scores, or `NotMeasured` when there is nothing to hold variants against."""
    from gatekeeper.legs.datasets import check_enough

    model = f"{setup.assessment.architecture}, {setup.assessment.parameters:,} parameters"
    if dataset is None:
        return f"{model}; no dataset, so no accuracy"
    if not any(leg.runs for leg in setup.legs):
        return model
    predictions = _predictions(setup, dataset)
    comparison = setup.evaluation.compare(dataset, predictions, predictions, looks="scores")
    sets.count(what, comparison)
    check_enough(setup, comparison)
    if comparison.error:
        raise NotMeasured("data", comparison.error)
    examples = comparison.scores.examples if comparison.scores else 0
    return f"{model}, {comparison.metric} {comparison.baseline:.4g} on {examples} examples"


def _predictions(setup: Setup, dataset: Path) -> Path:
    """The original's answers, by its reference or the first leg that can run it; what others lack is for their variants."""
    failures: list[NotMeasured] = []
    for leg in setup.legs:
        if not leg.runs:
            continue
        try:
            if leg.place.error:
                raise NotMeasured("unsupported", f"{leg.id}: {leg.place.error}")
            return leg.reference_predictions(dataset)
        except NotMeasured as error:
            failures.append(error)
    raise NotMeasured(failures[0].kind, " ".join(dict.fromkeys(str(failure) for failure in failures)))
