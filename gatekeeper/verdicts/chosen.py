"""Which variant of a target may ship: one that is shown to pass among all that may be at a limit, and not alone only. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gatekeeper.gates._base import gate
from gatekeeper.ids import leg_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import LegReport, TargetReport, VariantReport
from gatekeeper.stats.closed import allowed, shown
from gatekeeper.verdicts.regate import RECOMPUTED
from gatekeeper.verdicts.shares import Share, share_of
from gatekeeper.verdicts.sound import owner_of

REMEDIES = {"rounds": "raise `measure.max_rounds`", "scores": "take more examples", "load": "raise `testing.load.duration`"}


@dataclass(frozen=True)
class Chosen:
    """The variant that may ship, if any; those that were preferred to it and pass only if looked at alone, and of how many
    that may be at a limit.
    """

    variant: VariantReport | None = None
    alone: tuple[tuple[VariantReport, Share], ...] = ()
    among: int = 0


def chosen(passing: Sequence[VariantReport], variants: Sequence[VariantReport], legs: Sequence[LegReport]) -> Chosen:
    """The first of `passing`, which are in the order of preference, that is shown to pass among `variants`."""
    if not passing:
        return Chosen()
    by_id = {leg.id: leg for leg in legs}
    among = near(variants, legs)
    if len(among) <= 1:
        return Chosen(passing[0], among=len(among))
    least = allowed(len(among))
    first = share_of(passing[0], by_id.get(leg_of(passing[0].id)), least)
    if first.needed <= least:  # whatever the others are
        return Chosen(passing[0], among=len(among))
    shares = {v.id: first if v is passing[0] else share_of(v, by_id.get(leg_of(v.id)), least) for v in among}
    right = dict(zip(shares, shown([each.needed for each in shares.values()]), strict=True))
    ships = next((v for v in passing if right[v.id]), None)
    before = passing[: passing.index(ships)] if ships else passing
    return Chosen(ships, tuple((v, shares[v.id]) for v in before), len(among))


def ships(target: TargetReport) -> frozenset[str]:
    """All variants of a target that may be chosen by what they turned out to be: where one is enough, those that are shown to
    pass among all that may be at a limit; where all must pass, those that do.
    """
    variants, legs = target.variants, target.legs
    if target.require == "all":
        return frozenset(v.id for v in variants if v.verdict is Verdict.PASS)
    by_id = {leg.id: leg for leg in legs}
    among = near(variants, legs)
    least = allowed(max(1, len(among)))
    needed = [share_of(v, by_id.get(leg_of(v.id)), least).needed for v in among] if len(among) > 1 else []
    right = shown(needed) if needed else [True] * len(among)
    return frozenset(v.id for v, held in zip(among, right, strict=True) if held and v.verdict is Verdict.PASS)


def shown_among(variants: Sequence[VariantReport], leg: LegReport, more: int) -> frozenset[str]:
    """Variants of a leg that are shown to pass, where `more` in other legs may be near their limit."""
    among = near(variants, [leg])
    shares = [share_of(v, leg, allowed(len(among) + more)).needed for v in among]
    return frozenset(v.id for v, right in zip(among, shown(shares, more), strict=True) if right)


def near(variants: Sequence[VariantReport], legs: Sequence[LegReport]) -> list[VariantReport]:
    """Those that may be at a limit, by their gates, whatever is said of them: all that nothing rules out.

    Among them are the undecided, and those that were not tested because another passed already.
    """
    untimed = {leg.id for leg in legs if leg.untimed}
    return [v for v in variants if v.verdict is Verdict.PASS or _near(v, leg_of(v.id) in untimed)]


def _near(variant: VariantReport, untimed: bool) -> bool:
    gates = [each for each in variant.gates if each.blocking]
    return bool(gates) and not untimed and not any(map(_rules_out, gates))


def _rules_out(each: GateResult) -> bool:
    """Whether a gate shows that the variant is no candidate: it was not measured, or was shown to miss a limit.

    Of a gate that passes unless a fault is shown a failure says little: the others may be as near as they were.
    """
    if each.verdict is Verdict.ERROR:
        return each.observed is None and each.lower is None and each.upper is None
    if each.verdict is not Verdict.FAIL or not (owner := owner_of(each.gate)) or getattr(gate(owner), "VETO", False):
        return False
    return gate(owner).BASIS in RECOMPUTED or _missed(each)


def _missed(each: GateResult) -> bool:
    if each.limit is None:
        return False
    if each.bound == "at_least":
        return each.upper is not None and each.upper < each.limit
    return each.lower is not None and each.lower > each.limit


def alone(found: Chosen) -> str:
    """Why variants that pass are not enough, in words."""
    names = [f"{v.framework}/{v.technique}" for v, _ in found.alone]
    who = f"{names[0]} passes" if len(names) == 1 else f"each of {len(names)} variants ({', '.join(names[:3])}) passes"
    weak = list(dict.fromkeys(share.gate for _, share in found.alone if share.gate))
    bases = dict.fromkeys(gate(owner).BASIS for name in weak if (owner := owner_of(name)))
    remedies = [*(REMEDIES[basis] for basis in bases if basis in REMEDIES), "ask for fewer techniques"]
    sure = f" ({', '.join(weak)})" if weak else ""
    return (
        f"{who} only if looked at alone{sure}: of {found.among} variants that may be at a limit one passes by chance more often "
        f"than of one; {', or '.join(remedies)}"
    )
