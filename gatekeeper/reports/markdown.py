"""report.md: what a reviewer reads on the pull request. The verdict first, a row per variant, details folded."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from gatekeeper.config.units import format_bytes
from gatekeeper.records import (
    Agreement,
    Conditions,
    Energy,
    GateResult,
    LegReport,
    Performance,
    Quality,
    Report,
    TargetReport,
    VariantReport,
    Verdict,
)
from gatekeeper.reports._base import (
    MARKS,
    PARETO,
    PARETO_LEGEND,
    WORDS,
    common_limit,
    divergence,
    effort,
    headline,
    interval,
    limit,
    plain,
    worth_a_look,
)

FILE_NAME = "report.md"

WIDEST_MATRIX = 12


def render(report: Report) -> str:
    """GitHub-flavoured Markdown."""
    parts = [
        f"## {MARKS[report.verdict]} gatekeeper: {WORDS[report.verdict]}",
        _text(headline(report)),
        _table(report),
        _failures(report),
        _warnings(report),
        _reproduce(report),
        *(part for target in report.targets for part in (_details(report, target), _agreement(target))),
        _stages(report),
        f"<sub>model {_code(report.model.sha256[:12])} · pipeline {_code(report.pipeline.sha256[:12])} "
        f"· gatekeeper {_text(report.version)} · a gate passes a variant exactly at its limit at most 5 % of the time</sub>",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _gates(report: Report) -> list[str]:
    return list(dict.fromkeys(g.gate for t in report.targets for v in t.variants for g in v.gates))


def _table(report: Report) -> str:
    names = _gates(report)
    rows = [(t, v) for t in report.targets for v in t.variants]
    if not rows:
        return ""
    common = {name: common_limit(name, [v for _, v in rows]) for name in names}
    head = ["", "target", "variant", *(_text(f"{name} {common[name] or ''}").strip() for name in names)]
    lines = [_row(head), _row(["---"] * len(head))]
    for target, variant in rows:
        chosen = " **←**" if variant.id == target.selected else ""
        by_name = {g.gate: g for g in variant.gates}
        cells = [_cell(by_name.get(name), own_limit=common[name] is None) for name in names]
        lines.append(
            _row([MARKS[variant.verdict], _code(target.name), _code(f"{variant.framework}/{variant.technique}") + chosen, *cells])
        )
    note = "\n\n**←** the best passing variant of its target" if any(t.selected for t in report.targets) else ""
    return "\n".join(lines) + note


def _cell(gate: GateResult | None, own_limit: bool) -> str:
    if gate is None:
        return ""
    mark = MARKS[gate.verdict] if gate.blocking or gate.verdict in (Verdict.PASS, Verdict.SKIP) else "⚠️"
    return f"{mark} {_text(interval(gate))}" + (f" {_text(limit(gate))}" if own_limit else "")


def _failures(report: Report) -> str:
    lines = []
    for target in report.targets:
        for leg in target.legs:
            if leg.error:
                lines.append(f"- {MARKS[Verdict.ERROR]} {_code(leg.id)}: {_text(leg.error)}")
            if leg.untimed:
                lines.append(f"- {MARKS[Verdict.SKIP]} {_code(leg.id)} is not judged on time: {_text(leg.untimed)}")
            if leg.skip:
                lines.append(f"- {MARKS[Verdict.SKIP]} {_code(leg.id)} was left out: {_text(leg.skip)}")
        for variant in target.variants:
            lines += _variant_failures(variant)
    return "\n".join(["### What did not pass", *dict.fromkeys(lines)]) if lines else ""


def _variant_failures(variant: VariantReport) -> list[str]:
    if variant.verdict is Verdict.SKIP:
        how = "cannot be the one that passes" if variant.artifact else "was left out"
        return [f"- {MARKS[Verdict.SKIP]} {_code(variant.id)} {how}: {_text(variant.reason)}"]
    if variant.verdict is Verdict.ERROR and variant.artifact is None:
        return [f"- {MARKS[Verdict.ERROR]} {_code(variant.id)}: {_text(variant.reason)}"]
    found = []
    for gate in variant.gates:
        if gate.verdict in (Verdict.PASS, Verdict.SKIP):
            continue
        mark = MARKS[gate.verdict] if gate.blocking else "⚠️"
        where = f" ({_code(gate.where)})" if gate.where else ""
        found.append(f"- {mark} {_code(variant.id)} **{_text(gate.gate)}**: {_text(gate.reason)}{where}")
    return found


def _warnings(report: Report) -> str:
    """What a reader should know before believing a close call: of the machines, and of answers that differ."""
    lines = [f"> ⚠️ {_code(leg.id)}: {_text(note)}" for t in report.targets for leg in t.legs for note in leg.notes]
    lines += [f"> ⚠️ {_code(t.name)}: {_text(note)}" for t in report.targets if t.agreement for note in t.agreement.findings]
    return "\n>\n".join(dict.fromkeys(lines))


def _reproduce(report: Report) -> str:
    command = plain(report.reproduce).replace("::", ":\u2060:")
    return f"Measure it again:\n```\n{command.replace('`', '')}\n```" if command else ""


def _details(report: Report, target: TargetReport) -> str:
    rows: list[tuple[str, Performance | None, VariantReport | LegReport]] = [
        (f"baseline in {leg.framework}" if len(target.legs) > 1 else "baseline", leg.baseline, leg) for leg in target.legs
    ]
    rows += [(f"{v.framework}/{v.technique}", v.performance, v) for v in target.variants]
    measured = [(name, performance, arm) for name, performance, arm in rows if performance]
    if not measured:
        return ""
    columns = [c for c in _COLUMNS if c in _ALWAYS or any(_COLUMNS[c](p) for _, p, _ in measured)]
    tokens = any(p.per == "token" for _, p, _ in measured)
    estimate = any(leg.energy and leg.energy.kind == "estimate" for leg in target.legs)
    names = _OF_TOKENS if tokens else {}
    heads = ["energy (estimate)" if c == "energy" and estimate else names.get(c, c) for c in columns]
    head = ["", *heads, "file", "quality"]
    lines = [_row(head), _row(["---"] * len(head))]
    marked = worth_a_look(target)
    for name, p, arm in measured:
        size = arm.artifact.bytes if isinstance(arm, VariantReport) and arm.artifact else report.model.bytes
        mark = f" {PARETO}" if arm.id in marked else ""
        cells = [_COLUMNS[c](p) or "?" for c in columns]
        lines.append(_row([_code(name) + mark, *cells, format_bytes(size), _quality(arm.quality)]))
    if marked:
        lines += ["", PARETO_LEGEND]
    findings = target.agreement.findings if target.agreement else []
    said = [note for note in target.notes if note not in findings]
    notes = [*(f"- {_text(note)}" for note in said), *(line for leg in target.legs for line in _leg_notes(leg))]
    return "\n".join(
        ["<details><summary>Measurements on " + _text(target.name) + "</summary>\n", *lines, "", *notes, "\n</details>"]
    )


def _agreement(target: TargetReport) -> str:
    """Every model against every other; of many, against the baselines only."""
    found = target.agreement
    if found is None or len(found.names) < 2 or not _square(found):
        return ""
    columns = list(range(len(found.names)))
    if len(columns) > WIDEST_MATRIX:
        columns = [i for i in columns if found.names[i].endswith("/baseline")][:WIDEST_MATRIX]
    shares = found.kind != "relative distance"
    what = f"share of {found.examples} {'tokens' if found.kind == 'same top token' else 'examples'} with the {found.kind}"
    distance = f"relative distance of the outputs on {found.examples} examples"
    head = ["", *(str(i + 1) for i in columns), *(["alone"] if found.alone else [])]
    lines = [_row(head), _row(["---"] * len(head))]
    for i, name in enumerate(found.names):
        numbers = [found.matrix[i][j] for j in columns]
        cells = [f"{number:.1%}" if shares else f"{number:.2g}" for number in numbers]
        lines.append(_row([f"{i + 1} {_code(name)}", *cells, *([f"{found.alone[i]:.1%}"] if found.alone else [])]))
    title = f"<details><summary>Agreement on {_text(target.name)}: {what if shares else distance}</summary>\n"
    alone = "\n**alone**: it differs, and all others agree" if found.alone else ""
    return "\n".join([title, *lines, alone, "\n</details>"])


def _square(agreement: Agreement) -> bool:
    """Whether its parts fit one another: the report may be a stranger's."""
    count = len(agreement.names)
    lengths = {len(agreement.matrix), *(len(row) for row in agreement.matrix)}
    return lengths == {count} and len(agreement.alone) in (0, count)


def _ms(ns: float | None) -> str:
    return "" if ns is None else f"{ns / 1e6:.3g} ms"


def _rate(per_s: float | None) -> str:
    return "" if per_s is None else f"{per_s:,.0f}" if per_s >= 100 else f"{per_s:.3g}"


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
    "energy": lambda p: f"{1000 * p.joules:.3g} mJ" if p.joules is not None else "",
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
    if leg.energy:
        notes.append(_energy(leg.energy))
    if leg.baseline and leg.baseline.preempted_per_s is not None:
        notes.append(f"the baseline was interrupted {leg.baseline.preempted_per_s:.0f} times a second while it was timed")
    if leg.baseline and leg.baseline.rounds:
        notes.append(f"timing itself adds {leg.baseline.rounds[0].overhead_ns / 1000:.2g} µs to each latency")
    return [f"- {_text(note)}" for note in notes]


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


def _stages(report: Report) -> str:
    if not report.stages:
        return ""
    lines = [f"- {MARKS[s.verdict]} {_code(s.stage)}: {_text(s.reason)}" for s in report.stages]
    return "\n".join(["<details><summary>Stages</summary>\n", *lines, "\n</details>"])


def _ratio(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}"


def _quality(quality: Quality | None) -> str:
    if quality is None:
        return ""
    said = f"{quality.metric} {'?' if quality.value is None else f'{quality.value:.4g}'}"
    return _text(f"{said}; {divergence(quality.details)}" if "kl_mean" in quality.details else said)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _code(text: str) -> str:
    """A code span: nothing in it is live. Backticks and pipes cannot leave it."""
    shown = plain(text, 120).replace("`", "'").replace("|", "\\|")
    return f"`{shown or ' '}`"


@lru_cache(maxsize=4096)
def _text(text: str) -> str:
    """Prose in which no markup, link, image, mention or HTML of the text itself is live."""
    shown = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = re.sub(r"([\\`*_\[\]#|~])", r"\\\1", shown)
    shown = re.sub(r"(@|#|GH-)(?=\w)", "\\1\u2060", shown)
    shown = re.sub(r"^::", ":\u2060:", shown)
    return re.sub(r"(?i)(?<![^\W_])(https?|ftp|mailto|www)([:.])", "\\1\u2060\\2", shown)
