"""Alerts on a quantile of the latency: the share of requests above the limit, of which a hundredth may be for a p99."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gatekeeper.config.section import Section
from gatekeeper.monitor.alerts._base import Counted, Rule, Trial, camel
from gatekeeper.monitor.alerts._share import MINUTES, enough, least, rising, scarce, shared
from gatekeeper.monitor.signals._latency import of_buckets, read_quantile
from gatekeeper.monitor.signals._shares import above
from gatekeeper.monitor.window import LATENCY

if TYPE_CHECKING:
    from gatekeeper.monitor.site import Site
    from gatekeeper.monitor.window import Window

LONGEST_MS = 30_000.0
"""The last end of the server's histogram: a quantile above it cannot be told."""


class Limit(Section, frozen=True, kw_only=True):
    """Limit of a quantile of the latency."""

    max_ms: Annotated[
        float, Meta(gt=0, lt=LONGEST_MS, description="Longest time from a request's head to its answer, in milliseconds.")
    ]


def counted_over(window: Window, config: Limit, share: float) -> Counted:
    """Those that surely took longer: above the first end of a bucket that is not below the limit."""
    over, every = above(window, LATENCY, config.max_ms / 1e3)
    return Counted(over, every, 1 - share, read_quantile(window, share).value, config.max_ms, "ms", LATENCY)


def rules_over(name: str, config: Limit, site: Site, share: float) -> list[Rule]:
    """One."""
    minutes, allowed, limit = MINUTES, 1 - share, config.max_ms / 1e3
    much = enough(least(allowed))

    def buckets(slow: float, a_minute: float) -> list[tuple[str, str]]:
        ends = {f"{limit / 4:g}": 1 - slow, f"{limit:g}": 1 - slow, f"{4 * limit:g}": 1.0, "+Inf": 1.0}
        return [(site.series(LATENCY, le=end), rising(part * a_minute, minutes)) for end, part in ends.items()]

    trials = [
        Trial("all are fast", buckets(0, much), minutes, False),
        Trial("half of what may be slow is", buckets(allowed / 2, much), minutes, False),
        Trial("too few to tell", buckets(1, scarce(least(allowed))), minutes, False),
        Trial("too many are slow", buckets(min(0.9, 3 * allowed), much), minutes, True),
    ]
    expr = f"{of_buckets(site, share)} > {limit:g}"
    return [shared(camel(name), expr, site.rise(LATENCY, le="+Inf"), allowed, trials)]
