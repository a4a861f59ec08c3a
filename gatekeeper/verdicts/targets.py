"""From legs and their variants to a target, and from targets to a verdict. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from gatekeeper.records.base import Verdict
from gatekeeper.records.measured import Environment
from gatekeeper.records.report import Agreement, LegReport, StageReport, TargetReport, VariantReport
from gatekeeper.records.wish import Rule, Wish
from gatekeeper.verdicts.chosen import Chosen, alone, chosen
from gatekeeper.verdicts.judge import all_of, passing, target_verdict
from gatekeeper.verdicts.pareto import marked
from gatekeeper.verdicts.preference import Preference

BY_SPEED = Wish()


def target_report(
    name: str,
    hardware: str,
    require: Literal["best", "all"],
    legs: list[LegReport],
    variants: list[VariantReport],
    agreement: Agreement | None = None,
    wish: Wish = BY_SPEED,
    rule: Rule | None = None,
) -> TargetReport:
    """A target from its legs, wherever each of them ran."""
    alike = one_machine(legs)
    preference = Preference(passing(variants), legs, wish, alike)
    best = preference.ordered
    found = chosen(best, variants, legs) if require == "best" else Chosen(best[0] if best else None)
    verdict = target_verdict(require, variants, legs, found.variant is not None)
    return TargetReport(
        name=name,
        hardware=hardware,
        verdict=verdict,
        reason=_reason(require, verdict, variants, legs, found),
        selected=found.variant.id if found.variant else None,
        environment=next((leg.environment for leg in legs if leg.environment), None),
        notes=[*_machines(legs), *_left(found), *(agreement.findings + agreement.notes if agreement else [])],
        variants=marked(variants, legs, alike),
        require=require,
        wish=wish,
        because=preference.because(found.variant) if found.variant else "",
        rule=against(rule, found.variant, legs),
        legs=legs,
        agreement=agreement,
    )


def rejudged(target: TargetReport, legs: Sequence[LegReport], variants: Sequence[VariantReport]) -> TargetReport:
    """A target with other legs or variants, and all that follows from them made anew."""
    return target_report(
        target.name, target.hardware, target.require, list(legs), list(variants), target.agreement, target.wish, target.rule
    )


def against(rule: Rule | None, best: VariantReport | None, legs: Sequence[LegReport]) -> Rule | None:
    """What the decision tree starts with, and in one line how the best that was measured differs from it."""
    if rule is None or best is None or best.framework in (rule.framework, *rule.also):
        return msgspec.structs.replace(rule, measured="") if rule else None
    tried = any(leg.framework == rule.framework and leg.rounds for leg in legs)
    how = "was measured, too" if tried else "was not measured here"
    said = f"measured here, {best.framework}/{best.technique} is chosen; the rule starts with {rule.framework} ({rule.because})"
    return msgspec.structs.replace(rule, measured=f"{said}, which {how}")


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


def _left(found: Chosen) -> list[str]:
    """Why what would be the best is not the one that ships, where another is."""
    return [f"{alone(found)}. The best of those that are shown to pass is chosen"] if found.variant and found.alone else []


def _machine(e: Environment) -> str:
    more = [e.governor and f"governor {e.governor}", *e.accelerators, e.os]
    return f"{e.cpu} ({', '.join([f'{e.cores} cores', ' '.join(e.isa), *filter(None, more)])})"


def _reason(require: str, verdict: Verdict, variants: list[VariantReport], legs: list[LegReport], found: Chosen) -> str:
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
    if found.alone:
        broken = [f"{v.framework}/{v.technique} {_blocked_by(v)}" for v in counted if v.verdict is Verdict.ERROR]
        return "; ".join([alone(found), *broken[:3]])
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
