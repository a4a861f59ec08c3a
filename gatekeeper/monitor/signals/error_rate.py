"""The share of requests that the server failed to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.monitor.signals._base import Reading, nothing
from gatekeeper.monitor.signals._shares import steps_of
from gatekeeper.monitor.window import REQUESTS

if TYPE_CHECKING:
    from gatekeeper.monitor.site import Site
    from gatekeeper.monitor.window import Window

DESCRIPTION = "Share of requests that got a 5xx: refused (503), too late (504) or failed (500). A 4xx is the client's."
UNIT, ORDER = "fraction", 20


def read(window: Window) -> Reading:
    """From the counters by HTTP status."""
    failed, every = steps_of(window, REQUESTS, "code", "5")
    n = int(every.sum())
    return Reading(value=float(failed.sum() / n), n=n) if n else nothing("there was no request")


def query(site: Site) -> str:
    """In PromQL; where nothing ever failed there is no series of failures."""
    failed = site.rise(REQUESTS, 'code=~"5.."')
    return f"({failed} or vector(0)) / {site.rise(REQUESTS)}"
