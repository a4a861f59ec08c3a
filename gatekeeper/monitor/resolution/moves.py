"""What to do about a look: the next step of an alert, a person, or nothing. Pure: the same look and journal give the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gatekeeper.monitor.actions._base import action
from gatekeeper.monitor.alerts._base import in_order
from gatekeeper.monitor.resolution.journal import Entry, Episode, episodes

if TYPE_CHECKING:
    from gatekeeper.monitor.decide import Finding, Look


@dataclass(frozen=True)
class Move:
    """`try` a step, `escalate` because none is left, or `close` what is fine again."""

    do: Literal["try", "escalate", "close"]
    alert: str
    step: str = ""


def next_move(look: Look, entries: Sequence[Entry], steps: Sequence[str]) -> Move | None:
    """One thing to do; None: nothing, or nothing yet. Pages come first, and one alert at a time.

    What a step has changed is not seen by a look that goes back to before it: until one does not, the alert is left alone.
    """
    known = episodes(entries)
    firing = {each.alert for each in look.findings if each.status == "fires"}
    asked = {each.alert for each in look.findings}
    for alert in known:
        if alert not in firing and alert in asked and all(e.status == "fine" for e in look.findings if e.alert == alert):
            return Move("close", alert)
    ordered = [name for severity in ("page", "ticket") for name, each in in_order() if severity == each.SEVERITY]
    for alert in (name for name in ordered if name in firing):
        episode = known.get(alert, Episode(alert))
        if look.window[0] < kept_s(alert, known):
            continue
        if left := untried(alert, known, steps):
            return Move("try", alert, left[0])
        if episode.escalated is None:
            return Move("escalate", alert)
    return None


def untried(alert: str, known: dict[str, Episode], steps: Sequence[str]) -> list[str]:
    """Steps that may help it and were not tried for it, nor for an open alert of the same metric: that would show the same."""
    metric = metric_of(alert)
    if not metric:
        return []
    tried = {each.step for episode in known.values() if metric_of(episode.alert) == metric for each in episode.tried}
    cut = {episode.cut.step for episode in known.values() if episode.cut is not None}
    return [step for step in steps if alert in action(step).HELPS and step not in tried | cut]


def kept_s(alert: str, known: dict[str, Episode]) -> float:
    """When something was last kept that may have helped it."""
    metric = metric_of(alert)
    return max((episode.kept_s for episode in known.values() if metric and metric_of(episode.alert) == metric), default=0.0)


def metric_of(alert: str) -> str:
    """By what a rollout shows that it is mended; empty where it cannot."""
    return getattr(dict(in_order()).get(alert), "METRIC", "")


def worst(look: Look, alert: str) -> Finding | None:
    """What fires of an alert: the finding with the largest share over its limit."""
    fires = [each for each in look.findings if each.alert == alert and each.status == "fires"]
    return max(fires, key=lambda each: each.over or 0.0, default=None)
