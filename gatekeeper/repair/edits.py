"""Changes of a pipeline file as data: what a remedy asks for, the values that it sets, and which it may set at all."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field, replace
from typing import Any

from gatekeeper.config.source import ROOT
from gatekeeper.errors import UsageError
from gatekeeper.records.repaired import Edit

Path_ = tuple[str | int, ...]

TECHNIQUES = ("optimization", "techniques")
OF_TARGET = ("threads", "hint")
OF_MEASURE = ("threads",)


@dataclass(frozen=True)
class Place:
    """Where a file speaks of a variant: the entry of that number in a framework's techniques, None where the file names none."""

    framework: str
    technique: str
    options: dict[str, Any] = field(default_factory=dict)
    index: int | None = None


@dataclass(frozen=True)
class Change:
    """What a remedy asks for: options of the variant's technique, another technique, values elsewhere in the file."""

    options: dict[str, Any] = field(default_factory=dict)
    technique: str = ""  # empty: as it is
    values: dict[Path_, Any] = field(default_factory=dict)

    def parts(self) -> list[Change]:
        """What it is made of: each sets one value."""
        whole = [Change(technique=self.technique)] if self.technique else []
        options = [Change(options={key: value}) for key, value in self.options.items()]
        return [*whole, *options, *(Change(values={path: value}) for path, value in self.values.items())]

    def without(self, part: Change) -> Change:
        """All but one of its parts. Options of a technique go with it where that is what is left out."""
        if part.technique:
            return Change(values=self.values)
        options = {key: value for key, value in self.options.items() if key not in part.options}
        values = {path: value for path, value in self.values.items() if path not in part.values}
        return replace(self, options=options, values=values)

    def with_(self, other: Change) -> Change | None:
        """Both together; None where they contradict each other."""
        if self.technique and other.technique and self.technique != other.technique:
            return None
        if bool(self.technique) != bool(other.technique) and (self.options if other.technique else other.options):
            return None  # the options were of another technique
        if set(self.options) & set(other.options) or set(self.values) & set(other.values):
            return None
        return Change({**self.options, **other.options}, self.technique or other.technique, {**self.values, **other.values})


def edits_of(change: Change, place: Place) -> list[Edit]:
    """The values that a change sets in the file."""
    values = [Edit(path=path, value=value) for path, value in change.values.items()]
    name = change.technique or place.technique
    options = change.options if change.technique else {**place.options, **change.options}
    entry: Any = {name: options} if options else name
    path: Path_ = (*TECHNIQUES, place.framework)
    if not (change.technique or change.options):
        return values
    if place.index is None:  # a list of which nothing is written down: those that suit the target
        return [Edit(path=path, value=[entry]), *values]
    if change.technique:
        return [Edit(path=(*path, place.index), value=entry), *values]
    own = [Edit(path=(*path, place.index, name, key), value=value) for key, value in change.options.items()]
    return [*own, *values]


def check_allowed(edits: list[Edit]) -> None:
    """`UsageError` where a remedy would change what decides: limits, data, the model or what it is held against."""
    for each in edits:
        path = each.path
        technique = path[:2] == TECHNIQUES and len(path) > 2
        target = len(path) == 3 and path[0] == "targets" and path[2] in OF_TARGET
        measure = len(path) == 2 and path[0] == "measure" and path[1] in OF_MEASURE
        if not (technique or target or measure):
            raise UsageError(f"a remedy would set {each}, and may set techniques, their options, and threads alone.")


def applied(data: Any, edits: list[Edit]) -> Any:
    """Plain data of a pipeline file with these values set, as it would be read."""
    whole = copy.deepcopy(data)
    for each in edits:
        _set(whole, (ROOT, *each.path), copy.deepcopy(each.value))
    return whole


def _set(whole: Any, path: Path_, value: Any) -> None:
    node: Any = whole
    for here, following in itertools.pairwise(path):
        if isinstance(node, dict) and node.get(here) is None:
            node[here] = {}
        elif (
            isinstance(node, list) and isinstance(here, int) and node[here] == following
        ):  # `int8_static` becomes `{int8_static: {...}}`
            node[here] = {following: {}}
        node = node[here]
    node[path[-1]] = value
