"""An image out of focus."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from gatekeeper.data.corruptions._base import About, Amount

DESCRIPTION = "Blurs images by a Gaussian."
TAKES = "images"


class Options(Amount, frozen=True, kw_only=True):
    """How far it reaches."""

    radius: Annotated[float, Meta(gt=0, le=100, description="Standard deviation of the Gaussian, in pixels.")] = 1.0


def corrupt(example: Any, options: Options, about: About, draw: Any) -> Any:
    """Every channel by itself; beyond an edge the image is reflected."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(example, [options.radius if axis in about.plane else 0.0 for axis in range(example.ndim)])
