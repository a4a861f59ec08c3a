"""The variants of a leg raced against its baseline on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatekeeper.config.limits import Limit
from gatekeeper.errors import NotMeasured
from gatekeeper.hardware.machine import differences
from gatekeeper.legs.leg import Leg
from gatekeeper.measure.energy._base import Absent, Meter
from gatekeeper.measure.energy._base import meter as energy_meter
from gatekeeper.measure.race import Limits, Race, race
from gatekeeper.measure.rounds import Arm, Settings
from gatekeeper.records.measured import Environment
from gatekeeper.units import parse_duration


@dataclass(frozen=True)
class Raced:
    """The rounds of a leg, on which machine, with which meter of energy; `error` concerns the whole leg."""

    race: Race
    environment: Environment | None
    meter: Meter | Absent
    error: str | None = None
    inputs: Path | None = None  # that were timed


NOTHING = Raced(Race(), None, Absent("nothing was measured"))


def settings(leg: Leg, inputs: Path, meter: Meter | Absent, heavy: Path | None = None) -> Settings:
    """How rounds are measured. A block of a text model is a whole answer at least, so it has fewer of them."""
    measure, space = leg.measure, leg.space
    return Settings(
        scratch=space.scratch,
        inputs=inputs,
        heavy=heavy,
        blocks=measure.blocks or (2 if leg.evaluation.model.text is not None else 8),
        block_ms=measure.block_ms,
        timeout_s=space.timeout_s,
        memory_limit=space.memory_limit,
        meter=meter,
    )


def asked(leg: Leg, limits: Iterable[Limit], dataset: Path | None) -> bool:
    """Whether rounds tell anything that is asked for: by a gate that rests on them, or by the pipeline file in words.

    Without an evaluation set they are what shows that a model runs at all.
    """
    gates = any(limit.gate.BASIS == "rounds" and limit.config is not None for limit in limits)
    return gates or dataset is None or leg.loaded.wants_times


def measured(
    leg: Leg,
    arms: Sequence[Arm],
    dataset: Path | None,
    predictions: Iterable[Path],
    looks: Sequence[int],
    decided: Callable[[str, Race], bool],
) -> Raced:
    """Race until every arm is decided. What keeps all of them from being measured is the error of the leg.

    Memory is also watched on the inputs that took most of it when `predictions` were made.
    """
    machine = leg.environment()
    if not arms:
        return Raced(Race(), machine, NOTHING.meter)
    meter = energy_meter(leg.place.device.partition(":")[0], leg.space.cache)
    stop = Limits(looks, parse_duration(leg.measure.budget), leg.measure.seed)
    raced, error, inputs = Race(), None, None
    try:
        inputs, heavy = leg.feeds("inputs", dataset), leg.heavy_feeds(dataset, predictions)
        with leg.space.alone(leg.progress, leg.id, leg.measure.budget):
            count = f"{len(arms)} variant{'s' * (len(arms) != 1)}"
            leg.progress.step(f"{leg.id}: measuring {count} against the baseline")
            raced = race(leg.baseline_arm(), arms, settings(leg, inputs, meter, heavy), stop, decided, leg.progress)
    except NotMeasured as failure:
        error = str(failure)
    if changed := differences(machine, leg.environment()):
        error = f"the machine changed while it measured ({'; '.join(changed)}): rounds before and after do not compare"
    return Raced(raced, machine, meter, error, inputs if raced.rounds else None)
