"""`monitoring.resolution`: what is tried when an alert fires, where, and who is told when nothing helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from gatekeeper.config.section import Duration, NonEmpty, Section, one_of
from gatekeeper.registry import Registry
from gatekeeper.units import parse_duration

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review

ACTIONS = Registry("monitor.actions", ("DESCRIPTION", "ORDER", "HELPS", "change"))
Step: Any = one_of(ACTIONS.names)


class Resolution(Section, frozen=True, kw_only=True):
    """What `gatekeeper watch` does about an alert; without this section it only tells."""

    live: Annotated[
        NonEmpty | None,
        Meta(description="Folder of `gatekeeper deploy` on this host (its --state), relative to this file: steps go live there."),
    ] = None
    kubernetes: Annotated[
        NonEmpty | None,
        Meta(description="Folder of written manifests: steps are proposed as patches of them, and nothing is applied."),
    ] = None
    result: Annotated[NonEmpty, Meta(description="The report whose variants may be tried, or the folder it is in.")] = (
        "gatekeeper-report"
    )
    steps: Annotated[
        list[Step], Meta(description="What is tried, in this order, each once; default: every action, in its own order.")
    ] = []
    improvement: Annotated[
        Annotated[float, Meta(gt=0, le=1)],
        Meta(description="Part of what is over the alert's limit that a step must take away to be kept."),
    ] = 0.5
    deadline: Annotated[Duration, Meta(description="Longest time for one step; what is not shown by then is undone.")] = "1h"
    burst: Annotated[Duration, Meta(description="Failures within this time are one observation, as in `gatekeeper deploy`.")] = (
        "1s"
    )
    webhook: Annotated[
        Annotated[str, Meta(pattern=r"^https?://[^\s/]+")] | None,
        Meta(description="Is sent the evidence as JSON when nothing helps.", examples=["https://example.org/alerts"]),
    ] = None
    issue: Annotated[
        Annotated[str, Meta(pattern=r"^[\w.-]+/[\w.-]+$")] | None,
        Meta(
            description="Repository (owner/name) in which an issue with the evidence is opened when nothing helps; the token is "
            "in GITHUB_TOKEN.",
            examples=["acme/digits"],
        ),
    ] = None


def problems(review: Review) -> None:
    """One place to act in, and steps that are listed once."""
    own = review.pipeline.monitoring.resolution if review.pipeline.monitoring else None
    if own is None:
        return
    here = ("monitoring", "resolution")
    if bool(own.live) == bool(own.kubernetes):
        said = "both `live` and" if own.live else "neither `live` nor"
        review.add(here, f"monitoring.resolution names {said} `kubernetes`. Name the one where the model serves.", key=True)
    if own.live and review.pipeline.deployment.strategy == "recreate":
        said = "needs users' requests to both what serves and the change, and deployment.strategy recreate gives a change none"
        review.add((*here, "live"), f"monitoring.resolution.live {said}. Use canary, blue_green or rolling.")
    if twice := sorted({step for step in own.steps if own.steps.count(step) > 1}):
        review.add((*here, "steps"), f"{', '.join(twice)} is listed twice, and each step is tried once. Remove one.")
    if parse_duration(own.deadline) < parse_duration(own.burst):
        review.add((*here, "deadline"), f"deadline is {own.deadline}, less than burst, {own.burst}. Raise it.")
