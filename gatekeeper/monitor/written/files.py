"""What `gatekeeper watch --write` writes, and what it leaves out and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.monitor.alerts._base import in_order
from gatekeeper.monitor.site import Site
from gatekeeper.monitor.written import alertmanager, dashboard
from gatekeeper.monitor.written.rules import RULES, TESTS, rule_tests, rules, rules_of
from gatekeeper.units import parse_duration

if TYPE_CHECKING:
    from gatekeeper.config.sections.monitoring import Monitoring
    from gatekeeper.monitor.look import Watched


def site_of(own: Monitoring, watched: Watched) -> Site:
    """How Prometheus is asked about the server."""
    return Site(own.selector, parse_duration(own.rule_window), watched.window_s)


def files(own: Monitoring | None, watched: Watched) -> tuple[dict[str, str], list[str]]:
    """Texts by file name."""
    assert own is not None  # else there was nothing to watch
    site = site_of(own, watched)
    title = f"gatekeeper: {', '.join(own.selector.values())}" if own.selector else "gatekeeper"
    made = {
        RULES: rules(watched, site),
        TESTS: rule_tests(watched, site),
        dashboard.NAME: dashboard.dashboard(watched, site, title),
    }
    left_out = []
    if own.webhook:
        made[alertmanager.NAME] = alertmanager.configuration(own.webhook)
    else:
        left_out.append(f"{alertmanager.NAME} is not written: monitoring.webhook names nobody who would be told.")
    ruled = {module for module, _ in rules_of(watched, site)}
    without = [name for name, module in in_order() if name in watched.limits and module not in ruled]
    if without:
        left_out.append(f"no rule for {', '.join(without)}: no counter shows it, and `gatekeeper watch` looks at it itself.")
    return made, left_out
