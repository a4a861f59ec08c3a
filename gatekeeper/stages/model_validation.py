"""Before anything is optimized: the original model runs on the test set, and is worth keeping."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gatekeeper.config.scanned import allowed_domains, looked_at, scanned_by, scanning
from gatekeeper.config.section import Need, NonEmpty, Section, Share, Switch
from gatekeeper.errors import NotMeasured
from gatekeeper.records.base import Verdict
from gatekeeper.stages._base import report

if TYPE_CHECKING:
    from gatekeeper.config.limits import Loosened
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.meaning import Review
    from gatekeeper.config.sections.also import AlsoSet
    from gatekeeper.legs.datasets import Sets
    from gatekeeper.legs.setup import Added, Data, Known, Setup
    from gatekeeper.records.report import Report, StageReport

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
    security_scan: Annotated[
        Switch,
        Meta(
            description="Scan the model, your own variants and what is made of them for hostile content, before anything loads "
            "them: a finding fails, a file that cannot be scanned is an error. docs/scan.md has every rule."
        ),
    ] = "disabled"
    allowed_domains: Annotated[
        tuple[NonEmpty, ...],
        Meta(
            description="Domains of ONNX operators, and sets of OpenVINO's, that scans take for known beside the standard ones: "
            "those whose library you trust.",
            examples=[["ai.onnx.contrib"]],
        ),
    ] = ()


SECTION = ModelValidation


def run(setup: Setup, known: Known) -> Added:
    """Scan the models where that is asked; prepare the datasets, run the baseline on them and check that it beats chance."""
    if not scanning(setup.loaded):
        return _checked(setup)
    import msgspec

    from gatekeeper.legs.scanning import said, scan_all
    from gatekeeper.legs.setup import Added

    loaded = setup.loaded
    setup.progress.step(f"Scanning {Path(setup.assessment.path).name}")
    try:
        scans, scanned = scan_all(setup, allowed_domains(loaded))
    except NotMeasured as error:
        return Added(report(loaded, NAME, Verdict.ERROR, f"security_scan: {error}", NAME, "security_scan"))
    verdict, reason = said(scans)
    if verdict is not Verdict.PASS:
        line = report(loaded, NAME, verdict, reason, NAME, "security_scan")
        return Added(msgspec.structs.replace(line, scans=scans))
    added = _checked(setup)
    whole = f"{added.report.reason}; {reason}" if added.report.verdict is Verdict.PASS else added.report.reason
    line = msgspec.structs.replace(added.report, reason=whole, scans=scans)
    return replace(added, report=line, facts=[*added.facts, scanned])


def extras(loaded: Loaded) -> list[str]:
    """What a leg installs to scan."""
    return scanned_by(loaded) if scanning(loaded) else []


def problems(review: Review) -> None:
    """What would never be looked at."""
    loaded = review.loaded
    section = loaded.section(NAME)
    if section.security_scan == "enabled" and NAME not in loaded.pipeline.stages:
        said = "the stage 'model_validation' is not among `stages`, so nothing is scanned. Add it there."
        review.add((NAME, "security_scan"), said)
    if section.allowed_domains and not any(looked_at(each) for each in loaded.stated_in_both()):
        said = "model_validation.security_scan is disabled, so this does nothing. Enable it, or remove this."
        review.add((NAME, "allowed_domains"), said, key=True)


def loosened(loaded: Loaded) -> list[Loosened]:
    """A scan that the policy asks for, and domains that it does not allow."""
    from gatekeeper.config.limits import Loosened

    found = []
    for policy in loaded.stated_in_both()[1:]:
        before, here = policy.section(NAME), loaded.section(NAME)
        if not looked_at(policy):
            continue
        if here.security_scan != "enabled" and before.security_scan == "enabled":
            where = loaded.where(NAME, "security_scan")
            found.append(Loosened(f"{NAME}.security_scan", before.security_scan, here.security_scan, where))
        if more := sorted(set(here.allowed_domains) - set(before.allowed_domains)):
            where = loaded.where(NAME, "allowed_domains")
            found.append(Loosened(f"{NAME}.allowed_domains", ", ".join(before.allowed_domains) or None, ", ".join(more), where))
    return found


def lacks(loaded: Loaded, line: StageReport) -> str:
    """What the file asks of this stage and its line in a report does not show."""
    if not scanning(loaded):
        return ""
    again = "Run it again with this version."
    if not line.scans:
        return f"security_scan is asked for, and the report has none. {again}"
    if any(scan.verdict != "clean" or not scan.files for scan in line.scans):
        return f"the report's own security_scan is not clean. {again}"
    if any(each.found or each.reason or not each.sha256 for scan in line.scans for each in scan.files):
        return f"the report's security_scan says clean of a file that is not. {again}"
    return ""


def again(line: StageReport, whole: Report) -> tuple[Verdict, str]:
    """What the report's own scans allow, those of what was made among them; of the latter, what nobody reads does not count."""
    made = [variant.scan for target in whole.targets for variant in target.variants if variant.scan is not None]
    hostile = [scan.model for scan in (*line.scans, *made) if scan.verdict == "hostile" or any(each.found for each in scan.files)]
    if hostile:
        return Verdict.FAIL, f"the report's own security_scan found something hostile in {', '.join(hostile)}."
    if any(scan.verdict != "clean" for scan in line.scans):
        return Verdict.ERROR, "the report's own security_scan could not look at all of the model. Run it again."
    return Verdict.PASS, ""


def _checked(setup: Setup) -> Added:
    """Everything but the scan."""
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
    return Added(report(loaded, NAME, Verdict.PASS, reason), facts=[data, sets])


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
