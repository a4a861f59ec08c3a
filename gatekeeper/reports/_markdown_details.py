"""What is folded in the Markdown report: the measurements, where they were made, how far models agree, the stages."""

from __future__ import annotations

from collections.abc import Callable

from gatekeeper.ids import is_baseline
from gatekeeper.records.measured import Conditions, Energy, Performance, Quality
from gatekeeper.records.report import Agreement, LegReport, Report, TargetReport, VariantReport
from gatekeeper.reports._choice import chosen_to_try
from gatekeeper.reports._markdown_text import code, folded, row, table, text
from gatekeeper.reports._numbers import divergence
from gatekeeper.reports._pareto import PARETO, PARETO_LEGEND, worth_a_look
from gatekeeper.reports._sentences import effort
from gatekeeper.reports._verdict import MARKS
from gatekeeper.units import format_bytes, format_number

WIDEST_MATRIX = 12


def measurements(report: Report, target: TargetReport) -> str:
    """Every number of a target's baselines and variants, and the circumstances."""
    rows: list[tuple[str, Performance | None, VariantReport | LegReport]] = [
        (f"baseline in {leg.framework}" if len(target.legs) > 1 else "baseline", leg.baseline, leg) for leg in target.legs
    ]
    rows += [(f"{v.framework}/{v.technique}", v.performance, v) for v in target.variants]
    timed = [(name, performance, arm) for name, performance, arm in rows if performance]
    judged = [each for each in rows if each[2].quality] if any(leg.environment for leg in target.legs) else []
    if not (shown := [each for each in rows if each[1]] or judged):  # where nobody asks for times there are none
        return ""
    columns = [c for c in _COLUMNS if timed and (c in _ALWAYS or any(_COLUMNS[c](p) for _, p, _ in timed))]
    tokens = any(p.per == "token" for _, p, _ in timed)
    estimate = any(leg.energy and leg.energy.kind == "estimate" for leg in target.legs)
    names = _OF_TOKENS if tokens else {}
    heads = ["energy (estimate)" if c == "energy" and estimate else names.get(c, c) for c in columns]
    head = ["", *heads, "file", "quality"]
    lines = []
    marked = worth_a_look(target)
    for name, p, arm in shown:
        size = arm.artifact.bytes if isinstance(arm, VariantReport) and arm.artifact else report.model.bytes
        mark = f" {PARETO}" if arm.id in marked else ""
        cells = [_COLUMNS[c](p) or "?" for c in columns] if p else []
        lines.append(row([code(name) + mark, *cells, format_bytes(size), _quality(arm.quality)]))
    lines = table(head, lines) + (["", PARETO_LEGEND] if marked else [])
    findings = target.agreement.findings if target.agreement else []
    said = [note for note in target.notes if note not in findings]
    notes = [*(f"- {text(note)}" for note in said), *(line for leg in target.legs for line in _leg_notes(leg))]
    return folded(f"Measurements on {text(target.name)}", [*lines, "", *notes])


def agreement(target: TargetReport) -> str:
    """Every model against every other; of many, against the baselines only."""
    agreed = target.agreement
    if agreed is None or len(agreed.names) < 2 or not _square(agreed):
        return ""
    columns = list(range(len(agreed.names)))
    if len(columns) > WIDEST_MATRIX:
        columns = [i for i in columns if is_baseline(agreed.names[i])][:WIDEST_MATRIX]
    shares = agreed.kind != "relative distance"
    what = f"share of {agreed.examples} {'tokens' if agreed.kind == 'same top token' else 'examples'} with the {agreed.kind}"
    distance = f"relative distance of the outputs on {agreed.examples} examples"
    head = ["", *(str(i + 1) for i in columns), *(["alone"] if agreed.alone else [])]
    lines = []
    for i, name in enumerate(agreed.names):
        numbers = [agreed.matrix[i][j] for j in columns]
        cells = [f"{number:.1%}" if shares else f"{number:.2g}" for number in numbers]
        lines.append(row([f"{i + 1} {code(name)}", *cells, *([f"{agreed.alone[i]:.1%}"] if agreed.alone else [])]))
    alone = ["\n**alone**: it differs, and all others agree"] if agreed.alone else []
    return folded(f"Agreement on {text(target.name)}: {what if shares else distance}", [*table(head, lines), *alone])


def _square(agreement: Agreement) -> bool:
    """Whether its parts fit one another: the report may be a stranger's."""
    count = len(agreement.names)
    lengths = {len(agreement.matrix), *(len(line) for line in agreement.matrix)}
    return lengths == {count} and len(agreement.alone) in (0, count)


def _ms(ns: float | None) -> str:
    return "" if ns is None else f"{format_number(ns / 1e6)} ms"


def _rate(per_s: float | None) -> str:
    return "" if per_s is None else format_number(per_s)


_COLUMNS: dict[str, Callable[[Performance], str]] = {
    "p50": lambda p: _ms(p.p50_ns),
    "p95": lambda p: _ms(p.p95_ns),
    "p99": lambda p: _ms(p.p99_ns),
    "first token": lambda p: _ms(p.first_token_ns),
    "per second": lambda p: _rate(p.throughput_per_s),
    "saturated": lambda p: _rate(p.saturated_per_s),
    "peak memory": lambda p: format_bytes(p.peak_bytes) if p.peak_bytes is not None else "",
    "load": lambda p: _ms(p.load_ns),
    "CPU": lambda p: f"{p.cpu_utilisation:.0%}",
    "energy": lambda p: f"{format_number(1000 * p.joules)} mJ" if p.joules is not None else "",
}
"""What is shown of an arm; an empty cell is not known."""

_OF_TOKENS = {"p50": "p50 per token", "p95": "p95 per token", "p99": "p99 per token", "per second": "tokens per second"}

_ALWAYS = {"p50", "p95", "p99", "per second", "peak memory", "load", "CPU"}


def _leg_notes(leg: LegReport) -> list[str]:
    notes = []
    if leg.environment:
        e = leg.environment
        packages = ", ".join(f"{name} {version}" for name, version in e.packages.items())
        machine = ", ".join(filter(None, [*e.accelerators, e.governor and f"governor {e.governor}"]))
        notes.append(
            f"{leg.id} ran on {e.cpu} ({' '.join(e.isa)}), {e.threads} threads, {e.os}, {packages}" + (machine and f", {machine}")
        )
    if leg.conversion:
        notes.append(f"{leg.id}: {leg.conversion}")
    if leg.user_code:
        notes.append(
            f"{leg.id} ran {', '.join(leg.user_code)}" + (f", which nothing held: {leg.unheld}" if leg.unheld else ", held apart")
        )
    ran_on = list(dict.fromkeys(r.ran_on for r in leg.baseline.rounds if r.ran_on)) if leg.baseline else []
    if ran_on:
        asked = f" (asked for {leg.device})" if leg.device else ""
        notes.append(f"{leg.framework} says that it ran on {', '.join(ran_on)}{asked}")
    if leg.rounds:
        notes.append(f"{effort(leg)}; seed {leg.seed}, attempt {leg.attempt}")
    if leg.control:
        c = leg.control
        notes.append(
            f"two copies of the baseline measured {_ratio(c.observed)}x of each other ({_ratio(c.lower)}–{_ratio(c.upper)}): "
            "the noise of this runner"
        )
    if leg.conditions:
        notes.append(_conditions(leg.conditions))
    if leg.energy and leg.rounds:
        notes.append(_energy(leg.energy))
    if leg.baseline and leg.baseline.preempted_per_s is not None:
        notes.append(f"the baseline was interrupted {leg.baseline.preempted_per_s:.0f} times a second while it was timed")
    if leg.baseline and leg.baseline.rounds:
        overhead_ns = min(leg.baseline.rounds[0].overhead_ns, 1e300)
        notes.append(f"timing itself adds {overhead_ns / 1000:.2g} µs to each latency")
    return [f"- {text(note)}" for note in notes]


def _conditions(c: Conditions) -> str:
    """What else the machine did, in one line."""
    said = []
    if c.other_cpu is not None:
        said.append(f"other processes took {c.other_cpu:.0%} of the CPU")
    if c.steal is not None:
        said.append(f"the hypervisor {c.steal:.1%}")
    if c.frequency_mhz:
        low, high = c.frequency_mhz
        said.append(f"clock {low:.0f}" + (f" to {high:.0f}" if round(high) != round(low) else "") + " MHz")
    heat = "throttling: this system does not tell" if c.throttle_events is None else f"throttled {c.throttle_events} times"
    return "while measuring: " + ", ".join([*said, heat])


def _energy(e: Energy) -> str:
    if e.kind == "none":
        return f"energy: {e.note}"
    return f"energy per inference: {'an estimate' if e.kind == 'estimate' else 'measured'} by {e.method}; {e.note}"


def stages(report: Report) -> str:
    """Every stage with its verdict."""
    if not report.stages:
        return ""
    lines = [f"- {MARKS[s.verdict]} {code(s.stage)}: {text(s.reason)}" for s in report.stages]
    lines += [f"- {text(line)}" for line in chosen_to_try(report)]
    return folded("Stages", lines)


def _ratio(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}"


def _quality(quality: Quality | None) -> str:
    if quality is None:
        return ""
    said = f"{quality.metric} {'?' if quality.value is None else f'{quality.value:.4g}'}"
    return text(f"{said}; {divergence(quality.details)}" if "kl_mean" in quality.details else said)
