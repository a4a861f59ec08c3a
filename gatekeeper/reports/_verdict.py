"""Verdicts for people: their signs and words, which of them counts, and the whole in one sentence."""

from __future__ import annotations

from collections.abc import Iterable

from gatekeeper.gates._base import of_testing
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import Report, TargetReport, VariantReport

MARKS = {
    Verdict.PASS: "✅",
    Verdict.FAIL: "❌",
    Verdict.INCONCLUSIVE: "❔",
    Verdict.ERROR: "🚫",
    Verdict.SKIP: "➖",
}
WORDS = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "fail",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.ERROR: "not measured",
    Verdict.SKIP: "skipped",
}


def waived(gate: GateResult) -> bool:
    """Whether a waiver keeps what the gate found from blocking."""
    return gate.waiver is not None and not gate.blocking and gate.verdict not in (Verdict.PASS, Verdict.SKIP)


def off(gate: GateResult) -> bool:
    """Whether the gate is disabled: there is no limit, and nothing was asked of the variant."""
    return gate.verdict is Verdict.SKIP and not gate.blocking and gate.limit is None and not gate.measured_limit


def columns(variants: Iterable[VariantReport]) -> list[str]:
    """Names of the gates that a table shows: what is disabled everywhere would be a column of nothing."""
    return list(dict.fromkeys(g.gate for v in variants for g in v.gates if not off(g)))


def blocks(report: Report, target: TargetReport, gate: GateResult) -> bool:
    """Whether this gate keeps the report from passing: it counts, and no other variant of the target passes instead."""
    if not gate.blocking or gate.verdict in (Verdict.PASS, Verdict.SKIP) or target.verdict is Verdict.PASS:
        return False
    return gate.verdict is not Verdict.INCONCLUSIVE or report.pipeline.on_inconclusive == "fail"


def counts(report: Report) -> str:
    """How many targets and variants have which verdict, in words."""

    def said(noun: str, verdicts: list[Verdict]) -> str:
        parts = [f"{verdicts.count(v)} {WORDS[v]}" for v in Verdict if v in verdicts]
        return f"{len(verdicts)} {noun}{'s' if len(verdicts) != 1 else ''}" + (f" ({', '.join(parts)})" if parts else "")

    lost = sum(bool(leg.error) for t in report.targets for leg in t.legs)
    parts = [said("target", [t.verdict for t in report.targets])]
    parts.append(said("variant", [v.verdict for t in report.targets for v in t.variants]))
    return ", ".join(parts) + (f", {lost} leg{'s' if lost != 1 else ''} not measured" if lost else "")


def headline(report: Report) -> str:
    """The verdict in one sentence."""
    chosen = [(t, v) for t in report.targets for v in t.variants if v.id == t.selected]
    if report.verdict is Verdict.PASS and chosen:
        return "; ".join(_passes(target, variant) for target, variant in chosen)
    reasons = [f"{t.name}: {t.reason}" for t in report.targets if t.reason]
    said = " ".join(reasons)  # a stage that ended the run is the reason of every target already
    reasons += [
        f"stage {s.stage}: {s.reason}"
        for s in report.stages
        if s.verdict is not Verdict.PASS and s.reason not in said and not s.blocked_by
    ]
    return "; ".join(dict.fromkeys(reasons)) or "nothing was measured"


def _passes(target: TargetReport, variant: VariantReport) -> str:
    own = [g for g in variant.gates if not of_testing(g.gate)]
    says = [g.brief or g.reason for g in own if g.verdict is Verdict.PASS and g.reason]
    tests = [g.verdict for g in variant.gates if of_testing(g.gate) and g.verdict is not Verdict.SKIP]
    if tests:
        says.append(f"{tests.count(Verdict.PASS)} of {len(tests)} gates on its tests pass")
    return f"{variant.framework} {variant.technique} on {target.name}: {', '.join(says)}"
