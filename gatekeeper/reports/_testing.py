"""What the testing stage found, in words: a line for each load scenario, a line for each kind of checks."""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.gates._base import decides
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import LegReport, VariantReport
from gatekeeper.records.tested import LoadRun, Tested
from gatekeeper.reports._plain import plain
from gatekeeper.reports._verdict import WORDS
from gatekeeper.units import format_number

HEAD = ("scenario", "load", "answered", "p50", "p95", "p99", "errors", "shed")

_UNTIMED = {"single_stream": "one at a time", "stress": "more than it bears", "probe": "as fast as it goes"}
"""The load of a scenario that has no rate."""


def judged(variant: VariantReport, run: LoadRun) -> list[GateResult]:
    """The gates that a scenario of a variant decided."""
    assert variant.tested
    ran = [other.scenario for other in variant.tested.load]
    return [g for g in variant.gates if g.verdict is not Verdict.SKIP and decides(g.gate, ran) == run.scenario]


def cells(run: LoadRun) -> list[str]:
    """One scenario as a row under HEAD."""
    return [
        f"{run.scenario} ({'HTTP' if run.over == 'http' else 'in process'})",
        _rate(run.target_qps) if run.target_qps else _UNTIMED.get(run.scenario, "all at once"),
        _rate(run.completed_qps),
        *(_ms(ns) for ns in (run.p50_ns, run.p95_ns, run.p99_ns)),
        f"{run.errors} of {run.requests}",
        str(run.shed),
    ]


def peak(variant: Tested, baseline: Tested | None) -> str:
    """The highest rate within the latency limit, beside the baseline's; empty where it was not looked for."""
    within = f" within p99 {variant.bound_ms:.4g} ms" if variant.bound_ms else ""
    if variant.peak_qps is None:
        lowest = min((run.target_qps for run in variant.curve if run.target_qps), default=None)
        return f"no rate{within}, down to {_rate(lowest)}" if lowest else ""
    said = f"peak {_rate(variant.peak_qps)}{within}"
    if baseline and baseline.peak_qps:
        said += f", baseline {_rate(baseline.peak_qps)} ({variant.peak_qps / baseline.peak_qps:.2f}x)"
    return said


def counted(tested: Tested) -> Iterator[str]:
    """How many checks of each kind passed."""
    for kind in dict.fromkeys(check.kind for check in tested.checks):
        own = [c for c in tested.checks if c.kind == kind]
        ran = [c for c in own if c.verdict is not Verdict.SKIP]
        idle = len(own) - len(ran)
        left = f", {idle} do{'es' * (idle == 1)} not apply" if idle else ""
        yield f"{kind}: {sum(c.verdict is Verdict.PASS for c in ran)} of {len(ran)} checks pass{left}"


def lines(variant: VariantReport, leg: LegReport | None) -> Iterator[str]:
    """What a terminal shows of one variant."""
    if variant.tested is None:
        return
    yield from counted(variant.tested)
    for run in variant.tested.load:
        values = dict(zip(HEAD, cells(run), strict=True))
        said = f"{run.scenario}{' in process' * (run.over == 'in_process')}, {values['load']}: answered {values['answered']}"
        said += "".join(f", {name} {values[name]}" for name in ("p50", "p95", "p99") if values[name])
        said += f", errors {values['errors']}" + (f", shed {run.shed}" if run.shed else "")
        gates = judged(variant, run)
        bad = [f"{plain(gate.gate)} {WORDS[gate.verdict]}" for gate in gates if gate.verdict is not Verdict.PASS]
        yield said + (f"; {', '.join(bad) or WORDS[Verdict.PASS]}" if gates else "")
    if highest := peak(variant.tested, leg.tested if leg else None):
        yield highest
    yield from (plain(note) for note in variant.tested.notes)


def _ms(ns: float | None) -> str:
    return "" if ns is None else f"{format_number(ns / 1e6)} ms"


def _rate(per_s: float) -> str:
    return f"{format_number(per_s)}/s"
