"""The time that 50 % of requests do not exceed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.monitor.signals import _latency
from gatekeeper.monitor.signals._base import Reading

if TYPE_CHECKING:
    from gatekeeper.monitor.site import Site
    from gatekeeper.monitor.window import Window

DESCRIPTION = "Time from a request's head to its answer that 50 % of requests do not exceed."
UNIT, ORDER, SHARE = _latency.UNIT, 10, 0.5


def read(window: Window) -> Reading:
    """From the histogram of the server."""
    return _latency.read_quantile(window, SHARE)


def query(site: Site) -> str:
    """In PromQL."""
    return _latency.query_quantile(site, SHARE)
