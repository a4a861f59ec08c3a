"""What a person is told when nothing helped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.monitor.alerts._base import alert as alert_of
from gatekeeper.monitor.decide import Finding, Seen
from gatekeeper.records.base import Record

if TYPE_CHECKING:
    from gatekeeper.monitor.decide import Look
    from gatekeeper.monitor.resolution.journal import Episode

ESCALATION_SCHEMA: Literal["gatekeeper/escalation/v1"] = "gatekeeper/escalation/v1"


class Step(Record, frozen=True, kw_only=True):
    """One that was tried."""

    step: str
    what: str
    decision: str
    reason: str
    kept: bool


class Evidence(Record, frozen=True, kw_only=True):
    """An alert that nothing ended: what fires, what was tried, and the signals."""

    schema: Literal["gatekeeper/escalation/v1"]
    time: Annotated[str, Meta(description="Of the look, UTC, ISO 8601.")]
    pipeline: str
    alert: str
    severity: str
    means: str
    remedy: Annotated[str, Meta(description="What to do first.")]
    findings: list[Finding]
    steps: list[Step]
    signals: list[Seen]


def evidence_of(look: Look, alert: str, episode: Episode | None, pipeline: str) -> Evidence:
    """Of an alert that fires in a look."""
    module = alert_of(alert)
    return Evidence(
        schema=ESCALATION_SCHEMA,
        time=look.time,
        pipeline=pipeline,
        alert=alert,
        severity=module.SEVERITY,
        means=module.DESCRIPTION,
        remedy=module.REMEDY,
        findings=[each for each in look.findings if each.alert == alert and each.status == "fires"],
        steps=[
            Step(step=each.step, what=each.what, decision=each.decision, reason=each.reason, kept=each.kept)
            for each in (episode.tried if episode else [])
        ],
        signals=look.signals,
    )


def title(found: Evidence) -> str:
    """One line."""
    count = len(found.steps)
    tried = f"{count} step{'s' if count > 1 else ''} did not help" if count else "no step can help"
    return f"gatekeeper: {found.alert} fires and {tried}"


def text(found: Evidence) -> str:
    """As Markdown. Every string may hold what a stranger wrote."""
    from gatekeeper.reports._markdown_text import code
    from gatekeeper.units import format_number

    lines = [f"{found.means} ({found.severity}, {found.time}, {code(found.pipeline)})", "", "What fires:"]
    for each in found.findings:
        said = f"- {code(each.name)}"
        if each.observed is not None:
            said += f": {format_number(each.observed)} {each.unit}"
        said += f", limit {format_number(each.limit)}" if each.limit is not None else ""
        said += f", {each.over:.2%} of {each.n:,} over it, allowed {each.allowed:.2%}" if each.over is not None else ""
        lines.append(said)
    lines += ["", "What was tried, in this order:" if found.steps else "Nothing was tried: no step can end this alert."]
    lines += [f"- {code(each.step)}: {each.decision}. {code(each.reason, 400)}" for each in found.steps]
    lines += ["", f"First: {found.remedy}", "", "Signals:"]
    lines += [
        f"- {each.name}: {'unknown' if each.value is None else f'{format_number(each.value)} {each.unit}'}"
        for each in found.signals
    ]
    return "\n".join(lines) + "\n"
