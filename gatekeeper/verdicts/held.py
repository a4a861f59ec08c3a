"""A leg's report, judged again: what it measured is believed, what it says of itself beyond that is not. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from gatekeeper.config.loaded import TESTING
from gatekeeper.errors import UsageError
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import framework
from gatekeeper.ids import leg_of, target_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import LegReport, Report, TargetReport, VariantReport
from gatekeeper.verdicts.again import judged, unwaived
from gatekeeper.verdicts.gates import unmeasured_gate
from gatekeeper.verdicts.judge import variant_verdict
from gatekeeper.verdicts.regate import LegEvidence, held, leg_evidence
from gatekeeper.verdicts.rules import Rules
from gatekeeper.verdicts.sound import owner_of, problems
from gatekeeper.verdicts.stages import asked_for, held_stages

MOST_NAMED = 5
"""Problems of one report that are named; the others are counted."""


def held_report(report: Report, name: str, rules: Rules, sure: Collection[int] = ()) -> Report:
    """The report with every gate judged again by these rules; `name` is its file, for what is wrong with it.

    `sure` are results that are known to follow from their rounds (see gatekeeper/verdicts/glance.py).

    A `UsageError` lists what no report can hold. What it says in its own favour and is not so does not count, and is in
    its notes.
    """
    refuse(name, list(problems(report, rules)))
    wrong: list[str] = []
    said: list[str] = []
    tested = any(stage.stage == TESTING and stage.verdict is Verdict.PASS for stage in report.stages)
    targets = [_target(target, rules, tested, sure, wrong, said) for target in report.targets]
    refuse(name, wrong)
    pipeline = report.pipeline
    kept = rules.on_inconclusive(pipeline.on_inconclusive)
    if kept != pipeline.on_inconclusive:
        said.append(f"says `on_inconclusive: {pipeline.on_inconclusive}`, which {rules.name} does not")
    pipeline = asked_for(msgspec.structs.replace(pipeline, on_inconclusive=kept), rules)
    stages = held_stages(report, rules)
    notes = [*report.notes, *(text for each in said if (text := f"{name}: {each}") not in report.notes)]
    if (targets, stages, pipeline, notes) == (report.targets, report.stages, report.pipeline, report.notes):
        return report
    return msgspec.structs.replace(report, targets=targets, stages=stages, pipeline=pipeline, notes=notes)


def refuse(name: str, found: Sequence[str]) -> None:
    """A `UsageError` that names what is wrong in a report, if anything is."""
    if not found:
        return
    shown = [f"{name}: {each}" for each in dict.fromkeys(found)]
    more = f"\n{name}: and {len(shown) - MOST_NAMED} more" if len(shown) > MOST_NAMED else ""
    remedy = "\nNo run writes such a report. Run that leg again, and merge what it writes."
    raise UsageError("\n".join(shown[:MOST_NAMED]) + more + remedy)


def _target(
    target: TargetReport, rules: Rules, tested: bool, sure: Collection[int], wrong: list[str], said: list[str]
) -> TargetReport:
    require = rules.require(target.require)
    if require != target.require:
        said.append(f"says `require: {target.require}` for {target.name}, and {rules.name} says {require}")
    wish = rules.wish(target.wish)
    if not wish.same(target.wish):
        said.append(f"says `{target.wish.shown}` for {target.name}, and {rules.name} says `{wish.shown}`")
    legs: dict[str, LegEvidence] = {}
    for leg in target.legs:
        untimed, most = _untimed(leg, wrong), rules.max_rounds(leg.max_rounds)
        if leg.max_rounds not in (0, most):
            said.append(f"{leg.id}: says that it could take {leg.max_rounds} rounds, and {rules.name} says {most}")
            leg = msgspec.structs.replace(leg, max_rounds=most)
        legs[leg.id] = leg_evidence(leg, untimed, most, rules)
    variants = []
    for variant in target.variants:
        if variant.gates:
            whole = _variant(variant, legs[leg_of(variant.id)], require, rules, tested, sure, wrong, said)
        else:
            whole = _left_out(variant, require, rules)
            if variant.verdict is not whole.verdict:
                said.append(f"{variant.id}: says {variant.verdict}, and {whole.reason}")
        variants.append(whole)
    about = [each.leg for each in legs.values()]
    same = all(a is b for a, b in zip([*variants, *about], [*target.variants, *target.legs], strict=True))
    if require == target.require and wish.same(target.wish) and same:
        return target
    return msgspec.structs.replace(target, require=require, wish=wish, variants=variants, legs=about)


def _untimed(leg: LegReport, wrong: list[str]) -> str:
    """Why times of the leg say nothing: only of frameworks that know of such times."""
    if not leg.untimed:
        return ""
    if leg.framework not in FRAMEWORKS.names:
        wrong.append(f"{leg.id}: it says that its times mean nothing, and {leg.framework} is not known here to ask. Install it")
    elif not hasattr(framework(leg.framework), "untimed"):
        wrong.append(f"{leg.id}: it says that its times mean nothing, and those of {leg.framework} always do mean something")
    return leg.untimed


def _left_out(variant: VariantReport, require: str, rules: Rules) -> VariantReport:
    """A variant without gates was left out by the plan, or not judged at all."""
    if variant.verdict is not Verdict.SKIP:
        return _error(variant, "no gate of it was judged")
    planned = rules.planned(leg_of(variant.id))
    own = next((each for each in planned.variants if each.id == variant.id), None) if planned else None
    if planned is not None and not (own and own.skip) and require == "all":
        return _error(variant, "it was left out, and the plan does not leave it out")
    return variant


def _error(variant: VariantReport, reason: str) -> VariantReport:
    if variant.verdict is Verdict.ERROR:
        return variant
    return msgspec.structs.replace(variant, verdict=Verdict.ERROR, reason=reason)


def _variant(
    variant: VariantReport,
    leg: LegEvidence,
    require: str,
    rules: Rules,
    tested: bool,
    sure: Collection[int],
    wrong: list[str],
    said: list[str],
) -> VariantReport:
    asked = rules.limits(target_of(variant.id))
    gates: list[GateResult] = []
    for each in variant.gates:
        bare = unwaived(each)
        again = held(bare, owner := owner_of(bare.gate), asked.get(owner), variant, leg, id(bare) in sure)
        if again.problem:
            wrong.append(f"{variant.id}: {again.problem}")
        elif again.said:
            said.append(f"{variant.id}: {bare.gate} {again.said}")
        gates.append(again.gate)
    gates += _untested(variant, gates, rules) if tested else []
    if all(a is b for a, b in zip(gates, variant.gates, strict=False)) and len(gates) == len(variant.gates):
        gates = variant.gates
    whole = judged(variant, gates, leg.untimed)
    if whole.verdict is Verdict.SKIP and require == "all" and not leg.untimed:
        whole = msgspec.structs.replace(whole, verdict=Verdict.ERROR, reason="it was not tested, and every variant must pass")
    return whole


def _untested(variant: VariantReport, gates: list[GateResult], rules: Rules) -> list[GateResult]:
    """Errors for gates that the file applies and that were not judged, where nothing else keeps the variant from passing."""
    if variant_verdict(gates) not in (Verdict.PASS, Verdict.INCONCLUSIVE):
        return []
    owners = [owner_of(each.gate) for each in variant.gates]
    asked = rules.limits(target_of(variant.id))
    lost = [limit for name, limit in asked.items() if name not in owners]
    return [unmeasured_gate(limit, "it was not judged") for limit in lost]
