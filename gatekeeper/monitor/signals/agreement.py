"""Share of the answers that another model, asked beside it, agreed with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.monitor.signals._base import Reading, nothing
from gatekeeper.monitor.signals._shares import steps_of
from gatekeeper.monitor.window import SHADOWED

if TYPE_CHECKING:
    from gatekeeper.monitor.site import Site
    from gatekeeper.monitor.window import Window

DESCRIPTION = "Share of the answers that another model, asked beside it, agreed with."
UNIT, ORDER = "fraction", 60


def read(window: Window) -> Reading:
    """From counters by the label `agrees`, or from a log."""
    right, every = steps_of(window, SHADOWED, "agrees", "true")
    n = int(every.sum())
    return Reading(value=float(right.sum() / n), n=n) if n else nothing("no answer was compared with another model's")


def query(site: Site) -> str:
    """In PromQL."""
    right = site.rise(SHADOWED, over=site.long, agrees="true")
    return f"({right} or vector(0)) / {site.rise(SHADOWED, over=site.long)}"
