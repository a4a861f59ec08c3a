"""`monitoring`: where the deployed model's numbers are, and the limits of its alerts; a field for each alert there is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.config.section import Duration, NonEmpty, Section, make_section
from gatekeeper.config.sections import judge, resolution
from gatekeeper.config.sections.judge import Judging
from gatekeeper.config.sections.resolution import Resolution
from gatekeeper.registry import Registry
from gatekeeper.units import parse_duration

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review

ALERTS = Registry("monitor.alerts", ("DESCRIPTION", "SEVERITY", "REMEDY", "ORDER", "Config", "DEFAULT", "rules"))
Address = Annotated[str, Meta(pattern=r"^https?://[^\s/]+", examples=["http://127.0.0.1:9090"])]
LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*"
SHORTEST_S = 60.0


def _alert_fields() -> list[tuple[str, Any, Any]]:
    """One field per alert."""
    fields: list[tuple[str, Any, Any]] = []
    for name in ALERTS.names:
        module = ALERTS.get(name)
        kind = Annotated[module.Config | Literal["disabled"] | None, Meta(description=module.DESCRIPTION)]  # type: ignore[name-defined]
        fields.append((name, kind, None))
    return fields


Alerts = make_section("Alerts", "The limits of the alerts.", _alert_fields())


class Monitoring(Section, frozen=True, kw_only=True):
    """How the deployed model is watched: `gatekeeper watch`."""

    prometheus: Annotated[Address | None, Meta(description="A Prometheus that scrapes the server.")] = None
    metrics: Annotated[
        Address | None,
        Meta(description="The server's own /metrics, where no Prometheus scrapes it: http://127.0.0.1:8000/metrics."),
    ] = None
    requests: Annotated[
        NonEmpty | None,
        Meta(description="Log of requests: a file of JSON lines, or a folder of such files (docs/monitoring.md)."),
    ] = None
    labels: Annotated[NonEmpty | None, Meta(description="Labels that came later, by the `id` of their request; JSON lines.")] = (
        None
    )
    selector: Annotated[
        dict[str, str],
        Meta(description="Labels that tell the server's series from others' in Prometheus, such as `job: digits`."),
    ] = {}
    reference: Annotated[
        NonEmpty, Meta(description="What was normal when the model was approved; `gatekeeper watch FILE --learn LOG` writes it.")
    ] = "reference.npz"
    certificate: Annotated[NonEmpty | None, Meta(description="Certificate of the model, whose limits hold here, too.")] = None
    trust: Annotated[NonEmpty | None, Meta(description="Trust file: who may have signed the certificate.")] = None
    window: Annotated[Duration, Meta(description="How far a look goes back.")] = "24h"
    every: Annotated[Duration, Meta(description="How often `gatekeeper watch` looks.")] = "24h"
    rule_window: Annotated[Duration, Meta(description="How far the written rules go back for what comes with every request.")] = (
        "1h"
    )
    webhook: Annotated[
        Address | None, Meta(description="Whom Alertmanager tells; without it no configuration of it is written.")
    ] = None
    judge: Annotated[Judging | None, Meta(description="How rollouts are judged that a controller of Kubernetes carries out.")] = (
        None
    )
    resolution: Annotated[Resolution | None, Meta(description="What is tried when an alert fires.")] = None
    alerts: Annotated[Alerts, Meta(description="Limits of the alerts; `disabled` turns one off.")] = Alerts()  # type: ignore[valid-type]


def problems(review: Review) -> None:
    """Keys that do nothing without others, and times that cannot be."""
    own = review.pipeline.monitoring
    if own is None:
        return
    resolution.problems(review)
    judge.problems(review)
    here = "monitoring"
    if not (own.prometheus or own.metrics or own.requests):
        review.add((here,), "monitoring names nothing to read. Name `prometheus`, `metrics` or `requests`.", key=True)
    if own.prometheus and own.metrics:
        review.add((here, "metrics"), "monitoring.prometheus and monitoring.metrics count the same. Remove one.", key=True)
    for name, needs in (("labels", "requests"), ("trust", "certificate"), ("certificate", "trust")):
        if getattr(own, name) and not getattr(own, needs):
            review.add((here, name), f"monitoring.{name} does nothing without monitoring.{needs}. Name that, too.", key=True)
    for label in own.selector:
        if not re.fullmatch(LABEL, label) or label.startswith("__"):
            review.add((here, "selector", label), f"'{label}' is no label of Prometheus. Write letters, digits and _.", key=True)
    for name in ("window", "every", "rule_window"):
        if parse_duration(getattr(own, name)) < SHORTEST_S:
            review.add((here, name), f"monitoring.{name} is {getattr(own, name)}. The least is 1m.")
