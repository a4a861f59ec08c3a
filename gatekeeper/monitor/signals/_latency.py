"""Quantiles of the time from a request's head to its answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gatekeeper.monitor.signals._base import Reading, nothing
from gatekeeper.monitor.signals._shares import quantile
from gatekeeper.monitor.site import span
from gatekeeper.monitor.window import LATENCY

if TYPE_CHECKING:
    from gatekeeper.monitor.site import Site
    from gatekeeper.monitor.window import Window

UNIT = "ms"


def read_quantile(window: Window, share: float) -> Reading:
    """In milliseconds."""
    value, n = quantile(window, LATENCY, share)
    if value is None:
        return nothing("no request was answered")
    if value == math.inf:
        return Reading(value=None, n=n, why="above the last end of the server's histogram")
    return Reading(value=value * 1e3, n=n)


def query_quantile(site: Site, share: float) -> str:
    """In milliseconds."""
    return f"1000 * {of_buckets(site, share)}"


def of_buckets(site: Site, share: float) -> str:
    """In seconds."""
    return f"histogram_quantile({share:g}, sum by (le) (increase({site.series(LATENCY)}[{span(site.short)}])))"
