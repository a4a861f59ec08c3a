"""An explanation as text, for a terminal of any width. Names may come from strangers."""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.records.explained import Bottleneck, Diagnosis, Explained, Explanation, Layer, Profile, Ranking
from gatekeeper.reports._plain import plain
from gatekeeper.units import format_number

MOST_OPERATORS = 8
MOST_LAYERS = 10


def shown(explanation: Explanation) -> str:
    """Variant by variant: why, what limits it, where its time goes, which layers lose the answers, and what cannot be said."""
    lines = [f"{plain(explanation.of)}"]
    for variant in explanation.variants:
        lines += ["", *_variant(variant)]
    lines += ["", *(f"note: {plain(note, 1000)}" for note in explanation.notes)] if explanation.notes else []
    return "\n".join(lines)


def _variant(variant: Explained) -> Iterator[str]:
    yield f"{plain(variant.id)}{f'  ({plain(variant.verdict)})' if variant.verdict else ''}"
    for each in variant.diagnoses:
        yield from _diagnosis(each)
    for bottleneck in variant.bottlenecks:
        yield from _bottleneck(bottleneck)
    if variant.profile:
        yield from _profile(variant.profile)
    if variant.ranking and variant.ranking.layers:
        yield from _ranking(variant.ranking)
    yield from (f"  not said: {plain(each, 1000)}" for each in variant.unsaid)


def _diagnosis(diagnosis: Diagnosis) -> Iterator[str]:
    whose = f" ({', '.join(map(plain, diagnosis.gates))})" if diagnosis.gates else ""
    yield f"  {plain(diagnosis.problem)}{whose}"
    yield f"    cause:    {plain(diagnosis.cause)}"
    for fact in diagnosis.evidence:
        yield f"    evidence: {plain(fact.said, 500)}"
    for remedy in diagnosis.remedies:
        tried = remedy.tried.outcome if remedy.tried else "not tried"
        yield f"    remedy:   {plain(remedy.what)} ({plain(tried, 500)})"


def _bottleneck(each: Bottleneck) -> Iterator[str]:
    facts = ", ".join(plain(fact.said) for fact in each.evidence)
    if each.found == "yes":
        yield f"  {each.name}: yes; {facts}"
        yield f"    cause:    {plain(each.cause)}"
        yield f"    remedy:   {plain(each.remedy)}"
    else:
        why = f"; {plain(each.reason)}" if each.reason else ""
        yield f"  {each.name}: {each.found}{f'; {facts}' if facts else ''}{why}"


def _profile(profile: Profile) -> Iterator[str]:
    notes = f"; {'; '.join(map(plain, profile.notes))}" if profile.notes else ""
    yield f"  shares of operator time, by the profiler of {plain(profile.profiler)} over {profile.runs} runs{notes}"
    for each in profile.operators[:MOST_OPERATORS]:
        count = f"  ({each.nodes} of them)" if each.nodes > 1 else ""
        yield f"    {each.share:6.1%}  {plain(each.operator, 60)}{count}"
    if more := profile.operators[MOST_OPERATORS:]:
        yield f"    {sum(each.share for each in more):6.1%}  {len(more)} more kinds"


def _ranking(ranking: Ranking) -> Iterator[str]:
    together = f"; all together {format_number(ranking.together)}" if ranking.together is not None else ""
    yield f"  answers moved with one layer quantized alone, in nats, on {ranking.examples} calibration examples{together}"
    for layer in ranking.layers[:MOST_LAYERS]:
        yield f"    {format_number(layer.divergence):>9}  {_layer(layer)}"
    if more := len(ranking.layers) - MOST_LAYERS:
        yield from [f"    {more} more move them less"] if more > 0 else []
    yield "    by these names a technique's `exclude` leaves them in floats"
    if ranking.left:
        yield f"    {ranking.left} layers were left: --budget gives them time"


def _layer(layer: Layer) -> str:
    share = f", {layer.share:.0%} of operator time" if layer.share is not None else ""
    return f"{plain(layer.operator, 60)} {plain(layer.exclude or layer.output, 200)}{share}"
