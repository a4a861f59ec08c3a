"""How the arms of a leg are measured."""

from __future__ import annotations

from pathlib import Path

from gatekeeper.config.types import Measure
from gatekeeper.making.workspace import Workspace
from gatekeeper.measure.energy._base import Absent, Meter
from gatekeeper.measure.rounds import Settings


def settings(space: Workspace, measure: Measure, inputs: Path, meter: Meter | Absent, text: bool) -> Settings:
    """How rounds are measured here. A block of a text model is a whole answer at least, so it has fewer of them."""
    return Settings(
        scratch=space.scratch,
        inputs=inputs,
        blocks=measure.blocks or (2 if text else 8),
        block_ms=measure.block_ms,
        timeout_s=space.timeout_s,
        memory_limit=space.memory_limit,
        meter=meter,
    )
