"""The p99 of the latency is above its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.monitor.alerts._base import Counted, Rule, Severity
from gatekeeper.monitor.alerts._latency import LONGEST_MS, Limit, counted_over, rules_over
from gatekeeper.monitor.signals.latency_p99 import SHARE

if TYPE_CHECKING:
    from gatekeeper.monitor.reference import Reference
    from gatekeeper.monitor.site import Site
    from gatekeeper.monitor.window import Window

DESCRIPTION = "More than 1 % of requests take longer than `max_ms`."
SEVERITY: Severity = "page"
REMEDY = "Look at the load and the queue first; docs/verdicts.md says how the latency was measured that it was approved with."
ORDER = 32
FAULT, METRIC = "slowness", "p99_latency"
CERTIFIED = "p99_latency"
Config = Limit
DEFAULT = None


def limited(limit: float) -> Limit | None:
    """A certificate's limit, which is of a server under load; None beyond what a server's histogram tells."""
    return Limit(max_ms=limit) if limit < LONGEST_MS else None


def counted(window: Window, config: Limit) -> Counted:
    """Slow requests of all."""
    return counted_over(window, config, SHARE)


def rules(config: Limit, site: Site, reference: Reference | None) -> list[Rule]:
    """One."""
    return rules_over("latency_p99", config, site, SHARE)
