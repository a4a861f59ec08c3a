"""By what a pipeline file chooses among the variants that pass."""

from __future__ import annotations

from gatekeeper.config.loaded import Loaded
from gatekeeper.records.wish import AXES, Wish

STAGE = "optimization"


def wish_of(loaded: Loaded) -> Wish:
    """Its `preferences`, or what it says to `select`; speed where it says nothing."""
    section = loaded.section(STAGE)
    if section.preferences is not None:
        weights = {axis: float(weight) for axis in AXES if (weight := getattr(section.preferences, axis)) > 0}
        return Wish(select="preferences", weights=weights, where=loaded.where(STAGE, "preferences"))
    return Wish(select=section.select, where=loaded.where(STAGE, "select")) if section.select else Wish()
