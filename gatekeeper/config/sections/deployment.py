"""`deployment`: how an approved model goes live."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.config.section import Section


class Deployment(Section, frozen=True, kw_only=True):
    """How an approved model goes live."""

    strategy: Annotated[
        Literal["blue_green", "canary", "rolling", "recreate"], Meta(description="How the new model replaces the old one.")
    ] = "blue_green"
    traffic_ramping: Annotated[Literal["gradual", "immediate"], Meta(description="How fast traffic moves to the new model.")] = (
        "gradual"
    )
    rollback: Annotated[
        Literal["automatic", "manual"], Meta(description="Who goes back to the old model when error rates rise.")
    ] = "automatic"
    monitoring: Annotated[
        Literal["real_time", "periodic", "disabled"], Meta(description="How the deployed model is watched.")
    ] = "real_time"
