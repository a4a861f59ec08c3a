"""Limits that hold nothing: of variants of which the plan has none. Nothing fails by them, so that it is said. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.config.limits import Limit, limits
from gatekeeper.config.loaded import Loaded
from gatekeeper.ids import target_of
from gatekeeper.planning.plan import Plan
from gatekeeper.verdicts.gates import holds


def idle_limits(loaded: Loaded, plan: Plan) -> list[str]:
    """A note for each limit that no variant of any target is held to."""
    found: dict[str, str] = {}
    held: set[str] = set()
    for target in loaded.targets:
        own = [v.id for leg in plan.legs if target_of(leg.id) == target.name for v in leg.variants if not v.skip]
        for limit in _of_some(limits(loaded, target)):
            if any(holds(limit, name) for name in own):
                held.add(limit.name)
            whose = limit.gate.scope(limit.config)  # type: ignore[attr-defined]
            whose = " ".join(str(whose[key]) for key in ("framework", "quantization") if key in whose)
            found[limit.name] = f"{limit.name} ({limit.where}) limits nothing here: no variant is {whose}"
    return [said for name, said in found.items() if name not in held]


def _of_some(stated: list[Limit]) -> Iterator[Limit]:
    yield from (each for each in stated if each.config is not None and hasattr(each.gate, "applies"))
