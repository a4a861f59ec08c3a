"""The legs of several reports, each once and as it was measured. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gatekeeper.errors import UsageError
from gatekeeper.ids import framework_of, leg_of, target_of
from gatekeeper.records.report import LegReport, Report, TargetReport, VariantReport
from gatekeeper.records.wish import Rule, Wish
from gatekeeper.verdicts.again import as_measured, judged


@dataclass(frozen=True)
class Returned:
    """One leg that came back: the report it came with, what that says of its target, and its variants."""

    leg: LegReport
    report: int
    hardware: str
    require: Literal["best", "all"]
    wish: Wish
    rule: Rule | None
    variants: list[VariantReport]


def collect(reports: Sequence[Report]) -> dict[str, Returned]:
    """Every leg by its id; a `UsageError` for one that comes twice, or of which two say different things."""
    alone = len(reports) == 1  # only then its comparison with a base report is of the whole
    legs: dict[str, Returned] = {}
    require: dict[str, str] = {}
    wishes: dict[str, Wish] = {}
    for index, report in enumerate(reports):
        for target in report.targets:
            own = _by_leg(target)
            for leg in target.legs:
                if leg.skip:
                    continue  # the manifest does not ask for it
                if leg.id in legs:
                    raise UsageError(f"two results for the leg '{leg.id}'. Pass each leg's report once.")
                if require.setdefault(target.name, target.require) != target.require:
                    raise UsageError(
                        f"the results differ in `require` for {target.name}, and come from one file. Run them again."
                    )
                if not wishes.setdefault(target.name, target.wish).same(target.wish):
                    said = f"the results differ in `select` or `preferences` for {target.name}, and come from one file"
                    raise UsageError(f"{said}. Run them again.")
                variants = [judged(v, as_measured(v.gates, alone), leg.untimed) for v in own.get(leg.id, [])]
                legs[leg.id] = Returned(leg, index, target.hardware, target.require, target.wish, target.rule, variants)
    return legs


def _by_leg(target: TargetReport) -> dict[str, list[VariantReport]]:
    grouped: dict[str, list[VariantReport]] = {}
    for variant in target.variants:
        grouped.setdefault(leg_of(variant.id), []).append(variant)
    return grouped


def by_target(manifest: Sequence[str]) -> dict[str, list[str]]:
    """The legs of each target, both in the order of the manifest."""
    grouped: dict[str, list[str]] = {}
    for leg in manifest:
        grouped.setdefault(target_of(leg), []).append(leg)
    return grouped


LOST = "no result came back for this leg"


def lost(leg: str) -> LegReport:
    """What stands for a leg that did not come back."""
    return LegReport(id=leg, framework=framework_of(leg), error=LOST)
