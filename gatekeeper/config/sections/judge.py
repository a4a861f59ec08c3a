"""`monitoring.judge`: by what `gatekeeper watch --listen` judges a rollout that a controller of Kubernetes carries out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gatekeeper.config.section import Duration, Section
from gatekeeper.units import parse_duration

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review

Share = Annotated[float, Meta(gt=0, lt=1)]


class Judging(Section, frozen=True, kw_only=True):
    """Limits of the new model beside the old one, at the same time, by what Prometheus has of both."""

    label: Annotated[
        Annotated[str, Meta(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")] | None,
        Meta(
            description="Label of the server's series that tells both models apart; default: `rollouts_pod_template_hash` where "
            "Argo asks, `pod` where Flagger does.",
            examples=["pod"],
        ),
    ] = None
    stretch: Annotated[
        Duration, Meta(description="Requests within this time are one observation; not less than Prometheus' scrape_interval.")
    ] = "15s"
    error_rate: Annotated[Share, Meta(description="Share of requests by which the new model may fail more often.")] = 0.01
    slow_rate: Annotated[Share, Meta(description="Share of requests by which the new model may be slow more often.")] = 0.01
    slow_ms: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(
            description="From when on a request is slow, an end of one of the histogram's buckets; default: testing.load.p99_ms, "
            "else alerts.latency_p99.max_ms."
        ),
    ] = None
    disagreement: Annotated[
        Share | None,
        Meta(
            description="Share of the new model's shadowed answers that may differ (gatekeeper_shadowed_total); default: "
            "answers are not judged."
        ),
    ] = None


def problems(review: Review) -> None:
    """What it reads must be named."""
    own = review.pipeline.monitoring.judge if review.pipeline.monitoring else None
    if own is None or review.pipeline.monitoring is None:
        return
    if not review.pipeline.monitoring.prometheus:
        review.add(
            ("monitoring", "judge"), "monitoring.judge does nothing without monitoring.prometheus. Name that, too.", key=True
        )
    if not review.pipeline.monitoring.selector:
        said = "monitoring.judge without monitoring.selector would count the requests of every model that Prometheus knows."
        review.add(
            ("monitoring", "judge"),
            f"{said} Name the labels of this one's series, such as `selector: {{app: digits}}`.",
            key=True,
        )
    if parse_duration(own.stretch) < 1:
        review.add(("monitoring", "judge", "stretch"), f"monitoring.judge.stretch is {own.stretch}. The least is 1s.")
