"""The limits that apply to a target: what the file says of a gate in several places, the nearest one winning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import msgspec

from gatekeeper.config.loaded import Loaded
from gatekeeper.config.sections.gates import DISABLED, same_as
from gatekeeper.config.sections.targets import Target
from gatekeeper.config.source import Path_
from gatekeeper.gates._base import Gate, GateConfig, gate, per_set
from gatekeeper.gates._base import names as gate_names
from gatekeeper.ids import on_set
from gatekeeper.units import parse_size

OF_SETS = "accuracy"
"""The gate whose limit every evaluation set may have of its own."""


@dataclass(frozen=True)
class Limit:
    """One gate as it applies to one target. `config` is None where the file disables it."""

    name: str
    gate: Gate
    config: GateConfig | None
    where: str


@dataclass(frozen=True)
class Loosened:
    """A value that differs from the policy's: its dotted name, both values, and where this file's stands."""

    name: str
    policy: Any
    here: Any
    where: str

    def __str__(self) -> str:
        before, here = (
            "not given" if v is None else str(v).lower() if isinstance(v, bool) else v for v in (self.policy, self.here)
        )
        return f"{self.name}: {before} in the policy, {here} here ({self.where})"


def limits(loaded: Loaded, target: Target) -> list[Limit]:
    """Every gate that applies to a target, with no limit looser than the policy's where there is one."""
    return limits_and_loosened(loaded, target)[0]


def limits_and_loosened(loaded: Loaded, target: Target) -> tuple[list[Limit], list[Loosened]]:
    """The limits that apply, and what of the file's own is not applied because the policy is stricter.

    A target that only the file has is held to the policy's common limits.
    """
    own = {limit.name: limit for limit in _stated(loaded, target)}
    if loaded.policy is None or loaded.policy.limits is None:
        return list(own.values()), []
    policy = {limit.name: limit for limit in _stated(loaded.policy.limits, target)}
    applied, loosened = [], []
    for name in dict.fromkeys([*gate_names(), *own, *policy]):
        if name not in policy:
            applied += [own[name]] if name in own else []
            continue
        where = own[name].where if name in own else loaded.where("gates", name)
        specific = any(path[0] == "targets" for each in (loaded, loaded.policy.limits) for path, _ in _layers(each, target, name))
        limit, differences = _strictest(own.get(name), policy[name], where)
        applied.append(limit)
        prefix = f"targets.{target.name}.gates.{name}" if specific else f"gates.{name}"
        loosened += [Loosened(prefix + key, before, here, where) for key, before, here in differences]
    return applied, loosened


def _strictest(own: Limit | None, policy: Limit, where: str) -> tuple[Limit, list[tuple[str, Any, Any]]]:
    """What holds of the two, and (key, policy's value, own value) of what does not."""
    if own is not None and (policy.config is None or (not policy.config.blocks and _blocks(own))):
        return own, []
    key = policy.gate.limit_key
    if policy.config is None:
        return Limit(name=policy.name, gate=policy.gate, config=None, where=where), []
    if own is None or own.config is None:
        here = None if own is None else DISABLED
        held = Limit(name=policy.name, gate=policy.gate, config=policy.config, where=where)
        return held, [(f".{key}", getattr(policy.config, key), here)]
    strict, loosened = {}, []
    for name in type(policy.config).__struct_fields__:
        before, here = getattr(policy.config, name), getattr(own.config, name)
        if before == here or ("gates", own.name, name) in same_as().values():  # a gate of its own holds it
            continue
        if _stricter(policy.gate, name, here, before):
            strict[name] = here
        else:
            loosened.append((f".{name}", before, here))
    config = msgspec.structs.replace(policy.config, **strict)
    return Limit(name=own.name, gate=own.gate, config=config, where=where), loosened


def _blocks(limit: Limit) -> bool:
    return limit.config is not None and limit.config.blocks


def _stricter(module: Gate, name: str, here: Any, before: Any) -> bool:
    """Whether one value of a gate's config is stricter; of what is not known to have an order, none is."""
    if name == "on_fail":
        return bool(here != "warn")
    if (own := getattr(module, "stricter", None)) is not None and name != module.limit_key:
        return bool(own(name, here, before))
    if name != module.limit_key or here is None or before is None:
        return False  # None is a limit that is measured, such as the baseline's p99
    one, other = as_number(here), as_number(before)
    return one >= other if module.BOUND == "at_least" else one <= other


def as_number(value: Any) -> float:
    """A limit as it is compared: sizes in bytes."""
    return float(parse_size(value)) if isinstance(value, str) else float(value)


def _stated(loaded: Loaded, target: Target) -> list[Limit]:
    """Every gate that a file applies to a target."""
    stated = []
    for name in gate_names():
        module = gate(name)
        values, path = merged(loaded, target, name)
        unasked = module.DEFAULT is None or loaded.unmeasured(name) or (loaded.pipeline.baseline and hasattr(module, "GAIN"))
        if values is None and unasked:
            continue
        config = None if values == DISABLED else msgspec.convert(values or {}, module.Config)
        stated.append(Limit(name=name, gate=module, config=config, where=loaded.where(*path)))
    return [*stated, *_on_other_sets(loaded, stated)]


def _on_other_sets(loaded: Loaded, stated: list[Limit]) -> list[Limit]:
    """The gates on each further evaluation set: the accuracy that it asks for, and what else the main set is held to."""
    dataset = loaded.pipeline.dataset
    known = {limit.name: limit for limit in stated}
    found = []
    for index, each in enumerate(dataset.also if dataset else ()):
        place = ("dataset", "also", index)
        for name in per_set():
            config = known[name].config if name in known else None
            if name == OF_SETS:  # asked for by the set itself, whatever the main one is held to
                config = config or gate(name).DEFAULT
                own = {gate(name).limit_key: each.retention} if each.retention is not None else {}
                config = msgspec.structs.replace(config, **own) if config else None
            if config is None:
                continue
            both = (each.on_fail, _on_fail(name, config))
            config = msgspec.structs.replace(config, on_fail=next((how for how in ("warn", "repair") if how in both), "fail"))
            where = loaded.where(*place, "retention") if name == OF_SETS else loaded.where(*place)
            found.append(Limit(on_set(name, each.name), gate(name), config, where))
    return found


def _on_fail(name: str, config: GateConfig) -> str:
    """What the main set's gate does where it fails; how hard a set's own limit is, the set says."""
    return "fail" if name == OF_SETS else config.on_fail


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
                named = same_as().values()
                where = path if path in named or path[-3:] in named else (*path, key)
    return values, where


def _beside(loaded: Loaded, name: str) -> dict[str, Any]:
    """What else of a gate's config the file says near the other name of its limit, defaults included."""
    places: dict[str, tuple[str, ...]] = getattr(gate(name), "BESIDE", {})
    found: dict[str, Any] = {key: reduce(getattr, path, loaded.pipeline) for key, path in places.items()}
    return {key: value for key, value in found.items() if value is not None}


def _layers(loaded: Loaded, target: Target, name: str) -> list[tuple[Path_, Any]]:
    """(path, what is said there), from the weakest to the strongest."""
    layers: list[tuple[Path_, Any]] = []
    if other := same_as().get(name):
        value = loaded.stated(*other)
        if value is not None:
            layers.append((other, {gate(name).limit_key: value, **_beside(loaded, name)}))
    common = loaded.stated("gates", name)
    if common is not None:
        layers.append((("gates", name), common))
    index = loaded.position.get(target.name)
    if index is not None:
        own = loaded.stated("targets", index, "gates", name)
        if other and other[0] == "gates" and (value := loaded.stated("targets", index, *other)) is not None:
            layers.append((("targets", index, *other), {gate(name).limit_key: value}))
        if own is not None:
            layers.append((("targets", index, "gates", name), own))
    return layers
