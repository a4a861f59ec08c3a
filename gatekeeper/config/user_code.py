"""Which code of the user's a pipeline file lets run: what it measures is worth as much as what keeps that code from the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.config.owners import asked
from gatekeeper.registry import plugins

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.sections.also import AlsoSet
    from gatekeeper.config.sections.dataset import Dataset


def functions(loaded: Loaded) -> list[tuple[str, str]]:
    """What of the file are functions of the user's, `package.module:function`, each behind its role."""
    dataset, model = loaded.pipeline.dataset, loaded.pipeline.model
    sets: list[Dataset | AlsoSet] = [dataset, *dataset.also] if dataset else []
    named = [("loader", each.loader) for each in sets if each.path is None]
    named += [("metric", each.metric) for each in sets]
    named += [("decode", model.boxes.decode)] if model and model.boxes else []
    return list(dict.fromkeys((role, name) for role, name in named if name and ":" in name))


def user_code(loaded: Loaded) -> list[str]:
    """Those functions, what stages run of the user's (their hook `user_code`), and plugins."""
    return [*named(loaded), *(f"plugin {name}" for name in plugins())]


def named(loaded: Loaded) -> list[str]:
    """The same without plugins: what the file itself lets run, wherever it is read."""
    found = [f"{role} {name}" for role, name in functions(loaded)]
    for own in asked("user_code"):
        found += own(loaded)
    return found
