"""A report with one thing of it changed, for every thing in it: removed, null, emptied, filled, negated."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

Path_ = tuple[str | int, ...]

OPPOSITES = {
    "fail": "pass", "inconclusive": "pass", "error": "pass", "pass": "skip", "skip": "pass", "all": "best", "best": "all",
    "at_least": "at_most", "at_most": "at_least", "warn": "fail", "accuracy": "agreement",
}  # fmt: skip


def places(item: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Every place in a report, also of lists and objects."""
    if path:
        yield path
    for key, value in item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ():
        yield from places(value, (*path, key))


def at(report: Any, path: Path_) -> Any:
    for key in path:
        report = report[key]
    return report


def _gone(parent: Any, key: Any) -> None:
    del parent[key]


def _null(parent: Any, key: Any) -> None:
    parent[key] = None


def _empty(parent: Any, key: Any) -> None:
    value = parent[key]
    parent[key] = type(value)() if isinstance(value, dict | list | str) else value


def _negated(parent: Any, key: Any) -> None:
    value = parent[key]
    if isinstance(value, bool):
        parent[key] = not value
    elif isinstance(value, int | float):
        parent[key] = -value
    elif isinstance(value, str):
        parent[key] = OPPOSITES.get(value, value)


def _filled(parent: Any, key: Any) -> None:
    value = parent[key]
    parent[key] = "x" if value == "" else 1.0 if value is None else [""] if value == [] else value


WAYS: dict[str, Callable[[Any, Any], None]] = {
    "removed": _gone,
    "null": _null,
    "emptied": _empty,
    "negated": _negated,
    "filled": _filled,
}


def tampered(report: dict[str, Any]) -> Iterator[tuple[str, Path_, dict[str, Any]]]:
    """How, where, and what then stands there."""
    for path in places(report):
        for way, change in WAYS.items():
            edited = copy.copy(report)  # what is not on the path is shared
            parent = edited
            for key in path[:-1]:
                parent[key] = copy.copy(parent[key])
                parent = parent[key]
            before = parent[path[-1]]
            change(parent, path[-1])
            if way == "removed" or parent[path[-1]] is not before:
                yield way, path, edited


def passing(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every gate of a report, once all above it have been made to say that they pass."""
    report["verdict"] = "pass"
    for stage in report.get("stages") or []:
        stage["verdict"] = "pass"
    for target in report["targets"]:
        target["verdict"] = "pass"
        for variant in target["variants"]:
            variant["verdict"] = "pass"
            yield from variant["gates"]


def claimed(report: dict[str, Any], skips: bool = False) -> dict[str, Any]:
    """What somebody writes who wants a leg to pass: that everything does, or that what does not was left out."""
    edited = copy.deepcopy(report)
    for gate in passing(edited):
        if skips and gate["verdict"] != "pass":
            gate.update(verdict="skip", blocking=False)
        gate["verdict"] = "skip" if gate["verdict"] == "skip" else "pass"
    return edited
