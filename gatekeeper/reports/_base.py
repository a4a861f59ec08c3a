"""What every reporter shares. A reporter is a module of this folder; its file name is the name of its format.

    FILE_NAME             the file it writes in the output folder, None if it is only printed
    render(report) -> str a pure function; it never measures

Strings in a report may come from anywhere (file names, a model's metadata, a stranger's pull request), so each
reporter cleans them for its own format.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Protocol, cast

import msgspec

from gatekeeper.errors import UsageError
from gatekeeper.gates._base import names as gate_names
from gatekeeper.gates._base import tested_by
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import LegReport, Report, TargetReport, VariantReport
from gatekeeper.registry import Registry
from gatekeeper.units import format_duration

REGISTRY = Registry("reports")

MARKS = {
    Verdict.PASS: "✅",
    Verdict.FAIL: "❌",
    Verdict.INCONCLUSIVE: "❔",
    Verdict.ERROR: "🚫",
    Verdict.SKIP: "➖",
}
WORDS = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "fail",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.ERROR: "not measured",
    Verdict.SKIP: "skipped",
}

MAX_REPORT_BYTES = 64 << 20


class Reporter(Protocol):
    """The shape of a reporter module."""

    FILE_NAME: str | None

    @staticmethod
    def render(report: Report) -> str: ...


def reporter(name: str) -> Reporter:
    """The reporter of that name."""
    return cast(Reporter, REGISTRY.get(name))


_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\u061c\ufeff\ufffe\uffff\ud800-\udfff]"
    "|\x1b\\[[0-?]*[ -/]*[@-~]"
)

_COMMAND = re.compile(r":(?=:|$)|#(?=#\[)")
"""What a GitHub runner takes for a command: `::` at the start of a line, and the older `##[` anywhere in one."""


@lru_cache(maxsize=4096)
def plain(text: str, limit: int = 600) -> str:
    """One line of visible characters: no control, direction or escape sequences, no lone surrogates."""
    shown = " ".join(re.sub("\x1b\\[[0-?]*[ -/]*[@-~]", "", text).split())
    shown = _INVISIBLE.sub("\ufffd", shown)
    shown = _COMMAND.sub("\\g<0>\u2060", shown)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def value(gate: GateResult, number: float | None) -> str:
    """A number of a gate, in its unit."""
    if number is None:
        return "?"
    if gate.unit == "x":
        return f"{number:.2f}x"
    if gate.unit == "fraction":
        return f"{number:.1%}"
    if gate.unit == "bytes":
        from gatekeeper.units import format_bytes

        return format_bytes(number)
    return f"{number:.4g} {plain(gate.unit, 20)}".strip()


def interval(gate: GateResult) -> str:
    """The observed value with its bounds, e.g. `3.21x (3.05–3.38)`; exact values stand alone."""
    if gate.observed is None:
        return WORDS[gate.verdict]
    shown = value(gate, gate.observed)
    if gate.lower is None or gate.upper is None or gate.lower == gate.upper:
        return shown
    unit = f" {plain(gate.unit, 20)}"
    lower, upper = (value(gate, bound).rstrip("x%").removesuffix(unit) for bound in (gate.lower, gate.upper))
    return f"{shown} ({lower}–{upper})"


@lru_cache(maxsize=256)
def of_testing(name: str) -> bool:
    """Whether a gate is one of the many that the testing stage measures, which a table shows in one column."""
    return name in gate_names() and bool(tested_by(name))


def limit(gate: GateResult) -> str:
    """The limit as it is held, e.g. `≥ 2.00x`; empty where there is none."""
    if gate.limit is None:
        return ""
    sign = "≤" if gate.bound == "at_most" else "≥"
    return f"{sign} {value(gate, gate.limit)}"


def divergence(details: Mapping[str, float]) -> str:
    """How far a text model's predictions are from the baseline's."""
    return f"KL {details['kl_mean']:.2g} (p99 {details['kl_p99']:.2g}), same top token {details['same_top']:.1%}"


def common_limit(name: str, variants: list[VariantReport]) -> str | None:
    """The limit of a gate, None where targets differ in it: each cell then shows its own."""
    found = {limit(g) for v in variants for g in v.gates if g.gate == name}
    return found.pop() if len(found) == 1 else None


def waived(gate: GateResult) -> bool:
    """Whether a waiver keeps what the gate found from blocking."""
    return gate.waiver is not None and not gate.blocking and gate.verdict not in (Verdict.PASS, Verdict.SKIP)


def waiver(gate: GateResult) -> str:
    """The waiver in words; empty where there is none."""
    if gate.waiver is None:
        return ""
    side = "up" if gate.bound == "at_most" else "down"
    said = f"waived until {plain(gate.waiver.expires, 40)} by {plain(gate.waiver.owner, 80)} {side} to "
    said += f"{value(gate, gate.waiver.ceiling)}: {plain(gate.waiver.reason, 300)}"
    return said + (f" ({plain(gate.waiver.issue, 200)})" if gate.waiver.issue else "")


def blocks(report: Report, target: TargetReport, gate: GateResult) -> bool:
    """Whether this gate keeps the report from passing: it counts, and no other variant of the target passes instead."""
    if not gate.blocking or gate.verdict in (Verdict.PASS, Verdict.SKIP) or target.verdict is Verdict.PASS:
        return False
    return gate.verdict is not Verdict.INCONCLUSIVE or report.pipeline.on_inconclusive == "fail"


def counts(report: Report) -> str:
    """How many targets and variants have which verdict, in words."""

    def said(noun: str, verdicts: list[Verdict]) -> str:
        parts = [f"{verdicts.count(v)} {WORDS[v]}" for v in Verdict if v in verdicts]
        return f"{len(verdicts)} {noun}{'s' if len(verdicts) != 1 else ''}" + (f" ({', '.join(parts)})" if parts else "")

    lost = sum(bool(leg.error) for t in report.targets for leg in t.legs)
    found = [said("target", [t.verdict for t in report.targets])]
    found.append(said("variant", [v.verdict for t in report.targets for v in t.variants]))
    return ", ".join(found) + (f", {lost} leg{'s' if lost != 1 else ''} not measured" if lost else "")


def headline(report: Report) -> str:
    """The verdict in one sentence."""
    chosen = [(t, v) for t in report.targets for v in t.variants if v.id == t.selected]
    if report.verdict is Verdict.PASS and chosen:
        parts = []
        for target, variant in chosen:
            own = [g for g in variant.gates if not of_testing(g.gate)]
            says = [g.reason.split(" (")[0] for g in own if g.verdict is Verdict.PASS and g.reason]
            tests = [g.verdict for g in variant.gates if of_testing(g.gate) and g.verdict is not Verdict.SKIP]
            if tests:
                says.append(f"{tests.count(Verdict.PASS)} of {len(tests)} gates on its tests pass")
            parts.append(f"{variant.framework} {variant.technique} on {target.name}: {', '.join(says)}")
        return "; ".join(parts)
    reasons = [f"{t.name}: {t.reason}" for t in report.targets if t.reason]
    said = " ".join(reasons)  # a stage that ended the run is the reason of every target already
    reasons += [
        f"stage {s.stage}: {s.reason}"
        for s in report.stages
        if s.verdict is not Verdict.PASS and s.reason not in said and not s.reason.startswith("not run, because")
    ]
    return "; ".join(dict.fromkeys(reasons)) or "nothing was measured"


PARETO = "◆"
PARETO_LEGEND = f"{PARETO} no other variant of its target beats it in speed, memory or quality without being worse in another"


def worth_a_look(target: TargetReport) -> set[str]:
    """The variants on the frontier of speed, memory and quality, where there is more than one to choose from."""
    placed = [v for v in target.variants if v.pareto is not None]
    return {v.id for v in placed if v.pareto} if len(placed) > 1 else set()


def effort(leg: LegReport) -> str:
    """What measuring took of what it may take, and what ended it."""
    took = f"{leg.rounds} of at most {leg.max_rounds} rounds in {leg.measuring_s:.0f} s"
    if leg.budget_s:
        took += f", {leg.measuring_s / leg.budget_s:.0%} of the budget of {format_duration(leg.budget_s)}"
    ended = {"decided": "every gate that blocks was decided", "rounds": "no rounds were left", "budget": "the budget was used up"}
    return f"{took}; {ended[leg.stopped]}" if leg.stopped else took


def read_report(path: Path) -> Report:
    """A report.json; `UsageError` with the reason when it is not one."""
    try:
        size = path.stat().st_size
        if size > MAX_REPORT_BYTES:
            raise UsageError(f"{path}: {size} bytes is too large for a report.")
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}. Name a report.json or the folder it is in.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: not a gatekeeper report ({error}). Run `gatekeeper run` again.") from None
