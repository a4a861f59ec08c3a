"""Who, beside this room, owns a part of the pipeline file: stages, the kinds of check of the testing stage, kinds of package.

A stage is a module of gatekeeper/stages (what it has is said in gatekeeper/stages/_base.py), a kind of check one of
gatekeeper/checks/kinds, a kind of package one of gatekeeper/deploy/packages. All are looked up by name: the rooms they lie in
stand above this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from gatekeeper.gates._base import KINDS
from gatekeeper.registry import Registry

STAGES = Registry("stages", ("DESCRIPTION", "ORDER", "run"))
PACKAGES = Registry("deploy.packages", ("DESCRIPTION", "KEY", "SECTION", "ASKED", "parts", "files"))

ANNOUNCED: dict[str, int] = {}
"""Stages that a pipeline file may list and this version cannot run, with their place; one that is built leaves this list."""


def stage_names() -> tuple[str, ...]:
    """Every stage a pipeline file may list, in the order in which they run."""
    order = ANNOUNCED | {name: STAGES.get(name).ORDER for name in STAGES.names}
    return tuple(sorted(order, key=lambda name: (order[name], name)))


def stages() -> list[tuple[str, ModuleType]]:
    """The stages there are, in the order in which they run."""
    return [(name, STAGES.get(name)) for name in stage_names() if name in STAGES.names]


def kinds() -> list[tuple[str, ModuleType]]:
    """The kinds of check there are, in the order in which they run."""
    modules = {name: KINDS.get(name) for name in KINDS.names}
    return sorted(modules.items(), key=lambda item: (item[1].ORDER, item[0]))


def asked(hook: str) -> Iterator[Any]:
    """That attribute of every stage and kind that has it."""
    for _, module in (*stages(), *kinds()):
        if (attribute := getattr(module, hook, None)) is not None:
            yield attribute
