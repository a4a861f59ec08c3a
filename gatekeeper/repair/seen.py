"""What of a report must be repaired, and what remedies may know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.config.loaded import Loaded
from gatekeeper.errors import NotMeasured
from gatekeeper.explain.profiling import look
from gatekeeper.explain.sensitivity.rank import Asked, rank
from gatekeeper.frameworks._base import framework, is_config
from gatekeeper.frameworks._options import filled, options_of
from gatekeeper.hardware.machine import this_machine
from gatekeeper.ids import PROPOSED, leg_of
from gatekeeper.legs.candidates import made_of
from gatekeeper.legs.setup import Data, bench
from gatekeeper.making.cache import Cache
from gatekeeper.models.info import Assessment
from gatekeeper.planning.plan import PlannedLeg, PlannedVariant, make_plan, model_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Report, TargetReport, VariantReport
from gatekeeper.repair.answer import SPEEDUP
from gatekeeper.repair.apart import in_classes
from gatekeeper.repair.edits import TECHNIQUES, Place
from gatekeeper.repair.failing import Failing, Kind, kind_of, lost_of
from gatekeeper.repair.remedies._base import Unsuited

if TYPE_CHECKING:
    from gatekeeper.repair.repair import _Work as Work

RANKS = ("onnx_runtime", "onnx")
"""The framework, and the format of models, whose layers are ranked."""
OF_BUDGET = 0.25
"""Share of what is left of the time that a ranking may take."""


@dataclass(frozen=True)
class Unit:
    """What must pass, and the variants of which one must for that: any of a target's, or with `require: all` each by itself."""

    target: str
    failing: tuple[Failing, ...]
    variant: str = ""  # empty: any of the target's

    def passes(self, report: Report, name: str) -> bool:
        """Whether it does in a report, in which the variant goes by that name."""
        target = next((each for each in report.targets if each.name == self.target), None)
        if target is None:
            return False
        if not self.variant:
            return target.verdict is Verdict.PASS
        return any(each.id == name and each.verdict is Verdict.PASS for each in target.variants)


def units(loaded: Loaded, report: Report, work: Work) -> Iterator[Unit]:
    """What of a report does not pass, and can be changed by a remedy."""
    _, assessment = model_of(loaded)
    legs = {leg.id: leg for leg in make_plan(loaded, assessment).legs}
    for target in report.targets:
        if target.verdict in (Verdict.PASS, Verdict.SKIP):
            continue
        found = [each for v in target.variants if (each := _failing(loaded, assessment, legs, report, target, v, work))]
        if target.require == "all":
            yield from (Unit(target.name, (each,), each.variant) for each in found)
        elif found:
            yield Unit(target.name, tuple(found))


def _failing(
    loaded: Loaded, model: Assessment, legs: Mapping[str, PlannedLeg], report: Report, target: TargetReport,
    variant: VariantReport, work: Work,
) -> Failing | None:  # fmt: skip
    """A variant as remedies see it; None of one that passes, or that gatekeeper does not make."""
    leg = legs.get(leg_of(variant.id))
    planned = next((each for each in leg.variants if each.id == variant.id), None) if leg else None
    about = target.leg_of(variant)
    if leg is None or planned is None or variant.verdict in (Verdict.PASS, Verdict.SKIP) or (about and about.error):
        return None
    name = leg.framework
    if planned.path or planned.technique == PROPOSED or planned.config or is_config(name, planned.method):
        return None
    listed = loaded.stated(*TECHNIQUES, name)
    index = leg.variants.index(planned) if listed else None
    entry = listed[index] if listed and index is not None else None
    lost = lost_of(variant.gates)
    kinds: frozenset[Kind] = frozenset(kind_of(each.gate) for each in lost) if variant.artifact else frozenset({"unmade"})
    machine = this_machine()
    calibrated = report.data.calibration.examples if report.data and report.data.calibration else 0
    if not calibrated and loaded.pipeline.dataset and loaded.pipeline.dataset.calibration:
        calibrated = 1  # a text, of which windows are the examples
    return Failing(
        variant=variant.id,
        place=Place(name, planned.method, dict(entry[planned.method] or {}) if isinstance(entry, dict) else {}, index),
        kinds=kinds,
        lost=lost,
        model=model,
        target=loaded.position.get(target.name),
        threads=about.environment.threads if about and about.environment else machine.cores,
        cores=machine.cores,
        vnni=machine.vnni,
        calibrated=calibrated,
        techniques=_techniques(name, model, bool(calibrated), listed or ()),
        options=partial(_options, name),
        sensitive=partial(_sensitive, loaded, model, leg, planned, work),
        reason=variant.reason,
    )


def _techniques(name: str, model: Assessment, calibrated: bool, listed: Sequence[Any]) -> tuple[str, ...]:
    """Of a framework, those that suit the model and are not in the file as they are."""
    module = framework(name)
    return tuple(each for each in module.TECHNIQUES if each not in listed and module.refuses(each, model, calibrated) is None)


def _options(name: str, technique: str) -> Mapping[str, Any]:
    return filled(options_of(framework(name), technique)())


PRODUCTS = ("MatMul", "Gemm", "FullyConnected")
"""Names of one thing: a MatMul and what is added to it is a Gemm once it is loaded, in OpenVINO a FullyConnected."""


def is_among(operator: str, weighted: Sequence[str]) -> bool:
    """Whether an operator of a profile, as runtimes fuse and call them, is or holds one of these operators of a model's file."""
    kinds = {*weighted, *(PRODUCTS if set(PRODUCTS) & set(weighted) else ())}
    return any(kind in operator for kind in kinds)


def quantizable(loaded: Loaded, unit: Unit, work: Work) -> float | None:
    """The share of the original's time that its quantizable operators take, by the profiler of `gatekeeper explain`.

    None where no speedup was lost, or there is no profile. Fused operators count where one of theirs does.
    """
    failing = next((each for each in unit.failing if any(lost.gate == SPEEDUP for lost in each.lost)), None)
    if failing is None:
        return None
    leg = next(each for each in make_plan(loaded, failing.model).legs if each.id == leg_of(failing.variant))

    def do(_: Any) -> dict[str, Any]:
        with bench(loaded, failing.model, [leg], Cache(work.options.cache), work.progress) as (space, evaluation, legs, _):
            own = legs[0]
            work.progress.step(f"{leg.id}: profiling the original")
            try:
                found = look(space, own.original, own.feeds("profiled", evaluation.prepared()))
            except NotMeasured as error:
                if error.kind in ("timeout", "disk"):
                    raise
                return {"share": None}
        weighted = list(failing.model.weighted_operators)
        kinds = [each for each in found.profile.operators if is_among(each.operator, weighted)]
        return {"share": min(1.0, sum(each.share for each in kinds))}

    try:
        _, meta, _ = work.journal.step("share", leg.id, do)
    except NotMeasured:
        return None
    return None if meta["share"] is None else float(meta["share"])


def _sensitive(loaded: Loaded, model: Assessment, leg: PlannedLeg, planned: PlannedVariant, work: Work) -> Sequence[str]:
    """Names of its layers, the most sensitive first, by the ranking of `gatekeeper explain`: made once, and kept."""
    if (leg.framework, model.format) != RANKS:
        raise Unsuited(f"layers are ranked of {RANKS[0]}'s variants of .{RANKS[1]} files alone")

    def do(_: Any) -> dict[str, Any]:
        with bench(loaded, model, [leg], Cache(work.options.cache), work.progress) as (space, evaluation, legs, _):
            own, calibration = legs[0], evaluation.prepared(calibration=True)
            if calibration is None:
                raise Unsuited("the file names no calibration set, on which layers could be ranked. Add `dataset.calibration`")
            made = made_of(own, planned, Data(calibration=calibration), False)
            work.progress.step(f"{planned.id}: ranking layers by what quantizing each alone changes")
            asked = Asked(
                model=Path(model.path),
                technique=planned.method,
                calibration=calibration,
                artifact=made.folder,
                vnni=this_machine().vnni,
                threads=own.place.threads,
                batch=evaluation.batch_size(),
                classes=in_classes(own),
            )
            budget = max(1.0, OF_BUDGET * (work.clock.budget_s - work.clock.passed))
            found = rank(space, asked, work.progress, budget)
        return {"layers": [each.exclude for each in found.layers], "reason": found.reason}

    _, meta, _ = work.journal.step("ranking", [planned.id, planned.options], do)
    if meta["reason"]:
        raise Unsuited(meta["reason"])
    return list(meta["layers"])
