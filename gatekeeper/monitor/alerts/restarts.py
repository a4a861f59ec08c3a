"""The processes that hold the model die."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gatekeeper.config.section import Section
from gatekeeper.monitor.alerts._base import Exceeded, Rule, Severity, Trial, camel
from gatekeeper.monitor.alerts._share import MINUTES, rising
from gatekeeper.monitor.window import RESTARTS

if TYPE_CHECKING:
    from gatekeeper.monitor.reference import Reference
    from gatekeeper.monitor.site import Site
    from gatekeeper.monitor.window import Window

DESCRIPTION = "More than `max` session processes of the server died within the window."
SEVERITY: Severity = "page"
REMEDY = "Look at the server's log for how they died, and at the memory it may use."
ORDER = 25
FAULT = "deaths"


class Config(Section, frozen=True, kw_only=True):
    """Limit of deaths."""

    max: Annotated[int, Meta(ge=0, description="Most deaths within `monitoring.window`.")] = 3


DEFAULT = Config()


def exceeded(window: Window, config: Config) -> Exceeded | None:
    """Deaths in the window; None where the server does not count them."""
    by = window.by(RESTARTS, "")
    died = float(sum(steps.sum() for steps in by.values()))
    return Exceeded(died, config.max, "", died > config.max) if by else None


def rules(config: Config, site: Site, reference: Reference | None) -> list[Rule]:
    """One; rates are extrapolated a little, so that half a death decides."""
    minutes, series = MINUTES, site.series(RESTARTS)
    trials = [
        Trial("none dies", [(series, f"0x{minutes}")], minutes, False),
        Trial("all die again and again", [(series, rising(max(1, config.max), 30))], 25, True),
        Trial("as many die as may", [(series, f"0x10 {config.max}x{minutes}")], 60, False),
    ]
    return [Rule(camel("restarts"), f"{site.rise(RESTARTS, over=site.long)} > {config.max + 0.5:g}", 0.0, trials)]
