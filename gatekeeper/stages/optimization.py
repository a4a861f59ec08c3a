"""Makes every variant, measures it against the baseline on this machine, and judges it."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gatekeeper.config.limits import limits
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.evaluation import quality
from gatekeeper.evaluate.text.conversion import check_conversion
from gatekeeper.frameworks._base import needs, runtime, untimed
from gatekeeper.gates._base import tested_by
from gatekeeper.hardware.machine import differences, environment
from gatekeeper.ids import BASELINE, baseline_id, file_name
from gatekeeper.legs.measuring import settings
from gatekeeper.making.optimize import Made, make_variant
from gatekeeper.measure.conditions import conditions, warnings
from gatekeeper.measure.energy._base import Absent, Meter
from gatekeeper.measure.energy._base import meter as energy_meter
from gatekeeper.measure.race import Limits, Race, control_interval, performance, race, samples
from gatekeeper.measure.rounds import Arm
from gatekeeper.planning.plan import PlannedLeg, PlannedVariant
from gatekeeper.process import memory
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Comparison, Effort, Evidence
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Artifact, Energy
from gatekeeper.records.report import LegReport, StageReport, VariantReport
from gatekeeper.stages._base import Context, report
from gatekeeper.stats.looks import look_alpha, schedule
from gatekeeper.units import parse_duration
from gatekeeper.verdicts.across import agreement_of, checked, summary
from gatekeeper.verdicts.judge import judge_gate, unmeasured_gate, variant_reason, variant_verdict
from gatekeeper.verdicts.targets import target_report

NAME = "optimization"


def run(context: Context) -> StageReport:
    """Run every leg of this machine; a leg that cannot run is reported as such."""
    results: dict[str, list[tuple[LegReport, list[VariantReport]]]] = {}
    for leg in context.legs:
        results.setdefault(leg.target, []).append(_Leg(context, leg).run())
    compare = bool(context.pipeline.cross_validation)
    if compare and context.dataset and context.predictions:
        context.progress.step(f"comparing the answers of {_count(len(context.predictions), 'model')}")
        context.answers = context.evaluation.answers(context.predictions, context.dataset)
    for name, legs in results.items():
        target = context.target(name)
        variants = [variant for _, found in legs for variant in found]
        own = [leg for leg, _ in legs]
        agreement = agreement_of(own, variants, [context.answers] if context.answers else []) if compare else None
        context.targets.append(target_report(name, target.hardware, context.loaded.require, own, variants, agreement))
    errors = [leg.error for legs in results.values() for leg, _ in legs if leg.error]
    if errors:
        return report(context, NAME, Verdict.ERROR, "; ".join(dict.fromkeys(errors)))
    if compare and context.dataset is None:
        reason = "cross_validation needs an evaluation set. Name one with `dataset.path`, or set it to disabled."
        return report(context, NAME, Verdict.ERROR, reason, NAME, "validation", "cross_validation")
    done = report(context, NAME, Verdict.PASS, summary(sum(len(leg.variants) for leg in context.legs), len(context.legs)))
    return checked(done, context.targets, context.pipeline)


@dataclass
class _Candidate:
    """A variant on its way: what was made and found of it, or why not."""

    planned: PlannedVariant
    made: Made | None = None
    comparison: Comparison = field(default_factory=Comparison)
    error: str | None = None


class _Leg:
    """One target x framework on this machine."""

    def __init__(self, context: Context, leg: PlannedLeg):
        self.context, self.leg = context, leg
        self.place = context.place(leg)
        self.untimed = "" if leg.skip or leg.error else untimed(leg.framework, self.place.device) or ""
        self.limits = [x for x in limits(context.loaded, context.target(leg.target)) if not tested_by(x.name)]
        self.measure = context.loaded.pipeline.measure
        self.budget_s = parse_duration(self.measure.budget)
        self.looks = schedule(self.measure.max_rounds)
        self.meter: Meter | Absent = Absent("nothing was measured")
        self.alpha = look_alpha(len(self.looks), context.attempt)

    def run(self) -> tuple[LegReport, list[VariantReport]]:
        """The leg's own report and its variants."""
        started = time.monotonic()
        if self.leg.skip:
            return LegReport(id=self.leg.id, framework=self.leg.framework, skip=self.leg.skip), []
        notes = [self.place.note] if self.place.note else []
        try:
            if self.place.error:
                raise NotMeasured("unsupported", self.place.error)
            self.source = self.context.source(self.leg)
            converted = self.checked()
        except NotMeasured as failure:
            said = str(failure)
            return LegReport(id=self.leg.id, framework=self.leg.framework, error=said, notes=notes), self.unmade(said)
        candidates = [self.candidate(variant) for variant in self.leg.variants]
        made = [c for c in candidates if c.made]
        packages = needs(self.leg.framework, self.context.assessment.format).packages
        machine = environment(self.place.threads, packages)
        raced, error = self.race(made) if made else (Race(), None)
        if changed := differences(machine, environment(self.place.threads, packages)):
            error = f"the machine changed while it measured ({'; '.join(changed)}): rounds before and after do not compare"
        rounds = [r.data[BASELINE] for r in raced.rounds]
        self.context.samples[self.leg.id] = samples(raced.rounds)
        variants = [self.report(c, raced, error) for c in candidates]
        found = conditions(raced.snapshots) if raced.rounds else None
        leg = LegReport(
            id=self.leg.id,
            framework=self.leg.framework,
            environment=machine,
            error=error or "",
            conversion=converted,
            device=self.place.device,
            untimed=self.untimed,
            baseline=performance(rounds, self.context.evaluation.batch_size(), memory.METRIC),
            quality=next((q for c in made if (q := quality(c.comparison, variant=False))), None),
            control=control_interval(raced.rounds, self.alpha),
            rounds=len(raced.rounds),
            max_rounds=self.measure.max_rounds,
            attempt=self.context.attempt,
            seed=self.measure.seed,
            measuring_s=raced.elapsed_s,
            budget_s=self.budget_s if raced.rounds else 0.0,
            stopped=raced.stopped if raced.rounds else "",
            conditions=found,
            energy=Energy(method=self.meter.method, kind=self.meter.kind, note=self.meter.note),
            notes=notes + (warnings(found) if found else []),
            total_s=time.monotonic() - started,
        )
        return leg, variants

    def unmade(self, error: str) -> list[VariantReport]:
        """Every variant of a leg that cannot run."""
        return [self.report(_Candidate(variant, error=error), Race(), None) for variant in self.leg.variants]

    def checked(self) -> str:
        """What is known of a baseline that had to be converted; one whose answers changed is `NotMeasured`."""
        context = self.context
        if self.source.original is None:
            return ""
        if context.dataset is None:
            return "the conversion was not checked: there is no evaluation set"
        context.progress.step(f"{self.leg.id}: checking the conversion")
        baseline = self.source.baseline()
        return check_conversion(context.evaluation, self.leg.framework, baseline, context.dataset, self.place.threads)

    def candidate(self, variant: PlannedVariant) -> _Candidate:
        """Make the artifact and compare its answers with the baseline's."""
        found = _Candidate(variant, error=variant.error)
        if variant.skip or variant.error:
            return found
        context = self.context
        try:
            context.progress.step(f"{variant.id}: optimizing")
            pipeline, folder = context.loaded.pipeline, context.loaded.folder
            config = folder / variant.config if variant.config else None
            found.made = make_variant(
                self.source, variant.technique, context.calibration, config, pipeline.optimization.trust_scripts
            )
            context.progress.step(f"{variant.id}: comparing answers")
            found.comparison = self.compare(variant.id, found.made)
        except NotMeasured as error:
            found.made, found.error = None, str(error)
            context.progress.note(f"{variant.id}: {error}")
        return found

    def compare(self, variant_id: str, made: Made) -> Comparison:
        """Accuracy against the baseline. A variant that cannot run is `NotMeasured`; answers that cannot be compared
        are the accuracy gate's error.
        """
        context, dataset = self.context, self.context.dataset
        if dataset is None:
            return Comparison(error="no evaluation set. Name one with `dataset.path`, or set `gates.accuracy: disabled`.")
        evaluation, name, place = context.evaluation, self.leg.framework, self.place
        baseline = evaluation.predictions(name, *self.source.baseline(), dataset, place.threads, place.device)
        context.predictions[baseline_id(self.leg.id)] = baseline
        variant = evaluation.predictions(name, made.folder, made.sha256, dataset, place.threads, place.device)
        context.predictions[variant_id] = variant
        try:
            return evaluation.compare(dataset, baseline, variant)
        except NotMeasured as error:
            return Comparison(error=str(error))

    def race(self, made: list[_Candidate]) -> tuple[Race, str | None]:
        """Measure; an error concerns the whole leg."""
        space = self.context.space
        inputs = space.scratch / "inputs.npz"
        self.meter = energy_meter(self.place.device.partition(":")[0], space.cache)
        text = self.context.assessment.text is not None
        rounds = settings(space, self.measure, inputs, self.place.threads, self.place.device, self.meter, text)
        name, module = self.leg.framework, runtime(self.leg.framework, self.context.assessment.format)
        arms = [Arm(c.planned.id, name, c.made.folder, module) for c in made if c.made]
        candidates = {c.planned.id: c for c in made}
        stop = Limits(self.looks, self.budget_s, self.measure.seed)
        try:
            self.context.evaluation.timed_inputs(self.context.dataset, inputs)
            with space.alone(self.context.progress):
                self.context.progress.step(f"{self.leg.id}: measuring {_count(len(arms), 'variant')} against the baseline")
                return race(
                    Arm(BASELINE, name, self.source.baseline()[0], module),
                    arms,
                    rounds,
                    stop,
                    lambda name, found: self.decided(candidates[name], found),
                    self.context.progress,
                ), None
        except NotMeasured as error:
            return Race(), str(error)

    def decided(self, candidate: _Candidate, raced: Race) -> bool:
        """A certain failure decides; otherwise every blocking gate on rounds must know its verdict."""
        gates = self.judge(candidate, raced, basis="rounds")
        return any(g.verdict is Verdict.FAIL for g in gates) or all(
            g.verdict is not Verdict.INCONCLUSIVE or g.settled for g in gates
        )

    def judge(self, candidate: _Candidate, raced: Race, basis: str | None = None) -> list[GateResult]:
        """Every gate, or the blocking ones of one basis."""
        assert candidate.made is not None
        baseline, variant, control = raced.paired(candidate.planned.id)
        evidence = Evidence(
            artifact=self.artifact(candidate),
            baseline=baseline,
            variant=variant,
            control=control,
            comparison=candidate.comparison,
            alpha=self.alpha,
            effort=Effort(raced.round_s(), self.budget_s, self.measure.max_rounds, self.place.threads, self.context.attempt),
            untimed=self.untimed or None,
        )
        chosen = [limit for limit in self.limits if basis is None or basis == limit.gate.BASIS]
        gates = [judge_gate(limit, evidence) for limit in chosen]
        return gates if basis is None else [g for g in gates if g.blocking]

    def artifact(self, candidate: _Candidate) -> Artifact:
        """Where the report says the artifact lies, relative to the report."""
        assert candidate.made is not None
        name = file_name(candidate.planned.id)
        main = candidate.made.files[0].name
        single = len(candidate.made.files) == 1
        path = Path("artifacts") / (f"{name}{Path(main).suffix}" if single else name)
        return Artifact(path=path.as_posix(), sha256=candidate.made.sha256, bytes=candidate.made.bytes)

    def report(self, candidate: _Candidate, raced: Race, leg_error: str | None) -> VariantReport:
        """What is known of one variant."""
        planned = candidate.planned
        blank = VariantReport(id=planned.id, framework=self.leg.framework, technique=planned.technique, verdict=Verdict.ERROR)
        if planned.skip:
            return msgspec.structs.replace(blank, verdict=Verdict.SKIP, reason=planned.skip)
        failure = raced.failures.get(planned.id)
        error = candidate.error or leg_error or (str(failure) if failure else None)
        if error or not candidate.made:
            gates = [unmeasured_gate(limit, error or "not made") for limit in self.limits]
            return msgspec.structs.replace(blank, verdict=Verdict.ERROR, reason=error or "not made", gates=gates)
        gates = self.judge(candidate, raced)
        self.context.made[planned.id] = candidate.made
        verdict = variant_verdict(gates)
        if self.untimed and verdict is Verdict.PASS:  # also where no gate asks for speed
            verdict = Verdict.SKIP
        self.keep(candidate)
        return msgspec.structs.replace(
            blank,
            verdict=verdict,
            reason=variant_reason(gates, verdict) or (self.untimed if verdict is Verdict.SKIP else ""),
            artifact=self.artifact(candidate),
            performance=performance(raced.paired(planned.id)[1], self.context.evaluation.batch_size(), memory.METRIC),
            quality=quality(candidate.comparison, variant=True),
            gates=gates,
        )

    def keep(self, candidate: _Candidate) -> None:
        """Put the artifact beside the report, where people look for it."""
        assert candidate.made is not None
        target = self.context.output / self.artifact(candidate).path
        whole = target.with_name(f".{target.name}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if len(candidate.made.files) == 1:
                shutil.copyfile(candidate.made.files[0], whole)
            else:
                whole.mkdir(exist_ok=True)
                for file in candidate.made.files:
                    shutil.copyfile(file, whole / file.name)
            whole.replace(target)
        except OSError as error:
            if whole.is_file():
                whole.unlink()
            shutil.rmtree(whole, ignore_errors=True)
            raise NotMeasured(
                "disk", f"{target}: cannot be written: {error.strerror}. Free some space or use --output."
            ) from None


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"
