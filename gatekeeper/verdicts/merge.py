"""From legs to targets to one report. Never measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.planning.plan import Plan
from gatekeeper.records.answers import Answers, leg_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Environment
from gatekeeper.records.report import Agreement, LegReport, Report, StageReport, TargetReport, VariantReport
from gatekeeper.verdicts.across import STAGE, Merged, checked, summary, timed_variants
from gatekeeper.verdicts.judge import all_of, select, target_verdict, variant_reason, variant_verdict
from gatekeeper.verdicts.pareto import marked

WAIVERS, BASE = "waiver ", "base report: "
"""How notes begin that speak of waivers and of the base report: a merge starts without them."""
LEFT_OUT = "the plan holds "
EXPIRED = "; the waiver of "
"""What is added to a gate's reason when a waiver has expired begins like this."""


def target_report(
    name: str,
    hardware: str,
    require: Literal["best", "all"],
    legs: list[LegReport],
    variants: list[VariantReport],
    agreement: Agreement | None = None,
) -> TargetReport:
    """A target from its legs, wherever each of them ran."""
    verdict = target_verdict(require, variants, legs)
    alike, timed = one_machine(legs), timed_variants(legs, variants)
    return TargetReport(
        name=name,
        hardware=hardware,
        verdict=verdict,
        reason=_reason(require, verdict, variants, legs),
        selected=select(timed, alike) or select(variants),
        environment=next((leg.environment for leg in legs if leg.environment), None),
        notes=[*_machines(legs), *(agreement.findings + agreement.notes if agreement else [])],
        variants=marked(variants, legs, alike),
        require=require,
        legs=legs,
        agreement=agreement,
    )


def one_machine(legs: Sequence[LegReport]) -> bool:
    """Whether every leg that was timed ran on one kind of machine, so that their numbers compare."""
    measured = [leg for leg in legs if leg.baseline and not leg.untimed]
    return len({_machine(leg.environment) if leg.environment else leg.id for leg in measured}) == 1


def _machines(legs: list[LegReport]) -> list[str]:
    """Numbers of differing machines never meet in one statistic; say so where a target has several."""
    names = list(dict.fromkeys(_machine(leg.environment) for leg in legs if leg.environment))
    if len(names) < 2:
        return []
    return [
        f"its legs ran on differing machines: {'; '.join(names)}. Each variant is compared with the baseline of its own leg only"
    ]


def _machine(e: Environment) -> str:
    more = [e.governor and f"governor {e.governor}", *e.accelerators, e.os]
    return f"{e.cpu} ({', '.join([f'{e.cores} cores', ' '.join(e.isa), *filter(None, more)])})"


def _reason(require: str, verdict: Verdict, variants: list[VariantReport], legs: list[LegReport]) -> str:
    if verdict is Verdict.PASS:
        return ""
    errors = [f"{leg.id}: {leg.error}" for leg in legs if leg.error]
    if errors and verdict is Verdict.ERROR:
        return "; ".join(errors)
    counted = [v for v in variants if v.verdict is not Verdict.SKIP]
    if not counted:
        if made := [v for v in variants if v.artifact]:
            return f"no variant can be the one that passes: {'; '.join(dict.fromkeys(v.reason for v in made))}"
        return "no technique applies to this model: nothing was optimized"
    if require == "all":
        missed = [f"{v.framework}/{v.technique} {_blocked_by(v)}" for v in counted if v.verdict is not Verdict.PASS]
        return f"every variant must pass, and {len(missed)} of {len(counted)} do not: {'; '.join(missed[:3])}"
    blocked = "; ".join(f"{v.framework}/{v.technique} {_blocked_by(v)}" for v in counted[:3])
    more = f"; and {len(counted) - 3} more" if len(counted) > 3 else ""
    return f"no variant passes every gate: {blocked}{more}"


def _blocked_by(variant: VariantReport) -> str:
    """Which gates keep a variant from passing, in words."""
    names = [g.gate for g in variant.gates if g.blocking and g.verdict is variant.verdict]
    if variant.gates and variant.verdict is Verdict.ERROR and not any(g.blocking for g in variant.gates):
        return "has no gate left that it must pass"
    verb = {Verdict.FAIL: "fails", Verdict.INCONCLUSIVE: "is undecided on"}.get(variant.verdict)
    return f"{verb} {' and '.join(names)}" if verb else "was not measured"


def report_verdict(targets: Sequence[TargetReport], stages: Sequence[StageReport]) -> Verdict:
    """Every target and every stage must pass; a report without a judged target is not a pass."""
    return (
        all_of([*(t.verdict for t in targets), *(s.verdict for s in stages)])
        if targets
        else all_of([Verdict.ERROR, *(s.verdict for s in stages)])
    )


def _none_came(index: int) -> Answers:
    raise NotMeasured("data", "no answers came with its report")


def merge(reports: Sequence[Report], plan: Plan | None = None, answers: Callable[[int], Answers] = _none_came) -> Report:
    """One report of several legs' reports.

    They must speak of the same model, pipeline file, policy and commit, no leg may come twice, and every leg of the
    manifest must be there: what is missing is an error that blocks. Waivers that came with them are not believed.
    `answers(i)` are those that came with the i-th report, or `NotMeasured`; it is asked only for legs that are to be
    compared with those of other reports.
    """
    first = reports[0]
    for other in reports[1:]:
        if other.pipeline.sha256 != first.pipeline.sha256:
            raise UsageError(
                f"the results come from different pipeline files ({_short(first)} and {_short(other)}). Run them from one commit."
            )
        if other.model.sha256 != first.model.sha256:
            raise UsageError("the results come from different models. Run every leg on the same model file.")
        if other.commit != first.commit:
            raise UsageError(
                f"the results come from different commits ({_commit(first)} and {_commit(other)}). Run every leg on one commit."
            )
        if other.pipeline.on_inconclusive != first.pipeline.on_inconclusive:
            raise UsageError("the results differ in what an undecided gate does, and come from one file. Run every leg again.")
        if other.pipeline.policy_sha256 != first.pipeline.policy_sha256:
            raise UsageError(
                f"the results were judged by different policies ({_policy(first)} and {_policy(other)}). Run every leg with one."
            )
    if plan is not None and plan.pipeline_sha256 != first.pipeline.sha256:
        raise UsageError("the plan was made from another pipeline file than the results. Make the plan from the same commit.")
    if plan is not None and plan.commit and plan.commit != first.commit:
        raise UsageError(
            f"the plan was made from another commit ({plan.commit[:12]}) than the results ({_commit(first)}). Plan theirs."
        )
    legs: dict[str, tuple[str, str, Literal["best", "all"], LegReport]] = {}
    variants: dict[str, list[VariantReport]] = {}
    came_with: dict[str, int] = {}
    alone = len(reports) == 1  # only then its comparison with a base report is of the whole
    for index, report in enumerate(reports):
        for target in report.targets:
            for leg in target.legs:
                if leg.skip:
                    continue  # the manifest does not ask for it
                if leg.id in legs:
                    raise UsageError(f"two results for the leg '{leg.id}'. Pass each leg's report once.")
                stated = next((known[2] for known in legs.values() if known[0] == target.name), target.require)
                if stated != target.require:
                    raise UsageError(
                        f"the results differ in `require` for {target.name}, and come from one file. Run them again."
                    )
                legs[leg.id] = (target.name, target.hardware, target.require, leg)
                came_with[leg.id] = index
                variants[leg.id] = [
                    judged(v, _as_measured(v, alone), leg.untimed) for v in target.variants if v.id.startswith(leg.id + "/")
                ]
    manifest = plan.leg_ids() if plan else first.pipeline.legs
    unknown = sorted(set(legs) - set(manifest))
    if unknown:
        raise UsageError(
            f"the results hold legs that the plan does not: {', '.join(unknown)}. Make the plan from the same commit."
        )
    merged = Merged(reports, came_with, answers) if first.pipeline.cross_validation else None
    targets = _targets(manifest, legs, variants, merged)
    pipeline = msgspec.structs.replace(first.pipeline, legs=manifest)
    stages = [checked(stage, targets, pipeline) for stage in _stages(reports, targets)]
    return msgspec.structs.replace(
        first,
        verdict=report_verdict(targets, stages),
        targets=targets,
        stages=stages,
        notes=_notes(reports, manifest),
        base=first.base if alone else None,
    )


def _as_measured(variant: VariantReport, alone: bool) -> list[GateResult]:
    """A variant's gates without what was added to them later."""
    found = [unwaived(gate) for gate in variant.gates]
    return found if alone else [msgspec.structs.replace(gate, before=None) if gate.before else gate for gate in found]


def unwaived(gate: GateResult) -> GateResult:
    """The gate as it was judged, before any waiver: only what blocks is ever waived."""
    reason = gate.reason.partition(EXPIRED)[0]
    if gate.waiver is None:
        return gate if reason == gate.reason else msgspec.structs.replace(gate, reason=reason)
    return msgspec.structs.replace(gate, waiver=None, blocking=True, reason=reason)


def judged(variant: VariantReport, gates: list[GateResult], untimed: str = "") -> VariantReport:
    """A variant with these gates, and no better a verdict than they have, or than it claims beyond its own gates."""
    if not variant.gates:
        if variant.verdict is not Verdict.PASS:
            return variant
        return msgspec.structs.replace(variant, verdict=Verdict.ERROR, reason="it claims to pass, and no gate of it was judged")
    verdict = variant_verdict(gates)
    if variant.verdict is Verdict.SKIP:  # it stays out, unless a gate says worse
        bad = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)
        verdict = verdict if any(g.blocking and g.verdict in bad for g in gates) else Verdict.SKIP
    elif variant.verdict is not variant_verdict(variant.gates):
        verdict = all_of([variant.verdict, verdict])
    if untimed and verdict is Verdict.PASS and variant.verdict is not Verdict.PASS:
        verdict = Verdict.SKIP  # it may fail, and cannot be the one that passes
    if gates == variant.gates and verdict is variant.verdict:
        return variant
    reason = variant_reason(gates, verdict) or (untimed if verdict is Verdict.SKIP else "")
    if verdict is Verdict.ERROR and not reason:
        reason = variant.reason if any(g.blocking for g in gates) else "no gate is left that it must pass"
    return msgspec.structs.replace(variant, gates=gates, verdict=verdict, reason=reason)


def judged_again(report: Report, gates: Callable[[TargetReport, VariantReport], list[GateResult]]) -> Report:
    """The report with other gates, and every verdict made anew from them."""
    targets = []
    for target in report.targets:
        untimed = {leg.id: leg.untimed for leg in target.legs}
        variants = [judged(v, gates(target, v), untimed.get(leg_of(v.id), "")) for v in target.variants]
        targets.append(target_report(target.name, target.hardware, target.require, target.legs, variants, target.agreement))
    return msgspec.structs.replace(report, targets=targets, verdict=report_verdict(targets, report.stages))


def _notes(reports: Sequence[Report], manifest: Sequence[str]) -> list[str]:
    """What the reports say, once, without what is said anew of the merged one."""
    stale = (WAIVERS, LEFT_OUT) if len(reports) == 1 else (WAIVERS, LEFT_OUT, BASE)
    notes = [note for report in reports for note in report.notes if not note.startswith(stale)]
    asked = reports[0].pipeline.legs
    if left := [leg for leg in asked if leg not in manifest]:
        notes.append(f"{LEFT_OUT}{len(manifest)} of the {len(asked)} legs of the pipeline file, without {', '.join(left[:3])}")
        notes[-1] += f" and {len(left) - 3} more" if len(left) > 3 else ""
    return list(dict.fromkeys(notes))


def _targets(
    manifest: list[str],
    legs: dict[str, tuple[str, str, Literal["best", "all"], LegReport]],
    variants: dict[str, list[VariantReport]],
    merged: Merged | None,
) -> list[TargetReport]:
    by_target: dict[str, list[str]] = {}
    for leg in manifest:
        by_target.setdefault(leg.partition("/")[0], []).append(leg)
    found = []
    for name, own in by_target.items():
        there = [legs[leg] for leg in own if leg in legs]
        hardware, require = (there[0][1], there[0][2]) if there else ("", "best")
        missing = [
            LegReport(id=leg, framework=leg.partition("/")[2], error="no result came back for this leg")
            for leg in own
            if leg not in legs
        ]
        members = [v for leg in own for v in variants.get(leg, [])]
        own_legs = [entry[3] for entry in there] + missing
        agreement = merged.agreement(name, own_legs, members) if merged else None
        found.append(target_report(name, hardware, require, own_legs, members, agreement))
    return found


def _stages(reports: Sequence[Report], targets: Sequence[TargetReport]) -> list[StageReport]:
    """Stages ran once per leg: the worst of each is what counts. What passed in several speaks of all of them."""
    found: dict[str, StageReport] = {}
    for report in reports:
        for stage in report.stages:
            known = found.get(stage.stage)
            if known is None or (
                all_of([known.verdict, stage.verdict]) is not known.verdict and stage.verdict is not Verdict.PASS
            ):
                found[stage.stage] = stage
    whole = found.get(STAGE)
    if len(reports) > 1 and whole and whole.verdict is Verdict.PASS:
        variants, legs = sum(len(t.variants) for t in targets), sum(len(t.legs) for t in targets)
        found[STAGE] = msgspec.structs.replace(whole, reason=summary(variants, legs))
    return list(found.values())


def _short(report: Report) -> str:
    return report.pipeline.sha256[:12]


def _commit(report: Report) -> str:
    return report.commit[:12] or "none is stated; set GITHUB_SHA"


def _policy(report: Report) -> str:
    return report.pipeline.policy or "the file's own limits"
