"""Noise on every number."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from gatekeeper.data.corruptions._base import About, Amount

DESCRIPTION = "Adds normal noise to every number."
TAKES = "numbers"


class Options(Amount, frozen=True, kw_only=True):
    """How loud the noise is."""

    sd: Annotated[
        float,
        Meta(gt=0, le=100, description="Its standard deviation, as a share of the input's own (of a table, of each column's)."),
    ] = 0.1


def corrupt(example: Any, options: Options, about: About, draw: Any) -> Any:
    """The example and noise."""
    return example + options.sd * about.spread * draw.standard_normal(example.shape)
