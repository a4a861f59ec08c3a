"""The p95 of the latency is above its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.monitor.alerts._base import Counted, Rule, Severity
from gatekeeper.monitor.alerts._latency import Limit, counted_over, rules_over
from gatekeeper.monitor.signals.latency_p95 import SHARE

if TYPE_CHECKING:
    from gatekeeper.monitor.reference import Reference
    from gatekeeper.monitor.site import Site
    from gatekeeper.monitor.window import Window

DESCRIPTION = "More than 5 % of requests take longer than `max_ms`."
SEVERITY: Severity = "ticket"
REMEDY = "Look at the load and the queue first; docs/verdicts.md says how the latency was measured that it was approved with."
ORDER = 31
FAULT, METRIC = "slowness", "p99_latency"
Config = Limit
DEFAULT = None


def counted(window: Window, config: Limit) -> Counted:
    """Slow requests of all."""
    return counted_over(window, config, SHARE)


def rules(config: Limit, site: Site, reference: Reference | None) -> list[Rule]:
    """One."""
    return rules_over("latency_p95", config, site, SHARE)
