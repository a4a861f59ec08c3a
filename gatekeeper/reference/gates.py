"""docs/gates.md: its table of gates is made of those there are."""

from __future__ import annotations

from collections.abc import Callable

from gatekeeper.gates._base import gate, tested_by
from gatekeeper.gates._base import names as gate_names
from gatekeeper.reference.tables import REPOSITORY, cell, filled, table
from gatekeeper.units import format_limit


def page() -> str:
    """The text of the page, with its table as it must be."""
    return filled(REPOSITORY / "docs/gates.md", TABLES)


def _gates() -> str:
    """Those of the optimization stage first, then kind by kind of test."""
    rows = []
    for name in sorted(gate_names(), key=lambda name: (tested_by(name), name)):
        module = gate(name)
        limit = getattr(module.DEFAULT, module.limit_key, None) if module.DEFAULT else None
        default = format_limit(module.BOUND, limit, module.UNIT) or ("measured" if module.DEFAULT else "none")
        kind = tested_by(name)
        rows.append((f"`{name}`", cell(module.DESCRIPTION), default, f"`{kind}`" if kind else ""))
    return table(("gate", "passes where", "default limit", "kind of check"), rows)


TABLES: dict[str, Callable[[], str]] = {"gates": _gates}
