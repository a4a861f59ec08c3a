"""What the integration tests share. A file of the folder `cases` holds the tests of one concern, as `CASES`.

A test is a function of the service (see service.py) and a server of it that is ready: it returns why the variant passes, and
raises `Broken` where it does not. Most share one server; a test that ends or kills it, or wants it as it starts, says `fresh`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gatekeeper.checks.levels import First, Models, of_level, said
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.checks.integration.service import Service
    from gatekeeper.serve.child import Server

REGISTRY = Registry("checks.integration.cases")
LEVELS = ("smoke", "full_pipeline")
READY = First("ready", "smoke", "the server comes up, and says so")


@dataclass(frozen=True)
class Case:
    """One integration test. The docstring of `run` is what docs/testing.md says it asks.

    `fresh`: on a server of its own, after all those on the shared one. `replaces`: a test of a level before, whose question
    this one asks as well; where this one runs, that one does not.
    """

    name: str
    level: Literal["smoke", "full_pipeline"]
    run: Callable[[Service, Server], str]
    models: Models = "all"
    fresh: bool = False
    replaces: str = ""

    @property
    def meaning(self) -> str:
        """What it asks."""
        return said(self.run)


def all_cases() -> list[Case]:
    """Every test, file by file."""
    return [case for name in REGISTRY.names for case in REGISTRY.get(name).CASES]


def cases(level: str, text: bool) -> list[Case]:
    """Those of a level for a kind of model: first those on the shared server, then the others, each file by file."""
    chosen = of_level(all_cases(), LEVELS, level, text)
    replaced = {case.replaces for case in chosen}
    return sorted((case for case in chosen if case.name not in replaced), key=lambda case: case.fresh)
