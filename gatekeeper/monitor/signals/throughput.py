"""Requests a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.monitor.signals._base import Reading
from gatekeeper.monitor.site import span
from gatekeeper.monitor.window import REQUESTS, STEPS

if TYPE_CHECKING:
    from gatekeeper.monitor.site import Site
    from gatekeeper.monitor.window import Window

DESCRIPTION = "Requests a second, whatever became of them."
UNIT, ORDER = "per s", 30


def read(window: Window) -> Reading:
    """The mean over the window, and beside it the busiest part of it."""
    steps = sum(window.by(REQUESTS, "code").values())
    n = int(steps.sum()) if not isinstance(steps, int) else 0
    seconds = window.end - window.start
    if not n:
        return Reading(value=0.0, n=0, why="there was no request")
    return Reading(value=n / seconds, n=n, more={"busiest": float(steps.max()) / (seconds / STEPS)})  # type: ignore[union-attr]


def query(site: Site) -> str:
    """In PromQL."""
    return f"sum(rate({site.series(REQUESTS)}[{span(site.short)}]))"
