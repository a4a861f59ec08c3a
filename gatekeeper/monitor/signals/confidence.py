"""How sure a classifier was: the largest class probability of each answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.monitor.signals._base import Reading, nothing
from gatekeeper.monitor.signals._shares import quantile
from gatekeeper.monitor.site import span
from gatekeeper.monitor.window import CONFIDENCE

if TYPE_CHECKING:
    from gatekeeper.monitor.site import Site
    from gatekeeper.monitor.window import Window

DESCRIPTION = "Largest class probability that half of the answers do not exceed (`gatekeeper serve --task` counts it)."
UNIT, ORDER = "fraction", 40


def read(window: Window) -> Reading:
    """The median, and beside it the whole histogram: the share of answers that are at most so sure."""
    value, n = quantile(window, CONFIDENCE, 0.5)
    if value is None:
        return nothing("no confidence was counted: serve with --task, or log it")
    shares = {end: float(steps.sum()) / n for end, steps in window.by(CONFIDENCE, "le").items()}
    return Reading(value=min(value, 1.0), n=n, more=dict(sorted(shares.items(), key=lambda each: float(each[0]))))


def query(site: Site) -> str:
    """In PromQL."""
    return f"histogram_quantile(0.5, sum by (le) (increase({site.series(CONFIDENCE)}[{span(site.short)}])))"
