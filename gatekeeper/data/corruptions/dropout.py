"""Numbers that are not there: dead pixels, sensors that say nothing."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from gatekeeper.data.corruptions._base import About, Amount

DESCRIPTION = "Sets some of the numbers to zero, of images whole pixels."
TAKES = "numbers"


class Options(Amount, frozen=True, kw_only=True):
    """How many."""

    share: Annotated[float, Meta(gt=0, le=1, description="Share of the numbers (of images: pixels) that is lost.")] = 0.1


def corrupt(example: Any, options: Options, about: About, draw: Any) -> Any:
    """Zero where the lot falls, in all channels of a pixel."""
    shape = [1 if axis == about.channels else length for axis, length in enumerate(example.shape)]
    return example * (draw.random(shape) >= options.share)
