"""Whether a report can be one: every name known and there once, every number possible. Pure.

A report that a run wrote always is; one that is not was made by something else, and nothing of it is merged.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import PurePosixPath
from statistics import median

from gatekeeper.gates._base import REGISTRY, Gate, also, gate, names, of_testing, per_set
from gatekeeper.ids import leg_of, on_set, set_of, target_of, without_set
from gatekeeper.measure.energy._base import REGISTRY as METERS
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Performance, RoundData
from gatekeeper.records.report import LegReport, Report, VariantReport
from gatekeeper.verdicts.rules import Rules

LEAST = {"x": 0.0, "bytes": 0.0, "ms": 0.0, "per s": 0.0, "W": 0.0, "failed checks": 0.0}
"""The least values in these units."""
LEAST_GROWTH = -1.0
"""What must not grow can shrink to nothing, and no further."""
ROUNDING = 1e-9
_CHOSEN_BY = (
    ("median latency", "p50_ns", "median_ns", "ns"),
    ("peak memory", "peak_bytes", "peak_bytes", "bytes"),
    ("energy", "joules", "joules", "J"),
)
"""What of a performance a choice may rest on: in words, there, in a round, and its unit."""
MOST_DEFLATED = 1032
"""How many times smaller deflating makes anything at best (https://zlib.net/zlib_tech.html)."""


def problems(report: Report, rules: Rules) -> Iterator[str]:
    """What cannot be in a report, in words."""
    yield from _doubled("target", [target.name for target in report.targets])
    yield from _doubled("variant", [variant.id for target in report.targets for variant in target.variants])
    known = [target.name for target in rules.file.targets] if rules.file else []
    for target in report.targets:
        if known and target.name not in known:
            yield f"{rules.name} has no target {target.name}"
        legs = {leg.id: leg for leg in target.legs}
        for leg in target.legs:
            if target_of(leg.id) != target.name:
                yield f"the leg {leg.id} stands in the target {target.name}"
            yield from _leg(leg, [v for v in target.variants if leg_of(v.id) == leg.id], rules)
        for variant in target.variants:
            if leg_of(variant.id) not in legs:
                yield f"the variant {variant.id} belongs to none of its legs, {', '.join(legs) or 'of which there are none'}"
            yield from (f"{variant.id}: {problem}" for problem in _variant(variant, rules))


def _doubled(what: str, found: Sequence[str]) -> Iterator[str]:
    if len(set(found)) == len(found):
        return
    yield from (f"the {what} {name} is there {count} times" for name, count in Counter(found).items() if count > 1)


def _leg(leg: LegReport, variants: Sequence[VariantReport], rules: Rules) -> Iterator[str]:
    """A leg that has an error of its own need not have come to its variants."""
    planned = rules.planned(leg.id)
    if planned is not None and not leg.skip:
        here, asked = {v.id for v in variants}, {v.id for v in planned.variants}
        if unknown := sorted(here - asked):
            yield f"the plan has no variant {', '.join(unknown)}"
        if (missing := sorted(asked - here)) and not leg.error:
            yield f"{', '.join(missing)} of the plan is missing"
        wanted = {v.id: (v.applied, v.options) for v in planned.variants}
        for variant in variants:
            if (variant.applied, variant.options) != wanted.get(variant.id, (variant.applied, variant.options)):
                yield f"{variant.id}: its options are not those of the plan"
    yield from (f"{leg.id}: {problem}" for problem in _meter(leg))
    for arm, rounds in (("baseline", leg.baseline.rounds if leg.baseline else []), ("control", leg.control_rounds)):
        yield from (f"{leg.id}: the {arm}'s {problem}" for problem in _rounds(rounds))
    if leg.baseline and leg.baseline.rounds:
        yield from (f"{leg.id}: its baseline: {problem}" for problem in _medians(leg.baseline))


def _meter(leg: LegReport) -> Iterator[str]:
    """What is said to be measured is so by a source that measures."""
    if leg.energy is None or leg.energy.kind != "measured":
        return
    method = leg.energy.method
    if method not in METERS.names:
        known = ", ".join(METERS.names)
        yield f"its energy is measured by {method!r}, which is not known here, as {known} are. Install the plugin that has it"
    elif METERS.get(method).KIND != "measured":
        yield f"its energy is said to be measured, and {method} estimates"


def _variant(variant: VariantReport, rules: Rules) -> Iterator[str]:
    if variant.artifact and _leaves(variant.artifact.path):
        yield f"its artifact lies at {variant.artifact.path!r}, outside of the report's folder"
    artifact = variant.artifact
    if artifact and artifact.zipped_bytes is not None and artifact.zipped_bytes * MOST_DEFLATED < artifact.bytes:
        yield f"its artifact of {artifact.bytes} bytes takes {artifact.zipped_bytes} in a zip archive, and none packs so much"
    if variant.performance:
        yield from _rounds(variant.performance.rounds)
        yield from _medians(variant.performance)
    yield from _gates(variant, rules)


def _leaves(path: str) -> bool:
    """Whether a path leads out of the folder it is relative to, on any system."""
    inside = PurePosixPath(path.replace("\\", "/"))
    return inside.is_absolute() or not inside.parts or ".." in inside.parts or ":" in inside.parts[0]


def _rounds(rounds: Sequence[RoundData]) -> Iterator[str]:
    last = -1
    for each in rounds:
        if (
            last < each.round
            and 0 < each.p10_ns <= each.median_ns <= each.p95_ns <= each.p99_ns
            and each.mean_ns
            and each.count
            and each.alike_p10_ns is None
            and each.joules is None
            and each.timed_ns is None
        ):
            last = each.round
            continue
        if each.round <= last:
            yield f"round {each.round} comes twice, or out of order"
        last = each.round
        if not (0 < each.p10_ns <= each.median_ns <= each.p95_ns <= each.p99_ns and each.mean_ns > 0 and each.count > 0):
            yield f"round {each.round} has latencies that cannot be: of {each.count} inferences, percentiles out of order or zero"
        elif not _alike(each):
            yield f"round {each.round} has latencies of inputs of one size that cannot be: out of order, zero or incomplete"
        elif not _energetic(each):
            yield f"round {each.round} has an energy, or a time it was read over, that cannot be: none, less, or too short"


def _alike(each: RoundData) -> bool:
    """Whether latencies of inputs of one size are all there or none, and in order."""
    known = [each.alike_p10_ns, each.alike_median_ns, each.alike_p95_ns, each.short_ns, each.long_ns]
    low, middle, high, short, long = (value or 0.0 for value in known)
    return known == [None] * 5 or (0 < low <= middle <= high and short > 0 and long > 0)


def _energetic(each: RoundData) -> bool:
    """Whether energy and the time in which it was used can be: what was timed lasted as long as its inferences at least."""
    timed = each.timed_ns is None or each.timed_ns >= each.count * each.mean_ns * (1 - ROUNDING)
    return timed and (each.joules is None or 0 < each.joules < math.inf)


def _medians(performance: Performance) -> Iterator[str]:
    """The best variant is chosen by its latency, memory and energy, each of which is the median of its rounds'."""
    if not performance.rounds:
        yield "it has a performance and no rounds"
        return
    for said, whole, of, unit in _CHOSEN_BY:
        stated, read = getattr(performance, whole), [v for each in performance.rounds if (v := getattr(each, of)) is not None]
        if stated is None and not read:
            continue
        own = median(read) if read else math.nan
        if stated is None or not abs(own - stated) <= ROUNDING * abs(own):
            told = "nothing" if stated is None else f"{stated:.6g} {unit}"
            yield f"its {said} is {told}, and that of its rounds {own:.6g} {unit}"


def _gates(variant: VariantReport, rules: Rules) -> Iterator[str]:
    owners = []
    for each in variant.gates:
        owner = owner_of(each.gate)
        if not owner:
            yield (
                f"the gate {each.gate!r} is none that is known here: {', '.join(names())}. If a plugin brings it, install that "
                "where reports are merged"
            )
            continue
        owners.append(owner)
        if not _usual(each, module := gate(owner)):
            yield from (f"{each.gate}: {problem}" for problem in _numbers(each, module))
    yield from _doubled("gate", owners)
    if variant.gates and (missing := missing_gates(variant, owners, rules)):
        yield f"{', '.join(missing)} was not judged, and {rules.name} asks for it"


@lru_cache(maxsize=256)
def owner_of(name: str) -> str:
    """The gate that a result is of, with its evaluation set; empty where none here is."""
    if name in REGISTRY.names:
        return name
    base, of = without_set(name), set_of(name)
    owner = base if base in names() else also().get(base, "")
    if "/" not in name:
        return owner
    return on_set(owner, of) if of and owner in per_set() else ""


def missing_gates(variant: VariantReport, owners: Sequence[str], rules: Rules) -> list[str]:
    """Gates that the file applies and that were not judged; of the testing stage all are there, or it did not come so far."""
    if not (asked := rules.limits(target_of(variant.id))):
        return []
    tested = any(of_testing(name) for name in owners)
    return [name for name in asked if name not in owners and (tested or not of_testing(name))]


def _usual(each: GateResult, module: Gate) -> bool:
    """Whether all numbers are there, and in order: most are, and need no closer look."""
    low, seen, high = each.lower, each.observed, each.upper
    if low is None or seen is None or high is None or each.bound != module.BOUND or each.unit != module.UNIT:
        return False
    return low <= seen <= high and (low >= 0 or (module.BOUND == "at_least" and module.UNIT not in LEAST))


def _numbers(each: GateResult, module: Gate) -> Iterator[str]:
    if (each.bound, each.unit) != (module.BOUND, module.UNIT):
        yield f"it is {each.bound} in {each.unit!r}, and the gate is {module.BOUND} in {module.UNIT!r}"
    known = [value for value in (each.lower, each.observed, each.upper) if value is not None]
    if any(a > b + ROUNDING * max(abs(a), abs(b)) for a, b in pairwise(known)):
        yield f"its bounds are out of order: {' <= '.join(f'{value:.6g}' for value in known)} does not hold"
    least = LEAST.get(module.UNIT, LEAST_GROWTH if module.BOUND == "at_most" else None)
    # Not the lower bound: Student's t of a few scattered times has one below zero, which says only that little is known.
    seen = [value for value in (each.observed, each.upper) if value is not None]
    if least is not None and seen and min(seen) < least:
        yield f"{min(seen):.6g} cannot be: there is nothing below {least:g} {module.UNIT}"
