"""The variants of one leg, tested and judged again."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.checks.kinds._base import OFF, Bench, Outcome, in_order, kind
from gatekeeper.errors import NotMeasured
from gatekeeper.gates._base import tested_by
from gatekeeper.ids import baseline_id, file_name
from gatekeeper.legs.leg import Leg
from gatekeeper.making.optimize import Made
from gatekeeper.making.subject import Subject
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence, LoadEvidence
from gatekeeper.records.gates import Decision, GateResult
from gatekeeper.records.report import VariantReport
from gatekeeper.records.tested import Tested
from gatekeeper.stats.looks import attempt_alpha
from gatekeeper.verdicts.gates import judge_gate
from gatekeeper.verdicts.judge import variant_reason, variant_verdict


@dataclass
class _State:
    """What the tests of one variant found so far, by kind; of a kind that could not run, why.

    `upfront` is what a kind found that has not come to its server yet.
    """

    upfront: dict[str, Outcome] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def judged(self, each: str) -> bool:
        """Whether it is known how a kind ends."""
        return each in self.outcomes or each in self.errors

    def found(self) -> list[Outcome]:
        """What every kind found."""
        return list((self.upfront | self.outcomes).values())


class TestedLeg:
    """The variants of a leg that were measured. `run` fills `variants`, `original` and `errors`.

    `shown` says which of some variants pass for sure, the others of their target counted; `ordered` has the one first that would
    be chosen.
    """

    def __init__(
        self,
        leg: Leg,
        variants: Sequence[VariantReport],
        made: Mapping[str, Made],
        dataset: Path | None,
        attempt: int,
        shown: Callable[[Sequence[VariantReport]], Collection[str]],
        ordered: Callable[[Sequence[VariantReport]], list[VariantReport]],
    ):
        self.leg, self.made, self.dataset, self.shown, self.ordered = leg, made, dataset, shown, ordered
        self.variants = {variant.id: variant for variant in variants}
        self.before = dict(self.variants)
        self.limits = [limit for limit in leg.limits() if tested_by(limit.name)]
        self.alpha = attempt_alpha(attempt)
        self.states = {name: _State() for name in self.variants}
        self.kinds = [name for name in in_order() if leg.loaded.level(name) != OFF]
        self.original: Tested | None = None
        self.errors: list[str] = []
        self._standards: dict[str, Any] = {}

    def run(self) -> None:
        """What takes no server, of all; then what takes one, of those that may ship."""
        leg = self.leg
        self.inputs = leg.feeds(f"tested-{file_name(leg.id)}", self.dataset, loud=True)
        alone = [name for name in self.kinds if not kind(name).SERVER]
        behind = [name for name in self.kinds if kind(name).SERVER]
        for name in self.variants:
            for each in alone:
                self._check(name, each)
            for each in behind:
                self._upfront(name, each)
            self._judge(name)
        if behind:
            with leg.space.alone(leg.progress, f"tests of {leg.id}"):
                self._behind_a_server(behind)

    def _behind_a_server(self, kinds: list[str]) -> None:
        """The best variant first."""
        hopeful = self.ordered([v for v in self.variants.values() if self._hopeful(v, kinds)])
        for each in kinds if hopeful else []:
            self._standard(each)
        passed, waiting = "", [variant.id for variant in hopeful]
        for variant in hopeful:
            waiting.remove(variant.id)
            if passed and self.leg.loaded.require == "best":
                self._leave_out(variant.id, kinds, f"not tested: {passed} passes already and is as good or better")
                continue
            for each in kinds:
                self._check(variant.id, each)
            self._judge(variant.id)
            if variant.id in self.shown(self._so_far(waiting)):
                passed = variant.id
        for name, variant in self.variants.items():
            if name not in {v.id for v in hopeful}:
                self._leave_out(name, kinds, f"not tested: its verdict is {variant.verdict} without it")

    def _so_far(self, waiting: Collection[str]) -> list[VariantReport]:
        """The variants as far as they are known; of those that were not tested yet it is open how near they are."""
        open_ = Verdict.INCONCLUSIVE
        return [msgspec.structs.replace(v, verdict=open_) if v.id in waiting else v for v in self.variants.values()]

    def _hopeful(self, variant: VariantReport, kinds: list[str]) -> bool:
        """Whether nothing but tests that are still to come keeps a variant from passing."""
        ahead = [each for each in kinds if not self.states[variant.id].judged(each)]
        own = {limit.name for limit in self.limits if tested_by(limit.name) in ahead}
        without = variant_verdict(gate for gate in variant.gates if gate.gate not in own)
        return self.before[variant.id].verdict is not Verdict.SKIP and without is Verdict.PASS

    def _standard(self, each: str) -> None:
        """What the original does in a kind of check that compares with it; where it cannot, no variant can be judged."""
        measure: Callable[[Bench], Any] | None = getattr(kind(each), "standard", None)
        if measure is None:
            return
        started, original = time.monotonic(), self._baseline()
        self.leg.progress.step(f"{original.id}: {kind(each).TITLE}")
        try:
            self._standards[each] = measure(self._bench(original, each))
        except NotMeasured as error:
            self._standards[each] = error
            self.errors.append(f"{self.leg.id}: the baseline {kind(each).TITLE}: {error}")
            return
        if tested := getattr(self._standards[each], "tested", None):
            self.original = msgspec.structs.replace(tested, seconds=time.monotonic() - started)

    def _upfront(self, name: str, each: str) -> None:
        """What a kind finds before there is a server; where not all of it passes, there is none."""
        look: Callable[[Bench], Outcome] | None = getattr(kind(each), "upfront", None)
        if look is None:
            return
        started, state = time.monotonic(), self.states[name]
        try:
            self.leg.progress.step(f"{name}: {kind(each).TITLE}")
            found = look(self._bench(self._subject(name), each))
            passed = all(check.verdict in (Verdict.PASS, Verdict.SKIP) for check in found.checks)
            (state.upfront if passed else state.outcomes)[each] = found
        except NotMeasured as error:
            state.errors[each] = str(error)
        state.seconds += time.monotonic() - started

    def _check(self, name: str, each: str) -> None:
        """One kind of check on one variant; what keeps all of it from running is the error of its gates."""
        started, state = time.monotonic(), self.states[name]
        try:
            if isinstance(standard := self._standards.get(each), NotMeasured):
                raise standard
            self.leg.progress.step(f"{name}: {kind(each).TITLE}")
            found = kind(each).run(self._bench(self._subject(name), each))
            before = state.upfront.get(each, Outcome())
            state.outcomes[each] = replace(found, checks=[*before.checks, *found.checks])
        except NotMeasured as error:
            state.errors[each] = str(error)
        state.seconds += time.monotonic() - started

    def _bench(self, subject: Subject, each: str) -> Bench:
        level = self.leg.loaded.level(each)
        return Bench(subject, self._baseline(), level, self.leg.loaded, self.dataset, self._standards.get(each))

    def _baseline(self) -> Subject:
        return self.leg.subject(baseline_id(self.leg.id), None, self.inputs)

    def _subject(self, name: str) -> Subject:
        return self.leg.subject(name, self.made[name], self.inputs)

    def _leave_out(self, name: str, kinds: list[str], reason: str) -> None:
        """Say of each gate why it was not measured; a variant that would have passed is then no passing one."""
        self._judge(name, dict.fromkeys(kinds, Decision(verdict=Verdict.SKIP, reason=reason)))

    def _judge(self, name: str, said: Mapping[str, Decision] | None = None) -> None:
        """The variant with every gate that can be judged by now."""
        before, state = self.before[name], self.states[name]
        gates = list(before.gates)
        for limit in self.limits:
            each = tested_by(limit.name)
            if said and each in said and not state.judged(each):
                gates.append(judge_gate(limit, self._evidence(name), said[each]))
            elif each in state.errors:
                gates.append(judge_gate(limit, self._evidence(name), Decision(verdict=Verdict.ERROR, reason=state.errors[each])))
            elif each in state.outcomes:
                gates.append(judge_gate(limit, self._evidence(name)))
        self.variants[name] = self._judged(before, gates, self._tested(state))

    def _judged(self, before: VariantReport, gates: list[GateResult], tested: Tested | None) -> VariantReport:
        verdict = variant_verdict(gates)
        if before.verdict is Verdict.SKIP and verdict is Verdict.PASS:
            verdict = Verdict.SKIP
        reason = before.reason if verdict is before.verdict else variant_reason(gates, verdict)
        return msgspec.structs.replace(before, gates=gates, verdict=verdict, reason=reason, tested=tested)

    def _evidence(self, name: str) -> Evidence:
        state, made = self.states[name], self.before[name].artifact
        assert made is not None
        checks = [check for outcome in state.found() for check in outcome.checks]
        load = next((outcome.load for outcome in state.outcomes.values() if outcome.load), LoadEvidence())
        return Evidence(artifact=made, alpha=self.alpha, checks=checks, load=load)

    def _tested(self, state: _State) -> Tested | None:
        """Its lines for the report: those of every kind, as one."""
        found = state.found()
        if not any(outcome.checks or outcome.load for outcome in found):
            return None
        base = next((outcome.tested for outcome in found if outcome.load), Tested())
        checks = [check for outcome in found for check in outcome.checks]
        return msgspec.structs.replace(base, checks=checks, seconds=state.seconds)
