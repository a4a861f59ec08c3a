"""A pipeline file as values by dotted name: what two files are compared by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from gatekeeper.config.loaded import Loaded
from gatekeeper.config.owners import stages
from gatekeeper.config.source import Path_

_COMMON = ("stages", "model", "inputs", "outputs", "dataset", "measure")
_SAID_OTHERWISE = ("model_validation.accuracy_threshold", "optimization.frameworks")
"""Stages' keys that are a limit, and that are spoken of for each target."""
SETS, _OF_SETS = "dataset.also.", (".retention", ".on_fail")
"""Evaluation sets, and what of them is a limit."""


def flat(loaded: Loaded) -> dict[str, tuple[Path_, Any]]:
    """Every value that is no limit and bears on the verdict, by its dotted name, with its path in the file."""
    whole = msgspec.to_builtins(loaded.pipeline)
    relevant = [*_COMMON, *(name for name, _ in stages() if name in whole)]
    values = {name: each for section in relevant for name, each in _leaves(section, (section,), whole[section])}
    values = {name: each for name, each in values.items() if name not in _SAID_OTHERWISE}
    values = {name: each for name, each in values.items() if not (name.startswith(SETS) and name.endswith(_OF_SETS))}
    for index, target in enumerate(whole["targets"]):
        for key in target.keys() - {"name", "gates", "frameworks"}:
            values |= _leaves(f"targets.{target['name']}.{key}", ("targets", index, key), target[key])
        # Where every variant must pass, one that is tried no longer cannot fail.
        path = ("targets", index, "frameworks") if target["frameworks"] else ("optimization", "frameworks")
        values[f"targets.{target['name']}.frameworks"] = (path, list(loaded.frameworks(loaded.targets[index])))
    return dict(sorted(values.items()))


def _leaves(name: str, path: Path_, value: Any) -> Iterator[tuple[str, tuple[Path_, Any]]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}", (*path, key), inner)
    elif f"{name}." == SETS and isinstance(value, list):
        for index, each in enumerate(value):
            rest = {key: inner for key, inner in each.items() if key != "name"}
            yield from _leaves(f"{SETS}{each['name']}", (*path, index), rest)
    elif value is not None:
        yield name, (path, value)
