"""What a watch knows, as Prometheus reads it. What is not known has no sample: it is neither 0 nor well."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from gatekeeper.monitor.alerts._base import alert as alert_of

if TYPE_CHECKING:
    from gatekeeper.monitor.decide import Look
    from gatekeeper.monitor.resolution.journal import Entry

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(look: Look | None, tried: Sequence[Entry] = ()) -> bytes:
    """The text of /metrics after a look; before the first one only that there was none."""
    from prometheus_client import CollectorRegistry, generate_latest

    class Found:
        def collect(self) -> Iterable[Any]:
            return _families(look, tried)

    registry = CollectorRegistry()
    registry.register(Found())
    return generate_latest(registry)


def _families(look: Look | None, tried: Sequence[Entry]) -> list[Any]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    looks = CounterMetricFamily("gatekeeper_watch_looks", "Looks of all time.", value=look.look if look else 0)
    steps = CounterMetricFamily(
        "gatekeeper_watch_steps", "Steps that were tried against alerts.", labels=["alert", "step", "decision", "kept"]
    )
    counted: dict[tuple[str, str, str, str], int] = {}
    for entry in tried:
        if entry.step and entry.decision:
            labels = (entry.alert, entry.step, entry.decision, str(entry.kept).lower())
            counted[labels] = counted.get(labels, 0) + 1
    for key, count in counted.items():
        steps.add_metric(list(key), count)
    if look is None:
        return [looks, steps]
    last = GaugeMetricFamily(
        "gatekeeper_watch_last_look_timestamp_seconds",
        "When it looked last.",
        value=datetime.datetime.fromisoformat(look.time).timestamp(),
    )
    unread = GaugeMetricFamily(
        "gatekeeper_watch_unread", "Things that could not be read in the last look.", value=len(look.unread)
    )
    verdict = GaugeMetricFamily("gatekeeper_watch_verdict", "1 of what the last look says.", labels=["verdict"])
    for name in ("fires", "unread", "undecided", "fine"):
        verdict.add_metric([name], float(look.verdict == name))
    signals = GaugeMetricFamily("gatekeeper_watch_signal", "A signal's value in the window.", labels=["signal", "unit"])
    for seen in look.signals:
        if seen.value is not None:
            signals.add_metric([seen.name, seen.unit], seen.value)
    observed = GaugeMetricFamily(
        "gatekeeper_watch_observed",
        "What was observed: a distance, a share, a latency.",
        labels=["name", "test", "alert", "unit"],
    )
    chance = GaugeMetricFamily("gatekeeper_watch_p_value", "The p-value of a question.", labels=["name", "test", "alert"])
    firing: dict[str, bool] = {}
    for each in look.findings:
        if each.observed is not None:
            observed.add_metric([each.name, each.test, each.alert, each.unit], each.observed)
        if each.p_value is not None:
            chance.add_metric([each.name, each.test, each.alert], each.p_value)
        if each.status in ("fires", "fine"):
            firing[each.alert] = firing.get(each.alert, False) or each.status == "fires"
    unknown = {each.alert for each in look.findings if each.status not in ("fires", "fine")}
    alerts = GaugeMetricFamily("gatekeeper_watch_alert", "1: it fires. 0: it is fine.", labels=["alert", "severity"])
    for name, fires in firing.items():
        if fires or name not in unknown:
            alerts.add_metric([name, alert_of(name).SEVERITY], float(fires))
    return [looks, steps, last, unread, verdict, signals, observed, chance, alerts]
