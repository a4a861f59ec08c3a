"""Before anything is optimized: the original model runs on the test set, and is worth keeping."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gatekeeper.errors import NotMeasured
from gatekeeper.planning.plan import PlannedLeg
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import StageReport
from gatekeeper.stages._base import Context, report

NAME = "model_validation"


def run(context: Context) -> StageReport:
    """Prepare the datasets, run the baseline on them and check that it is better than chance."""
    context.progress.step(f"Checking {context.model.name} and its test set")
    try:
        context.dataset = context.evaluation.prepared()
        context.calibration = context.evaluation.prepared(calibration=True)
        reason = _baseline(context)
    except NotMeasured as error:
        return report(context, NAME, Verdict.ERROR, str(error), "dataset")
    if context.loaded.pipeline.model_validation.security_scan == "enabled":
        missing = "cannot run security_scan: this version of gatekeeper has none. Set it to disabled to go on without."
        found = report(context, NAME, Verdict.ERROR, f"{missing} The rest was checked: {reason}", NAME, "security_scan")
        return msgspec.structs.replace(found, blocks=False)
    return report(context, NAME, Verdict.PASS, reason)


def _baseline(context: Context) -> str:
    """Run the original model once; what it scores, or `NotMeasured` when there is nothing to hold variants against."""
    model = f"{context.assessment.architecture}, {context.assessment.parameters:,} parameters"
    runnable = [leg for leg in context.legs if not (leg.error or leg.skip)]
    if context.dataset is None or not runnable:
        return model if context.dataset else f"{model}; no dataset, so no accuracy"
    predictions = _predictions(context, runnable, context.dataset)
    found = context.evaluation.compare(context.dataset, predictions, predictions)
    if found.error:
        raise NotMeasured("data", found.error)
    examples = found.scores.examples if found.scores else 0
    return f"{model}, {found.metric} {found.baseline:.4g} on {examples} examples"


def _predictions(context: Context, legs: list[PlannedLeg], dataset: Path) -> Path:
    """The original's answers, from the first leg that can run it: what the others lack is for their own variants to say."""
    failures: list[NotMeasured] = []
    for leg in legs:
        where = context.place(leg)
        try:
            if where.error:
                raise NotMeasured("unsupported", f"{leg.id}: {where.error}")
            original, identity = context.source(leg).baseline()
            spec = context.evaluation.spec(leg.framework, original, where.threads, where.device)
            return context.evaluation.predictions(spec, identity, dataset)
        except NotMeasured as error:
            failures.append(error)
    raise NotMeasured(failures[0].kind, " ".join(dict.fromkeys(str(failure) for failure in failures)))
