"""`deployment.hosts`: where the stage `production_deployment` brings a model to users itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gatekeeper.config.section import Duration, NonEmpty, Section

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review


class Host(Section, frozen=True, kw_only=True):
    """A machine that serves the model. The job that runs the stage must run on it."""

    host: Annotated[
        NonEmpty, Meta(description="Its name, as `hostname` says it, or localhost.", examples=["localhost", "edge-1"])
    ]
    port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)], Meta(description="Where users ask, on loopback, when the first model is deployed.")
    ] = 8080
    state: Annotated[
        NonEmpty,
        Meta(
            description="Folder of what stands there, as `gatekeeper deploy --state`, relative to this file; outside of a "
            "checkout that each job cleans.",
            examples=["/var/lib/digits"],
        ),
    ] = "gatekeeper-live"
    deadline: Annotated[Duration, Meta(description="Longest time for the rollout; then the new model has no traffic left.")] = (
        "1h"
    )
    burst: Annotated[Duration, Meta(description="Failures within this time are one observation.")] = "1s"


def problems(review: Review) -> None:
    """More than one machine is for a controller of Kubernetes."""
    hosts = review.pipeline.deployment.hosts
    if len(hosts) > 1:
        said = (
            f"{len(hosts)} hosts are named, and one is supported: the machine that the job runs on. For more, let a "
            "controller do it: gatekeeper deploy --for argo, flagger or kserve."
        )
        review.add(("deployment", "hosts"), said, key=True)
    if hosts and "production_deployment" not in review.pipeline.stages:
        said = "deployment.hosts does nothing without the stage production_deployment. List it, or remove `hosts`."
        review.add(("deployment", "hosts"), said, key=True)
