"""docs/repair.md: its table is made of the remedies there are; what stands around it is written there by hand."""

from __future__ import annotations

from gatekeeper.reference.tables import REPOSITORY, cell, filled, table
from gatekeeper.repair.remedies._base import REGISTRY, remedy


def page() -> str:
    """The text of the page, with its table as it must be."""
    return filled(REPOSITORY / "docs" / "repair.md", {"remedies": remedies})


def remedies() -> str:
    """Each remedy, when it is tried, at what cost, and what it does about what."""
    rows = []
    for name in sorted(REGISTRY.builtin, key=lambda name: (remedy(name).COST, name)):
        module = remedy(name)
        frameworks = ", ".join(f"`{each}`" for each in getattr(module, "FRAMEWORKS", ())) or "any that has it"
        about = (", ".join(module.FAILURES), frameworks, cell(module.DESCRIPTION), cell(module.CAUSE))
        rows.append((str(module.COST), f"`{name}`", *about))
    return table(("cost", "remedy", "for", "frameworks", "does", "about"), rows)
