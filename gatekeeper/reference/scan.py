"""docs/scan.md: its tables are made of the scans there are; what stands around them is written there by hand."""

from __future__ import annotations

from gatekeeper.reference.tables import REPOSITORY, cell, filled, table
from gatekeeper.scans._base import in_order, rules


def page() -> str:
    """The text of the page, with its tables as they must be."""
    return filled(REPOSITORY / "docs" / "scan.md", {"scans": scans, "rules": all_rules})


def scans() -> str:
    """Each scan, what it looks at, and what does the work."""
    rows = [(f"`{name}`", cell(scan.DESCRIPTION), getattr(scan, "ENGINE", "gatekeeper")) for name, scan in in_order()]
    return table(("scan", "looks at", "by"), rows)


def all_rules() -> str:
    """Each rule, what it means, and what to do."""
    return table(
        ("rule", "what was found", "what to do"), [(f"`{name}`", *map(cell, said)) for name, said in sorted(rules().items())]
    )
