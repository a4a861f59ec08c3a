"""Why gates failed: what a report knows, and what is measured of its variants since, or of those of a pipeline file.

Nothing here judges: no verdict changes. Layers are ranked on calibration data only; the evaluation set is looked at for nothing
but its inputs' sizes and speed, where there is no calibration set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gatekeeper.causes.bottlenecks._base import bottlenecks
from gatekeeper.causes.diagnoses._base import diagnoses
from gatekeeper.causes.seen import Seen
from gatekeeper.causes.short import seen_of
from gatekeeper.config.loaded import Loaded
from gatekeeper.errors import NotMeasured, UsageError, nearest
from gatekeeper.evaluate.tasks._base import REGISTRY, UNNAMED
from gatekeeper.explain.found import Found, artifact_of, pipeline_of
from gatekeeper.explain.measuring import timed
from gatekeeper.explain.profiling import Profiled, look, moved
from gatekeeper.explain.sensitivity.rank import BUDGET_S, Asked, rank, unranked
from gatekeeper.hardware.machine import differences, this_machine
from gatekeeper.ids import leg_of
from gatekeeper.legs.leg import Leg
from gatekeeper.legs.setup import bench
from gatekeeper.making.cache import Cache
from gatekeeper.making.optimize import Made
from gatekeeper.models.info import Assessment
from gatekeeper.planning.plan import choose_legs, make_plan, model_of
from gatekeeper.progress import Progress
from gatekeeper.records.base import Verdict
from gatekeeper.records.explained import EXPLANATION_SCHEMA, Explained, Explanation, Ranking
from gatekeeper.records.report import Report, TargetReport, VariantReport
from gatekeeper.version import version

RANKED = ("onnx_runtime", "microsoft_olive")
"""Frameworks whose artifacts are ONNX graphs, of which layers can be told apart."""


@dataclass(frozen=True)
class Options:
    """What is asked: `variants` by id, empty for those that failed; `measure`: whether anything is measured beside the report."""

    cache: Path
    target: str | None = None
    framework: str | None = None
    variants: tuple[str, ...] = ()
    measure: bool = True
    budget_s: float = BUDGET_S


def explain_report(report: Report, path: Path, options: Options, progress: Progress) -> Explanation:
    """A finished run: its numbers as they stand there, operators and layers of the artifacts beside it."""
    chosen, notes = _chosen(report, options)
    found = pipeline_of(report, path) if options.measure and chosen else Found(None, "nothing was measured beside the report")
    if found.loaded is None:
        done = [_said(seen_of(report, target, variant), [found.why]) for target, variant in chosen]
        return _explanation(path, done, notes)
    loaded = found.loaded
    model, about = model_of(loaded)
    ids = {leg_of(variant.id) for _, variant in chosen}
    planned = [leg for leg in make_plan(loaded, about).legs if leg.id in ids]
    with bench(loaded, about, planned, Cache(options.cache), progress) as (_, _, legs, identity):
        by_id = {leg.id: leg for leg in legs}
        if identity != report.model.sha256:
            why = f"{model} is another model than the report's"
            done = [_said(seen_of(report, target, variant), [why]) for target, variant in chosen]
            return _explanation(path, done, notes)
        looked = _Looks(options, progress)
        done = []
        for target, variant in chosen:
            leg = by_id.get(leg_of(variant.id))
            find = partial(artifact_of, variant, leg, path)
            done.append(looked.at(seen_of(report, target, variant), leg, find))
    return _explanation(path, done, notes)


def explain_file(loaded: Loaded, options: Options, progress: Progress) -> Explanation:
    """A pipeline file: every variant made, timed in a few rounds, and looked into. Nothing is judged."""
    _, about = model_of(loaded)
    planned = choose_legs(make_plan(loaded, about), options.target, options.framework)
    ids = [variant.id for leg in planned for variant in leg.variants]
    _known(options.variants, ids)
    notes = ["nothing was judged: `gatekeeper run` says which gates fail"]
    done: list[Explained] = []
    with bench(loaded, about, planned, Cache(options.cache), progress) as (_, _, legs, _):
        looked = _Looks(options, progress)
        for leg in legs:
            if leg.planned.skip or leg.planned.error or leg.place.error:
                notes.append(f"{leg.id}: {leg.planned.skip or leg.planned.error or leg.place.error}")
                continue
            for seen, made in timed(leg, options.variants, progress):
                done.append(looked.at(seen, leg, made))
    return _explanation(loaded.path, done, notes)


class _Looks:
    """Looks into variants, one after the other."""

    def __init__(self, options: Options, progress: Progress):
        self.options, self.progress = options, progress

    def at(self, seen: Seen, leg: Leg | None, find: Callable[[], Made]) -> Explained:
        """What a report knows of it, its operators, what it moves, and its layers, each as far as it can be told."""
        unsaid: list[str] = []
        name = seen.variant.id
        if leg is None or leg.place.error:
            why = leg.place.error if leg else "the pipeline file has no such variant any more"
            return _said(seen, [f"operators and layers: {why}"])
        try:
            made = find()
        except NotMeasured as error:
            return _said(seen, [f"operators and layers: {error}"])
        if seen.environment and (other := differences(seen.environment, leg.environment())):
            unsaid.append(f"operators on the machine of the report: they are of this one ({'; '.join(other)})")
        calibration = _calibration(leg, unsaid)
        profiled = self._profiled(seen, leg, made, calibration, unsaid)
        if profiled:
            seen = replace(seen, profile=profiled.profile)
        seen = self._moved(seen, leg, made, profiled, unsaid)
        seen = replace(seen, ranking=self._ranked(seen, leg, made, calibration, profiled))
        if seen.ranking and seen.ranking.reason:
            unsaid.append(f"layers: {seen.ranking.reason}")
        self.progress.step(f"{name}: explained")
        return _said(seen, unsaid)

    def _profiled(self, seen: Seen, leg: Leg, made: Made, calibration: Path | None, unsaid: list[str]) -> Profiled | None:
        try:
            text = leg.evaluation.model.text is not None
            inputs = leg.feeds("explained", leg.evaluation.prepared() if text or calibration is None else calibration)
            with leg.space.alone(self.progress, f"profiling {seen.variant.id}"):
                self.progress.step(f"{seen.variant.id}: profiling")
                return look(leg.space, leg.spec(made), inputs)
        except NotMeasured as error:
            unsaid.append(f"operators: {error}")
            return None

    def _moved(self, seen: Seen, leg: Leg, made: Made, profiled: Profiled | None, unsaid: list[str]) -> Seen:
        latency = profiled.looked.latency_ns if profiled else seen.performance.p50_ns if seen.performance else 0.0
        if leg.place.device.partition(":")[0] != "cpu":
            unsaid.append("memory traffic: what a processor moves says nothing of another device")
            return seen
        if not latency:
            unsaid.append("memory traffic: it was not timed")
            return seen
        try:
            with leg.space.alone(self.progress, f"moving memory beside {seen.variant.id}"):
                self.progress.step(f"{seen.variant.id}: moving memory")
                weights = _weights(made, leg.evaluation.model)
                found = moved(leg.space, profiled.looked if profiled else None, latency, weights, leg.place.threads)
            return replace(seen, traffic=found)
        except NotMeasured as error:
            unsaid.append(f"memory traffic: {error}")
            return seen

    def _ranked(self, seen: Seen, leg: Leg, made: Made, calibration: Path | None, profiled: Profiled | None) -> Ranking | None:
        model, name = leg.evaluation.model, seen.variant.framework
        if model.text or model.format != "onnx" or name not in RANKED or not leg.place.device.startswith("cpu"):
            return Ranking(reason=f"those of {name} are not ranked here, only those of ONNX models on a CPU, which write no text")
        if calibration is None:
            return Ranking(
                reason="the pipeline file names no calibration set (`dataset.calibration`), and they are ranked on no other"
            )
        asked = Asked(
            model=Path(model.path),
            technique=seen.variant.technique,
            calibration=calibration,
            artifact=made.opened,
            vnni=this_machine().vnni,
            threads=leg.place.threads,
            batch=leg.evaluation.batch_size(),
            classes=_classes(leg.evaluation.task),
        )
        try:
            self.progress.step(f"{seen.variant.id}: ranking layers")
            return rank(leg.space, asked, self.progress, self.options.budget_s, profiled.shares if profiled else None)
        except NotMeasured as error:
            return unranked(error)


def _calibration(leg: Leg, unsaid: list[str]) -> Path | None:
    try:
        return leg.evaluation.prepared(calibration=True)
    except NotMeasured as error:
        unsaid.append(f"the calibration set: {error}")
        return None


def _classes(task: str | None) -> bool:
    """Whether the last axis of the answers is of classes; of a model of which nobody says what it does, it is taken to be."""
    return bool(REGISTRY.get(task or UNNAMED).ANSWERS == "class")


def _weights(made: Made, about: Assessment) -> int:
    """Bytes of weights that every inference reads: the file, but of a text model's token table, of which it reads a row."""
    if about.text is None or not about.parameters:
        return made.bytes
    table = about.text.vocabulary * about.text.hidden / about.parameters
    return int(made.bytes * max(0.0, 1 - table))


def _said(seen: Seen, unsaid: Sequence[str]) -> Explained:
    judged = bool(seen.variant.gates) or seen.variant.verdict is not Verdict.SKIP
    found = diagnoses(seen)
    told = {gate for each in found for gate in each.gates}
    bad = [each for each in seen.variant.gates if each.verdict not in (Verdict.PASS, Verdict.SKIP) and each.gate not in told]
    unexplained = [f"a cause of {each.gate} ({each.verdict}): {each.reason}" for each in bad]
    return Explained(
        id=seen.variant.id,
        framework=seen.variant.framework,
        technique=seen.variant.technique,
        verdict=seen.variant.verdict if judged else "",
        bottlenecks=bottlenecks(seen),
        diagnoses=found,
        profile=seen.profile,
        traffic=seen.traffic,
        ranking=seen.ranking,
        unsaid=[*unexplained, *unsaid],
    )


def _explanation(path: Path, done: Sequence[Explained], notes: Sequence[str]) -> Explanation:
    return Explanation(schema=EXPLANATION_SCHEMA, of=str(path), variants=list(done), notes=list(notes), version=version())


def _chosen(report: Report, options: Options) -> tuple[list[tuple[TargetReport, VariantReport]], list[str]]:
    """The variants asked for; else those that did not pass; else all, which is said."""
    every = [(target, variant) for target in report.targets for variant in target.variants]
    every = [each for each in every if options.target in (None, each[0].name)]
    every = [each for each in every if options.framework in (None, each[1].framework)]
    _known(options.variants, [variant.id for _, variant in every])
    if options.variants:
        return [each for each in every if each[1].id in options.variants], []
    bad = [each for each in every if each[1].verdict not in (Verdict.PASS, Verdict.SKIP) or _failed(each[1])]
    if bad or not every:
        legs = [f"{leg.id}: {leg.error}" for target in report.targets for leg in target.legs if leg.error]
        return bad, legs if every else [*legs, "there is no variant to explain"]
    return [each for each in every if each[1].verdict is Verdict.PASS], ["no gate failed"]


def _failed(variant: VariantReport) -> bool:
    return any(gate.verdict is Verdict.FAIL for gate in variant.gates)


def _known(asked: Sequence[str], ids: Sequence[str]) -> None:
    for name in asked:
        if name not in ids:
            raise UsageError(f"--variant {name}: there is none{nearest(name, ids) or '.'} There are {', '.join(ids) or 'none'}.")
