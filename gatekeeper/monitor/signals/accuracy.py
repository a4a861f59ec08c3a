"""Share of the answers with a label that were right, however late the label came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.monitor.signals._base import Reading, nothing
from gatekeeper.monitor.signals._shares import steps_of
from gatekeeper.monitor.window import LABELLED

if TYPE_CHECKING:
    from gatekeeper.monitor.site import Site
    from gatekeeper.monitor.window import Window

DESCRIPTION = "Share of the answers with a label that were right, however late the label came."
UNIT, ORDER = "fraction", 50


def read(window: Window) -> Reading:
    """From counters by the label `right`, or from a log."""
    right, every = steps_of(window, LABELLED, "right", "true")
    n = int(every.sum())
    return Reading(value=float(right.sum() / n), n=n) if n else nothing("no answer has a label yet")


def query(site: Site) -> str:
    """In PromQL."""
    right = site.rise(LABELLED, over=site.long, right="true")
    return f"({right} or vector(0)) / {site.rise(LABELLED, over=site.long)}"
