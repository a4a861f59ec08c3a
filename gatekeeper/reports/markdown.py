"""report.md: what a reviewer reads on the pull request. The verdict first, a row per variant, details folded."""

from __future__ import annotations

import re
from functools import lru_cache

from gatekeeper.config.units import format_bytes
from gatekeeper.records import GateResult, LegReport, Performance, Quality, Report, TargetReport, VariantReport, Verdict
from gatekeeper.reports._base import MARKS, WORDS, common_limit, headline, interval, limit, plain

FILE_NAME = "report.md"


def render(report: Report) -> str:
    """GitHub-flavoured Markdown."""
    parts = [
        f"## {MARKS[report.verdict]} gatekeeper: {WORDS[report.verdict]}",
        _text(headline(report)),
        _table(report),
        _failures(report),
        _reproduce(report),
        *(_details(report, target) for target in report.targets),
        _stages(report),
        f"<sub>model {_code(report.model.sha256[:12])} · pipeline {_code(report.pipeline.sha256[:12])} "
        f"· gatekeeper {_text(report.version)} · a pass is wrong at most 5 % of the time at the exact limit</sub>",
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
        for variant in target.variants:
            lines += _variant_failures(variant)
    return "\n".join(["### What did not pass", *dict.fromkeys(lines)]) if lines else ""


def _variant_failures(variant: VariantReport) -> list[str]:
    if variant.verdict is Verdict.SKIP:
        return [f"- {MARKS[Verdict.SKIP]} {_code(variant.id)} was left out: {_text(variant.reason)}"]
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


def _reproduce(report: Report) -> str:
    command = plain(report.reproduce).replace("::", ":\u2060:")
    return f"Measure it again:\n```\n{command.replace('`', '')}\n```" if command else ""


def _details(report: Report, target: TargetReport) -> str:
    rows: list[tuple[str, Performance | None, VariantReport | None]] = [("baseline", leg.baseline, None) for leg in target.legs]
    rows += [(f"{v.framework}/{v.technique}", v.performance, v) for v in target.variants]
    measured = [(name, performance, variant) for name, performance, variant in rows if performance]
    if not measured:
        return ""
    head = ["", "p50", "p95", "p99", "per second", "peak memory", "file", "load", "CPU", "quality"]
    lines = [_row(head), _row(["---"] * len(head))]
    for name, performance, variant in measured:
        size = format_bytes(variant.artifact.bytes) if variant and variant.artifact else format_bytes(report.model.bytes)
        quality = variant.quality if variant else next((leg.quality for leg in target.legs if leg.quality), None)
        lines.append(_row([_code(name), *_numbers(performance, size), _quality(quality)]))
    notes = [line for leg in target.legs for line in _leg_notes(leg)]
    return "\n".join(
        ["<details><summary>Measurements on " + _text(target.name) + "</summary>\n", *lines, "", *notes, "\n</details>"]
    )


def _numbers(p: Performance, size: str) -> list[str]:
    peak = format_bytes(p.peak_bytes) if p.peak_bytes is not None else "?"
    times = [f"{ns / 1e6:.3g} ms" for ns in (p.p50_ns, p.p95_ns, p.p99_ns)]
    return [
        *times,
        f"{p.throughput_per_s:,.0f}" if p.throughput_per_s >= 100 else f"{p.throughput_per_s:.3g}",
        peak,
        size,
        f"{p.load_ns / 1e6:.3g} ms",
        f"{p.cpu_utilisation:.0%}",
    ]


def _leg_notes(leg: LegReport) -> list[str]:
    notes = []
    if leg.environment:
        e = leg.environment
        packages = ", ".join(f"{name} {version}" for name, version in e.packages.items())
        notes.append(
            f"- {_code(leg.id)} ran on {_text(e.cpu)} ({_text(' '.join(e.isa))}), {e.threads} threads, "
            f"{_text(e.os)}, {_text(packages)}"
        )
    if leg.rounds:
        notes.append(
            f"- {leg.rounds} of at most {leg.max_rounds} rounds in {leg.measuring_s:.0f} s, "
            f"seed {leg.seed}, attempt {leg.attempt}"
        )
    if leg.control:
        c = leg.control
        notes.append(
            f"- two copies of the baseline measured {_ratio(c.observed)}x of each other ({_ratio(c.lower)}–{_ratio(c.upper)}): "
            "the noise of this runner"
        )
    notes += [f"- {_text(note)}" for note in leg.notes]
    return notes


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
    return _text(f"{quality.metric} {'?' if quality.value is None else f'{quality.value:.4g}'}")


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
