"""An image in other light."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from gatekeeper.data.corruptions._base import About, Amount

DESCRIPTION = "Makes images brighter, or darker."
TAKES = "images"


class Options(Amount, frozen=True, kw_only=True):
    """How much brighter."""

    by: Annotated[
        float,
        Meta(ge=-1, le=1, description="What is added, as a share of the range of the input's numbers; below 0 it gets darker."),
    ] = 0.2


def corrupt(example: Any, options: Options, about: About, draw: Any) -> Any:
    """The same added everywhere; what leaves the range stays at its end, as in a camera."""
    return example + options.by * (about.high - about.low)
