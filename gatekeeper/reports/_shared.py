"""Gates that did not pass, those that say the same together: a noisy runner says one thing of every variant of its leg."""

from __future__ import annotations

from dataclasses import dataclass

from gatekeeper.ids import leg_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import Report, StageReport, TargetReport, VariantReport
from gatekeeper.reports._verdict import waived

_Key = tuple[str, Verdict, bool, object, tuple[str, ...]]


@dataclass(frozen=True)
class Shared:
    """One reason, the variants of one leg that it is said of, and their gates that say it."""

    variants: list[VariantReport]
    gates: list[GateResult]

    @property
    def first(self) -> GateResult:
        """A gate of them: verdict, reason, waiver and whether it blocks are those of all."""
        return self.gates[0]

    @property
    def leg(self) -> str:
        """The leg of the variants."""
        return leg_of(self.variants[0].id)

    @property
    def names(self) -> list[str]:
        """Each gate's name, once."""
        return list(dict.fromkeys(gate.gate for gate in self.gates))

    @property
    def places(self) -> list[str]:
        """Where their limits stand, each place once."""
        return list(dict.fromkeys(gate.where for gate in self.gates if gate.where))


def shared(target: TargetReport) -> list[Shared]:
    """What the gates of a target's variants say that did not pass, in the order in which it is first said.

    A variant that has no gates to show, because it was left out or never made, is not among them.
    """
    reasons: dict[tuple[str, _Key], Shared] = {}
    for variant in target.variants:
        if unjudged(variant):
            continue
        for key, gates in _by_reason(variant).items():
            one = reasons.setdefault((leg_of(variant.id), key), Shared([], []))
            one.variants.append(variant)
            one.gates.extend(gates)
    return list(reasons.values())


def unjudged(variant: VariantReport) -> bool:
    """Whether only the variant's own reason says what became of it."""
    return variant.verdict is Verdict.SKIP or (variant.verdict is Verdict.ERROR and variant.artifact is None)


def said_by_leg(target: TargetReport, variant: VariantReport) -> bool:
    """Whether the error of its leg, which is told of the leg, is all that became of a variant."""
    leg = target.leg_of(variant)
    return unjudged(variant) and leg is not None and bool(leg.error) and variant.reason == leg.error


def told(report: Report) -> list[StageReport]:
    """The stages that did not pass and say what is told of nothing else."""
    errors = {leg.error for target in report.targets for leg in target.legs if leg.error}
    return [stage for stage in report.stages if stage.verdict is not Verdict.PASS and stage.reason not in errors]


def _by_reason(variant: VariantReport) -> dict[_Key, list[GateResult]]:
    groups: dict[tuple[str, Verdict, bool, object], list[GateResult]] = {}
    for gate in variant.gates:
        if gate.verdict not in (Verdict.PASS, Verdict.SKIP):
            tolerated = gate.waiver if waived(gate) else None
            groups.setdefault((gate.reason, gate.verdict, gate.blocking, tolerated), []).append(gate)
    return {(*key, tuple(gate.gate for gate in gates)): gates for key, gates in groups.items()}
