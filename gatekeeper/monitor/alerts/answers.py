"""The answers are spread otherwise than when the model was approved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.monitor.alerts._base import Rule, Severity
from gatekeeper.monitor.alerts._drift import Floor

if TYPE_CHECKING:
    from gatekeeper.monitor.reference import Reference
    from gatekeeper.monitor.site import Site

DESCRIPTION = "The answers are spread otherwise than when the model was approved."
SEVERITY: Severity = "ticket"
REMEDY = "Look at the inputs first: docs/monitoring.md says how to tell drift of the inputs from a broken model."
ORDER = 75
Config = Floor
DEFAULT = Floor()


def rules(config: Floor, site: Site, reference: Reference | None) -> list[Rule]:
    """None: no counter shows it, and `gatekeeper watch` reads it from the log of requests."""
    return []
