"""docs/selection.md: its tables are the ones that the selection is made by."""

from __future__ import annotations

from collections.abc import Callable

from gatekeeper.hardware.selection import TARGETS, hardware
from gatekeeper.planning.selection.requirements import NEEDS, ORDERS, REQUIREMENTS
from gatekeeper.planning.selection.techniques import ROWS
from gatekeeper.planning.selection.tree import TREE, Branch
from gatekeeper.reference.tables import REPOSITORY, cell, filled, table

PAGE = "docs/selection.md"


def page() -> str:
    """The text of the page, with its tables as they must be."""
    return filled(REPOSITORY / PAGE, TABLES)


def _tree() -> str:
    rows = [(_when(each), _names(each.frameworks) or "the platform's primary", cell(each.because)) for each in TREE]
    return table(("first branch that fits", "start with", "because"), rows)


def _when(branch: Branch) -> str:
    said = [f"target {_names(branch.targets)}"] if branch.targets else []
    said += [f"more than {branch.more_than:,} parameters"] if branch.more_than else []
    said += [word for word in ("text", "multimodal", "enterprise") if getattr(branch, word)]
    return ", ".join(said) or "anything else"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _platforms() -> str:
    rows = []
    for name in TARGETS.builtin:
        module = hardware(name)
        rows.append((f"`{name}`", f"`{module.PRIMARY}`", f"`{module.SECOND}`", cell(module.SPECIAL)))
    return table(("hardware", "primary", "second", "special"), rows)


def _requirements() -> str:
    rows = [(f"`{name}`", *(row[need] for need in NEEDS)) for name, row in REQUIREMENTS.items()]
    return table(("", *(need.replace("_", " ") for need in NEEDS)), rows)


def _orders() -> str:
    return table(("goal", "order"), [(f"`{goal}`", _names(order)) for goal, order in ORDERS.items()])


def _techniques() -> str:
    rows = [
        (f"`{r.framework}`", ", ".join(r.kinds) or "any", " ".join(r.isa) or "any", ", ".join(r.devices) or "any",
         _names(r.techniques), cell(r.because)) for r in ROWS
    ]  # fmt: skip
    return table(("framework", "model", "one of", "device", "techniques", "because"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "tree": _tree, "platforms": _platforms, "requirements": _requirements, "orders": _orders, "techniques": _techniques,
}  # fmt: skip
