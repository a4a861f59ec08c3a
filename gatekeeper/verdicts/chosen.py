"""Which variant of a target may ship: one that is shown to pass among all that may be at a limit, and not alone only. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gatekeeper.gates._base import gate, of_testing
from gatekeeper.ids import leg_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import LegReport, VariantReport
from gatekeeper.stats.closed import allowed, shown
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
    least = allowed(len(among))
    first = share_of(passing[0], by_id.get(leg_of(passing[0].id)), least)
    if first.needed <= least:  # whatever the others are
        return Chosen(passing[0], among=len(among))
    shares = {v.id: first if v is passing[0] else share_of(v, by_id.get(leg_of(v.id)), least) for v in among}
    right = dict(zip(shares, shown([each.needed for each in shares.values()]), strict=True))
    ships = next((v for v in passing if right[v.id]), None)
    before = passing[: passing.index(ships)] if ships else passing
    return Chosen(ships, tuple((v, shares[v.id]) for v in before), len(among))


def shown_among(variants: Sequence[VariantReport], leg: LegReport, more: int) -> frozenset[str]:
    """Variants of a leg that are shown to pass, where `more` in other legs may be near their limit."""
    among = near(variants, [leg])
    shares = [share_of(v, leg, allowed(len(among) + more)).needed for v in among]
    return frozenset(v.id for v, right in zip(among, shown(shares, more), strict=True) if right)


def near(variants: Sequence[VariantReport], legs: Sequence[LegReport]) -> list[VariantReport]:
    """Those that may be at a limit: all that passed, are undecided, or were not tested because another passed already."""
    untimed = {leg.id for leg in legs if leg.untimed}
    return [v for v in variants if v.verdict is Verdict.PASS or _near(v, leg_of(v.id) in untimed)]


def _near(variant: VariantReport, untimed: bool) -> bool:
    gates = [each for each in variant.gates if each.blocking]
    if variant.verdict is Verdict.SKIP:
        return not untimed and any(each.verdict is Verdict.SKIP and of_testing(owner_of(each.gate)) for each in gates)
    if variant.verdict is Verdict.FAIL:
        return all(_vetoes(each) for each in gates if each.verdict is Verdict.FAIL)
    return variant.verdict is Verdict.INCONCLUSIVE


def _vetoes(each: GateResult) -> bool:
    """Whether the gate passes unless a fault is shown. Its failure says little of how near the other gates were."""
    owner = owner_of(each.gate)
    return bool(owner) and bool(getattr(gate(owner), "VETO", False))


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
