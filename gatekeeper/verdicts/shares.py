"""How surely a variant passes: the least share of its own level at which all its gates still do. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from gatekeeper.gates._base import Gate, Told, gate
from gatekeeper.records.base import Interval, Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import LegReport, VariantReport
from gatekeeper.stats.closed import least_share, share_of_bound
from gatekeeper.stats.looks import ALPHA
from gatekeeper.verdicts.regate import LegEvidence, asked_of, leg_evidence, raced, stated_config, told_of
from gatekeeper.verdicts.rules import Rules
from gatekeeper.verdicts.sound import owner_of

EXACT = ("artifact", "checks")
"""What is counted, and not bounded."""


@dataclass(frozen=True)
class Share:
    """The share of its level that a variant needs to pass, and the gate that needs it; infinite where it does not pass."""

    needed: float
    gate: str = ""


def share_of(variant: VariantReport, leg: LegReport | None, least: float) -> Share:
    """That of the gate which is the least sure; what is below `least` is said to be that."""
    if variant.verdict is not Verdict.PASS:
        return Share(math.inf)
    evidence = None if leg is None else leg_evidence(leg, leg.untimed, leg.max_rounds, Rules())
    worst = Share(0.0)
    for each in variant.gates:
        if each.blocking:
            own = _gate(each, variant, evidence, least)
            worst = worst if own <= worst.needed else Share(own, each.gate)
    return worst


def _gate(each: GateResult, variant: VariantReport, leg: LegEvidence | None, least: float) -> float:
    if each.verdict is not Verdict.PASS:
        return math.inf
    owner = owner_of(each.gate)
    if not owner or leg is None:
        return _by_bounds(each)
    module = gate(owner)
    if module.BASIS in EXACT:
        return 0.0
    told = told_of(each, variant, leg)
    if (own := getattr(module, "share", None)) is not None:
        return float(asked_of(own, 1.0, told))
    rounds = variant.performance.rounds if variant.performance else []
    if module.BASIS == "rounds" and rounds and leg.baseline:
        evidence = raced(each, rounds, variant.artifact, leg)
        return _by_rounds(
            module, stated_config(each, owner), each.control is not None, evidence, partial(leg.alpha, len(rounds)), least
        )
    if module.BASIS == "load" and hasattr(module, "again"):
        return _by_counts(module.again, stated_config(each, owner), told, least)
    return _by_bounds(each)


def _by_rounds(
    module: Gate, config: Any, controlled: bool, evidence: Evidence, alpha: Callable[[float], float], least: float
) -> float:
    """Judged on the rounds themselves. The control stays as it was found: a wider interval of it would excuse more."""
    if controlled:
        first = module.judge(config, evidence)
        if first.verdict is not Verdict.PASS:
            return math.inf
        if (found := first.control) and found.lower is not None and found.upper is not None:
            seen = (found.lower * found.upper) ** 0.5 if found.observed is None else found.observed
            evidence = replace(evidence, control=[], copy=Interval(observed=seen, lower=found.lower, upper=found.upper))
    return least_share(lambda part: module.judge(config, replace(evidence, alpha=alpha(part))).verdict is Verdict.PASS, least)


def _by_counts(again: Callable[..., Verdict | None], config: Any, told: Told, least: float) -> float:
    """Judged on what the report counts of the requests."""
    return least_share(lambda part: asked_of(again, None, config, replace(told, alpha=part * told.alpha)) is Verdict.PASS, least)


def _by_bounds(each: GateResult) -> float:
    bound = each.lower if each.bound == "at_least" else each.upper
    if each.observed is None or bound is None or each.limit is None:
        return 1.0
    return share_of_bound(each.observed, bound, each.limit, ALPHA)
