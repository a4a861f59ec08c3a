"""An input feature lies elsewhere than when the model was approved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.monitor.alerts._base import Rule, Severity
from gatekeeper.monitor.alerts._drift import Floor

if TYPE_CHECKING:
    from gatekeeper.monitor.reference import Reference
    from gatekeeper.monitor.site import Site

DESCRIPTION = "An input feature lies elsewhere than when the model was approved."
SEVERITY: Severity = "ticket"
REMEDY = "Look at the feature that is named and at what sends it. If it is to stay so, approve the model on such data."
ORDER = 80
Config = Floor
DEFAULT = Floor()


def rules(config: Floor, site: Site, reference: Reference | None) -> list[Rule]:
    """None: no counter shows it, and `gatekeeper watch` reads it from the log of requests."""
    return []
