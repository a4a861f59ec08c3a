"""`dataset.also`: further evaluation sets, each with a limit of its own."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.config.section import Count, Function, Section, Sha256, Share


class AlsoSet(Section, frozen=True, kw_only=True):
    """A further evaluation set. What it does not say of its data is as the main set's."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$",
            description="What it is called in the report, whose gates are then `accuracy/name`.",
            examples=["maths"],
        ),
    ]
    path: Annotated[str | None, Meta(description="Its data, in the formats of `dataset.path`.")] = None
    loader: Annotated[Function | None, Meta(description="`package.module:function` returning (inputs, labels).")] = None
    sha256: Annotated[list[Sha256], Meta(description="As `dataset.sha256`, of this set.")] = []
    retention: Annotated[
        Share | None,
        Meta(description="Least fraction of the baseline's accuracy that is kept here; default: the accuracy gate's."),
    ] = None
    on_fail: Annotated[
        Literal["fail", "warn", "repair"],
        Meta(description="`fail` blocks; `warn` reports what fails here and does not block; `repair` as in `gates`."),
    ] = "fail"
    metric: Annotated[str | None, Meta(description="As `dataset.metric`.")] = None
    range: Annotated[
        Annotated[list[float], Meta(min_length=2, max_length=2)] | None, Meta(description="As `dataset.range`, of this `metric`.")
    ] = None
    labels: Annotated[str | None, Meta(description="As `dataset.labels`.")] = None
    annotations: Annotated[str | None, Meta(description="As `dataset.annotations`.")] = None
    slices: Annotated[str | list[str] | None, Meta(description="As `dataset.slices`.")] = None
    inputs: Annotated[dict[str, str] | None, Meta(description="As `dataset.inputs`.")] = None
    limit: Annotated[Count | None, Meta(description="As `dataset.limit`.")] = None
    new_tokens: Annotated[Count | None, Meta(description="As `dataset.new_tokens`.")] = None


INHERITED = ("labels", "annotations", "slices", "inputs", "limit", "new_tokens")
"""Keys that are the main set's where a further one does not say."""
