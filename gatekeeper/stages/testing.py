"""Whether the variants behave: contract tests of each, then the ones that may ship behind a server and under load.

Contract tests are cheap and run on every variant. A server under load takes minutes, so it is for variants that pass
everything before it: with `require: best` the best of them first, until one passes; with `require: all` every one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gatekeeper.checks.integration import integration_checks
from gatekeeper.checks.security.run import security_checks
from gatekeeper.checks.unit.run import unit_checks
from gatekeeper.config.limits import Limit, limits
from gatekeeper.errors import NotMeasured
from gatekeeper.gates._base import tested_by
from gatekeeper.ids import baseline_id, belongs, file_name
from gatekeeper.load.run import LoadFound, load_tests
from gatekeeper.making.optimize import Source
from gatekeeper.making.subject import Subject
from gatekeeper.planning.plan import PlannedLeg
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence, LoadEvidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.report import StageReport, VariantReport
from gatekeeper.records.tested import Check, Tested
from gatekeeper.stages._base import Context, report
from gatekeeper.stats.looks import look_alpha
from gatekeeper.verdicts.judge import best_first, judge_gate, variant_reason, variant_verdict
from gatekeeper.verdicts.targets import target_report

NAME = "testing"
UNIT, INTEGRATION, LOAD, SECURITY = "unit_tests", "integration_tests", "load_tests", "security_tests"


def run(context: Context) -> StageReport:
    """Test the variants of every leg of this machine and judge them again."""
    tested, errors = 0, []
    for position, target in enumerate(context.targets):
        legs, variants = list(target.legs), {v.id: v for v in target.variants}
        for planned in context.legs:
            if planned.target != target.name or planned.skip:
                continue
            own = [v for v in variants.values() if belongs(v.id, planned.id) and v.id in context.made]
            if not own:
                continue
            leg = _Leg(context, planned, own)
            leg.run()
            variants |= {v.id: v for v in leg.variants.values()}
            legs = [msgspec.structs.replace(x, tested=leg.baseline_tested) if x.id == planned.id else x for x in legs]
            tested += len(own)
            errors += leg.errors
        context.targets[position] = target_report(
            target.name, target.hardware, target.require, legs, list(variants.values()), target.agreement
        )
    if errors:
        return report(context, NAME, Verdict.ERROR, "; ".join(dict.fromkeys(errors)), NAME)
    if not tested:
        return report(context, NAME, Verdict.SKIP, "no variant was left to test", NAME)
    return report(context, NAME, Verdict.PASS, f"tested {tested} variant{'s' * (tested != 1)}", NAME)


@dataclass
class _Found:
    """What the tests of one variant found so far."""

    checks: list[Check] = field(default_factory=list)
    load: LoadFound | None = None
    errors: dict[str, str] = field(default_factory=dict)  # kind of tests -> why it could not run
    seconds: float = 0.0


class _Leg:
    """The variants of one target x framework on this machine."""

    def __init__(self, context: Context, leg: PlannedLeg, variants: list[VariantReport]):
        self.context, self.leg = context, leg
        self.place = context.place(leg)
        self.variants = {v.id: v for v in variants}
        self.before = dict(self.variants)
        self.limits = [x for x in limits(context.loaded, context.target(leg.target)) if tested_by(x.name)]
        self.testing = context.loaded.pipeline.testing
        self.alpha = look_alpha(1, context.attempt)
        self.found = {name: _Found() for name in self.variants}
        self.baseline_tested: Tested | None = None
        self.errors: list[str] = []
        self.inputs = context.space.scratch / f"tested-{file_name(leg.id)}.npz"

    def run(self) -> None:
        """Contract tests of all, then what takes a server, of those that may ship."""
        context = self.context
        context.evaluation.timed_inputs(context.dataset, self.inputs)
        source = context.source(self.leg)
        for name in self.variants:
            if self.level(UNIT) != "off":
                self.unit(name, source)
            self.judge(name)
        with context.space.alone(context.progress):
            self.behind_a_server(source)

    def behind_a_server(self, source: Source) -> None:
        """Integration, load and security tests, the best variant first."""
        kinds = [kind for kind in (INTEGRATION, LOAD, SECURITY) if self.level(kind) != "off"]
        hopeful = best_first(v for v in self.variants.values() if self.hopeful(v))
        baseline = self.baseline_load(source) if LOAD in kinds and hopeful else None
        passed = ""
        for variant in hopeful if kinds else []:
            if passed and self.context.loaded.require == "best":
                self.leave_out(variant.id, kinds, f"not tested: {passed} passes already and is as good or better")
                continue
            self.served(variant.id, baseline)
            self.judge(variant.id)
            if self.variants[variant.id].verdict is Verdict.PASS:
                passed = variant.id
        for name, variant in self.variants.items():
            if kinds and variant.id not in {v.id for v in hopeful}:
                self.leave_out(name, kinds, f"not tested: its verdict is {variant.verdict} without it")

    def hopeful(self, variant: VariantReport) -> bool:
        """Whether nothing but tests that are still to come keeps a variant from passing."""
        return self.verdict_without(variant, (INTEGRATION, LOAD, SECURITY)) is Verdict.PASS

    def verdict_without(self, variant: VariantReport, kinds: tuple[str, ...]) -> Verdict:
        own = {limit.name for limit in self.limits if self.kind(limit) in kinds}
        found = variant_verdict(g for g in variant.gates if g.gate not in own)
        return Verdict.SKIP if self.before[variant.id].verdict is Verdict.SKIP else found

    def kind(self, limit: Limit) -> str:
        """The kind of tests that measures a gate."""
        return LOAD if tested_by(limit.name) in ("soak", "stress") else tested_by(limit.name)

    def level(self, kind: str) -> str:
        return self.context.loaded.level(kind)

    def subject(self, name: str, artifact: Path) -> Subject:
        evaluation = self.context.evaluation
        return Subject(
            id=name,
            framework=self.leg.framework,
            artifact=artifact,
            threads=self.place.threads,
            device=self.place.device,
            model=self.context.assessment,
            task=evaluation.task,
            text=evaluation.text(),
            inputs=self.inputs,
            space=self.context.space,
            progress=self.context.progress,
        )

    def baseline(self, source: Source) -> Subject:
        return self.subject(baseline_id(self.leg.id), source.baseline()[0])

    def variant(self, name: str) -> Subject:
        return self.subject(name, self.context.made[name].folder)

    def unit(self, name: str, source: Source) -> None:
        self.context.progress.step(f"{name}: contract tests")
        own = [self.context.loaded.folder / test for test in self.testing.tests]
        folder = self.context.loaded.folder
        self.check(name, UNIT, lambda: unit_checks(self.variant(name), self.baseline(source), self.level(UNIT), own, folder))

    def check(self, name: str, kind: str, tests: Callable[[], Iterable[Check]]) -> None:
        """Run one kind of checks; what keeps all of them from running is the error of its gate."""
        started = time.monotonic()
        try:
            self.found[name].checks += tests()
        except NotMeasured as error:
            self.found[name].errors[kind] = str(error)
        self.found[name].seconds += time.monotonic() - started

    def baseline_load(self, source: Source) -> LoadFound | str:
        """The baseline under load, or why it could not be: then no variant can be judged beside it."""
        started = time.monotonic()
        try:
            found = self.load(self.baseline(source), None)
        except NotMeasured as error:
            self.errors.append(f"{self.leg.id}: the baseline under load: {error}")
            return str(error)
        self.baseline_tested = msgspec.structs.replace(found.tested, seconds=time.monotonic() - started)
        return found

    def load(self, subject: Subject, baseline: LoadFound | None) -> LoadFound:
        self.context.progress.step(f"{subject.id}: under load")
        seed = self.context.loaded.pipeline.measure.seed
        return load_tests(subject, self.context.loaded.load, self.testing.soak, self.level(LOAD), seed, baseline)

    def served(self, name: str, baseline: LoadFound | str | None) -> None:
        """What one variant does behind its server."""
        found, subject = self.found[name], self.variant(name)
        if (level := self.level(INTEGRATION)) != "off":
            self.context.progress.step(f"{name}: behind a server")
            self.check(name, INTEGRATION, lambda: integration_checks(subject, level, self.context.dataset))
        if isinstance(baseline, str):
            found.errors[LOAD] = baseline
        elif baseline is not None:
            started = time.monotonic()
            try:
                found.load = self.load(subject, baseline)
            except NotMeasured as error:
                found.errors[LOAD] = str(error)
            found.seconds += time.monotonic() - started
        if (hostile := self.level(SECURITY)) != "off":
            self.context.progress.step(f"{name}: hostile requests")
            self.check(name, SECURITY, lambda: security_checks(subject, hostile))

    def leave_out(self, name: str, kinds: list[str], reason: str) -> None:
        """Say of each gate why it was not measured; a variant that would have passed is then no passing one."""
        skipped = Decision(verdict=Verdict.SKIP, reason=reason)
        self.judge(name, dict.fromkeys(kinds, skipped))

    def judge(self, name: str, said: dict[str, Decision] | None = None) -> None:
        """The variant with every gate that can be judged by now."""
        before, found = self.before[name], self.found[name]
        load = found.load.evidence if found.load else LoadEvidence(error=found.errors.get(LOAD))
        checks = [*found.checks, *(found.load.tested.checks if found.load else [])]
        assert before.artifact is not None
        evidence = Evidence(artifact=before.artifact, alpha=self.alpha, checks=checks, load=load)
        gates = list(before.gates)
        for limit in self.limits:
            kind = self.kind(limit)
            if said and kind in said:
                gates.append(judge_gate(limit, evidence, said[kind]))
            elif kind in found.errors:
                gates.append(judge_gate(limit, evidence, Decision(verdict=Verdict.ERROR, reason=found.errors[kind])))
            elif found.load if kind == LOAD else any(check.kind == kind for check in checks):
                gates.append(judge_gate(limit, evidence))
        verdict = variant_verdict(gates)
        if before.verdict is Verdict.SKIP and verdict is Verdict.PASS:
            verdict = Verdict.SKIP
        self.variants[name] = msgspec.structs.replace(
            before,
            gates=gates,
            verdict=verdict,
            reason=before.reason if verdict is before.verdict else variant_reason(gates, verdict),
            tested=self.tested(found, checks),
        )

    def tested(self, found: _Found, checks: list[Check]) -> Tested | None:
        if not checks and found.load is None:
            return None
        base = found.load.tested if found.load else Tested()
        return msgspec.structs.replace(base, checks=checks, seconds=found.seconds)
