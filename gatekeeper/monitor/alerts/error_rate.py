"""Too many requests are not answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gatekeeper.config.section import Section
from gatekeeper.monitor.alerts._base import Counted, Rule, Severity, Trial, camel
from gatekeeper.monitor.alerts._share import MINUTES, enough, least, rising, scarce, shared
from gatekeeper.monitor.signals import error_rate
from gatekeeper.monitor.signals._shares import steps_of
from gatekeeper.monitor.window import REQUESTS

if TYPE_CHECKING:
    from gatekeeper.monitor.reference import Reference
    from gatekeeper.monitor.site import Site
    from gatekeeper.monitor.window import Window

DESCRIPTION = "More requests than `max` got a 5xx."
SEVERITY: Severity = "page"
REMEDY = "Look at the server's log; go back to the model before if it began with a rollout."
ORDER, CERTIFIED = 20, "error_rate"
FAULT, METRIC = "errors", "error_rate"


class Config(Section, frozen=True, kw_only=True):
    """Limit of the error rate."""

    max: Annotated[float, Meta(gt=0, lt=1, description="Largest share of requests that may get a 5xx.")] = 0.01


DEFAULT = Config()


def limited(limit: float) -> Config:
    """A certificate's limit."""
    return Config(max=limit)


def counted(window: Window, config: Config) -> Counted:
    """Failed requests of all."""
    failed, every = steps_of(window, REQUESTS, "code", "5")
    return Counted(failed, every, config.max, error_rate.read(window).value, config.max, "fraction")


def rules(config: Config, site: Site, reference: Reference | None) -> list[Rule]:
    """One."""
    minutes = MINUTES
    fine, failed = site.series(REQUESTS, code="200"), site.series(REQUESTS, code="503")
    much = enough(least(config.max))
    bad = min(0.9, 3 * config.max) * much
    trials = [
        Trial("no request fails", [(fine, rising(much, minutes))], minutes, False),
        Trial(
            "half the limit", [(fine, rising(much, minutes)), (failed, rising(config.max / 2 * much, minutes))], minutes, False
        ),
        Trial("too few to tell", [(failed, rising(scarce(least(config.max)), minutes))], minutes, False),
        Trial("requests fail", [(fine, rising(much - bad, minutes)), (failed, rising(bad, minutes))], minutes, True),
    ]
    expr, every = f"{error_rate.query(site)} > {config.max:g}", site.rise(REQUESTS)
    return [shared(camel("error_rate"), expr, every, config.max, trials)]
