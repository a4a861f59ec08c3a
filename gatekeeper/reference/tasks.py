"""docs/tasks.md: its table is made of the tasks there are; what stands around it is written there by hand."""

from __future__ import annotations

from gatekeeper.evaluate.metrics._base import of_family
from gatekeeper.evaluate.tasks import _numbers
from gatekeeper.evaluate.tasks._base import REGISTRY, Task, task
from gatekeeper.gates import accuracy, outputs, worst_class
from gatekeeper.reference.tables import REPOSITORY, cell, filled, table


def page() -> str:
    """The text of the page, with its table as it must be."""
    return filled(REPOSITORY / "docs" / "tasks.md", {"tasks": tasks})


def tasks() -> str:
    """What each task answers, what its labels are, and what judges it."""
    head = ("`model.task`", "the model answers", "labels", "metric, the default first", "without labels", "limits", "example")
    return table(head, [_row(task(name)) for name in REGISTRY.builtin])


def _row(each: Task) -> tuple[str, ...]:
    metrics = ", ".join(f"`{name}`" for name in of_family(each.FAMILY))
    words = (each.DESCRIPTION, each.LABELS, metrics, each.UNLABELLED, _limits(each))
    return (f"`{each.name}`", *map(cell, words), f"[below](#{each.name})")


def _limits(each: Task) -> str:
    """The gates that judge answers, at what they are where nothing is said."""
    found = [f"`accuracy` {accuracy.DEFAULT.retention:.0%}"]
    if each.ANSWERS == "text":
        return found[0]
    if each.kept is not _numbers.kept:
        found.append(f"`worst_class` {worst_class.DEFAULT.retention:.0%}")
    return ", ".join([*found, f"`outputs` {outputs.DEFAULT.retention:.0%}"])
