"""Which code of the user's a pipeline file lets run: what it measures is worth as much as what keeps that code from the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.config.owners import asked
from gatekeeper.registry import plugins

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.sections.also import AlsoSet
    from gatekeeper.config.sections.dataset import Dataset


def user_code(loaded: Loaded) -> list[str]:
    """Loader, metrics, what reads the model's answers, what stages run of the user's (their hook `user_code`), and plugins."""
    dataset, boxes = loaded.pipeline.dataset, loaded.pipeline.model.boxes if loaded.pipeline.model else None
    sets: list[Dataset | AlsoSet] = [dataset, *dataset.also] if dataset else []
    found = [f"loader {each.loader}" for each in sets if each.loader]
    found += [f"metric {each.metric}" for each in sets if each.metric and ":" in each.metric]
    found += [f"decode {boxes.decode}"] if boxes and boxes.decode else []
    for own in asked("user_code"):
        found += own(loaded)
    return list(dict.fromkeys([*found, *(f"plugin {name}" for name in plugins())]))
