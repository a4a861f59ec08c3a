"""The limits that apply to a target: what the file says of a gate in several places, the nearest one winning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from gatekeeper.config.load import ROOT, Loaded
from gatekeeper.config.source import Path_
from gatekeeper.config.types import Target
from gatekeeper.gates._base import REGISTRY, Gate, GateConfig, gate

DISABLED = "disabled"


@dataclass(frozen=True)
class Limit:
    """One gate as it applies to one target. `config` is None where the file disables it."""

    name: str
    gate: Gate
    config: GateConfig | None
    where: str


def limits(loaded: Loaded, target: Target) -> list[Limit]:
    """Every gate that applies to a target."""
    found = []
    for name in REGISTRY.names:
        module = gate(name)
        values, path = merged(loaded, target, name)
        if values is None and module.DEFAULT is None:
            continue
        config = None if values == DISABLED else msgspec.convert(values or {}, module.Config)
        found.append(Limit(name=name, gate=module, config=config, where=loaded.where(*path)))
    return found


def merged(loaded: Loaded, target: Target, name: str) -> tuple[Any, Path_]:
    """A gate's values from all places, and the path of the one that sets its limit; None if none speaks of it."""
    key = gate(name).limit_key
    values: Any = None
    where: Path_ = ("gates", name)
    for path, layer in _layers(loaded, target, name):
        if not isinstance(layer, dict):
            values, where = layer, path
        else:
            values = {**(values if isinstance(values, dict) else {}), **layer}
            if key in layer:
                where = path if path[-1] == "accuracy_threshold" else (*path, key)
    return values, where


def _layers(loaded: Loaded, target: Target, name: str) -> list[tuple[Path_, Any]]:
    """(path, what is said there), from the weakest to the strongest."""
    found: list[tuple[Path_, Any]] = []
    threshold = loaded.pipeline.model_validation.accuracy_threshold
    if name == "accuracy" and threshold is not None:
        found.append((("model_validation", "accuracy_threshold"), {gate(name).limit_key: threshold}))
    common = (loaded.source.data[ROOT].get("gates") or {}).get(name)
    if common is not None:
        found.append((("gates", name), common))
    for index, raw in enumerate(loaded.source.data[ROOT].get("targets") or []):
        own = (raw.get("gates") or {}).get(name)
        if raw["name"] == target.name and own is not None:
            found.append((("targets", index, "gates", name), own))
    return found
