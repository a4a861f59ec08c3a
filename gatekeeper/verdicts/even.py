"""Variants of one target are held to one file, so that all have the same gates with the same limits. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from gatekeeper.errors import UsageError
from gatekeeper.gates._base import gate, of_testing, per_set
from gatekeeper.ids import leg_of, on_set
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import Report, VariantReport
from gatekeeper.units import format_limit
from gatekeeper.verdicts.sound import owner_of


def check_even(reports: Sequence[Report], files: Sequence[str]) -> None:
    """A `UsageError` for the first result that has not the limits, or not the gates, of the others of its target."""
    seen: dict[tuple[str, str], tuple[GateResult, str]] = {}
    for target, variant, file in _judged(reports, files):
        for each in variant.gates:
            name = owner_of(each.gate)
            if each.verdict is Verdict.ERROR:
                continue  # nothing was judged, so that nobody knows whether there was anything to judge
            first, other = seen.setdefault((target, name), (each, f"{file} ({variant.id})"))
            if first is not each and (said := _differs(each, first)):
                raise UsageError(
                    f"{file}: {variant.id}: {each.gate} {said} in {other}, and both are held to one file. Run them again."
                )
    _check_sets(reports, files)
    whole: dict[tuple[str, bool], set[str]] = defaultdict(set)
    for target, name in seen:
        whole[target, of_testing(name)].add(name)
    for target, variant, file in _judged(reports, files):
        own = {owner_of(each.gate) for each in variant.gates}
        # Of the testing stage all are there, or it did not come so far.
        asked = whole[target, False] | (whole[target, True] if any(map(of_testing, own)) else set())
        if missing := asked - own:
            raise UsageError(
                f"{file}: {variant.id}: {', '.join(sorted(missing))} was not judged, and is on other variants of {target}. "
                "Run that leg again."
            )


def _check_sets(reports: Sequence[Report], files: Sequence[str]) -> None:
    """A `UsageError` for the first variant that passes, and was not judged on a set that its leg was."""
    for report, file in zip(reports, files, strict=True):
        for target in report.targets:
            sets = {leg.id: leg.also for leg in target.legs}
            for variant in target.variants:
                own = {each.gate for each in variant.gates}
                asked = {on_set(name, of) for of in sets.get(leg_of(variant.id), ()) for name in per_set() if name in own}
                if variant.verdict is Verdict.PASS and (missing := asked - own):
                    raise UsageError(f"{file}: {variant.id}: {', '.join(sorted(missing))} was not judged. Run that leg again.")


def _judged(reports: Sequence[Report], files: Sequence[str]) -> Iterator[tuple[str, VariantReport, str]]:
    """Variants with gates, the target and the file of each."""
    for report, file in zip(reports, files, strict=True):
        for target in report.targets:
            yield from ((target.name, variant, file) for variant in target.variants if variant.gates)


def _differs(one: GateResult, other: GateResult) -> str:
    """How two results of one gate are held to different things, in words; empty where they are not."""
    measured = one.measured_limit or other.measured_limit  # also where the baseline had none
    if one.limit != other.limit and not measured:
        return f"has the limit {_limit(one)}, and {_limit(other)}"
    if hasattr(gate(owner_of(one.gate)), "applies"):  # blocks on those variants that it is of, and is held to be of the same
        if one.details != other.details:
            return f"is of {one.details or 'all variants'}, and of {other.details or 'all'}"
        if Verdict.SKIP in (one.verdict, other.verdict):
            return ""
    if (one.blocking or one.waiver is not None) != (other.blocking or other.waiver is not None):
        return f"{'blocks' if one.blocking else 'does not block'}, and {'does' if other.blocking else 'does not'}"
    return ""


def _limit(gate: GateResult) -> str:
    return "none" if gate.limit is None else format_limit(gate.bound, gate.limit, gate.unit[:20])
