"""Rules for a share of answers that must not fall below its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.monitor.alerts._base import Rule, Trial, camel
from gatekeeper.monitor.alerts._share import MINUTES, enough, least, rising, scarce, shared

if TYPE_CHECKING:
    from gatekeeper.monitor.site import Site


def rules_under(name: str, family: str, label: str, limit: float, site: Site, query: str) -> list[Rule]:
    """One, over the long stretch: such answers are few."""
    minutes, allowed = MINUTES, 1 - limit
    much = enough(least(allowed))
    yes, no = (site.series(family, **{label: word}) for word in ("true", "false"))

    def parts(wrong: float, a_minute: float) -> list[tuple[str, str]]:
        return [(yes, rising((1 - wrong) * a_minute, minutes)), (no, rising(wrong * a_minute, minutes))]

    trials = [
        Trial("none is wrong", parts(0, much), minutes, False),
        Trial("half of what may be wrong is", parts(allowed / 2, much), minutes, False),
        Trial("too few to tell", parts(1, scarce(least(allowed))), minutes, False),
        Trial("too many are wrong", parts((allowed + 1) / 2, much), minutes, True),
    ]
    return [shared(camel(name), f"{query} < {limit:g}", site.rise(family, over=site.long), allowed, trials)]
