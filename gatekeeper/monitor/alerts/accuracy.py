"""Too few of the answers that a label came for are right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gatekeeper.config.section import Section
from gatekeeper.monitor.alerts._base import Counted, Rule, Severity
from gatekeeper.monitor.alerts._least import rules_under
from gatekeeper.monitor.signals import accuracy
from gatekeeper.monitor.signals._shares import steps_of
from gatekeeper.monitor.window import LABELLED

if TYPE_CHECKING:
    from gatekeeper.monitor.reference import Reference
    from gatekeeper.monitor.site import Site
    from gatekeeper.monitor.window import Window

DESCRIPTION = "Fewer than `min` of the answers that a label came for are right."
SEVERITY: Severity = "page"
REMEDY = "Look at what came in: docs/monitoring.md says how to tell drift of the inputs from a broken model."
ORDER, CERTIFIED = 50, "least_accuracy"
FAULT = "wrong_answers"


class Config(Section, frozen=True, kw_only=True):
    """Limit of the accuracy."""

    min: Annotated[float, Meta(gt=0, lt=1, description="Least share of the answers that a label came for that is right.")]


DEFAULT = None


def limited(limit: float) -> Config | None:
    """A certificate's limit."""
    return Config(min=limit) if 0 < limit < 1 else None


def counted(window: Window, config: Config) -> Counted:
    """Those that are not, of all."""
    right, every = steps_of(window, LABELLED, "right", "true")
    return Counted(every - right, every, 1 - config.min, accuracy.read(window).value, config.min, "fraction")


def rules(config: Config, site: Site, reference: Reference | None) -> list[Rule]:
    """One."""
    return rules_under("accuracy", LABELLED, "right", config.min, site, accuracy.query(site))
