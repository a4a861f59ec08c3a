"""Nothing is known of the server: it is down, or nobody scrapes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.config.section import Section
from gatekeeper.monitor.alerts._base import Rule, Severity, Trial, camel
from gatekeeper.monitor.window import DEPTH

if TYPE_CHECKING:
    from gatekeeper.monitor.reference import Reference
    from gatekeeper.monitor.site import Site

DESCRIPTION = "The server's metrics are missing, or hold no number."
SEVERITY: Severity = "page"
REMEDY = "Look at `up` in Prometheus: the server is down, not scraped, or under other labels. No other alert can fire meanwhile."
ORDER = 10
FAULT = "killed"
WAIT_S = 300.0


class Config(Section, frozen=True, kw_only=True):
    """It has no limit."""


DEFAULT = Config()


def rules(config: Config, site: Site, reference: Reference | None) -> list[Rule]:
    """Of a gauge that is there before any request, whether it is missing, and whether it is NaN, which equals nothing."""
    depth = site.series(DEPTH)
    trials = [
        Trial("it is there, and idle", [(depth, "0x60")], 30, False),
        Trial("it was never there", [], 30, True),
        Trial("it has gone", [(depth, "0x5 _x60")], 30, True),
    ]
    return [Rule(camel("absent"), f"absent({depth} == {depth})", WAIT_S, trials)]
