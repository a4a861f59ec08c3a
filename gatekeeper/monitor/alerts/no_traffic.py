"""No requests come, where some should."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gatekeeper.config.section import Section
from gatekeeper.monitor.alerts._base import Exceeded, Rule, Severity, Trial, camel
from gatekeeper.monitor.alerts._share import WAIT_S, rising
from gatekeeper.monitor.signals import throughput
from gatekeeper.monitor.window import REQUESTS

if TYPE_CHECKING:
    from gatekeeper.monitor.reference import Reference
    from gatekeeper.monitor.site import Site
    from gatekeeper.monitor.window import Window

DESCRIPTION = "Fewer requests came than `least` an hour."
SEVERITY: Severity = "ticket"
REMEDY = "Look at what is before the server: without requests nothing shows that the model is well."
ORDER = 15
FAULT = "no_traffic"


class Config(Section, frozen=True, kw_only=True):
    """Limit of the traffic."""

    least: Annotated[float, Meta(gt=0, description="Fewest requests an hour.")]


DEFAULT = None


def exceeded(window: Window, config: Config) -> Exceeded:
    """Requests an hour."""
    an_hour = (throughput.read(window).value or 0.0) * 3600
    return Exceeded(an_hour, config.least, "per h", an_hour < config.least)


def rules(config: Config, site: Site, reference: Reference | None) -> list[Rule]:
    """One; where there never was a request there is no series, which is 0 of them."""
    minutes = round(site.short / 60) + 15
    series, expected = site.series(REQUESTS, code="200"), config.least * site.short / 3600
    a_minute = 4 * config.least / 60
    trials = [
        Trial("requests come", [(series, rising(a_minute, minutes))], minutes, False),
        Trial("none ever came", [], minutes, True),
        Trial("they have ended", [(series, f"0+{a_minute:g}x5 {5 * a_minute:g}x{minutes}")], minutes, True),
    ]
    return [Rule(camel("no_traffic"), f"({site.rise(REQUESTS)} or vector(0)) < {expected:g}", WAIT_S, trials)]
