"""What the attacks share. A file of the folder `attacks` holds those of one concern, as `ATTACKS`.

An attack is a group of requests of one kind. Each must be answered within ATTACK_S and not with 5xx; most must be refused.
After the group the same processes must run, hold no more memory than allowed, and answer a good request as they did before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gatekeeper.checks.levels import First, Leveled, Models, of_level, said
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.checks.security.victim import Victim

REGISTRY = Registry("checks.security.attacks")
LEVELS = ("basic", "comprehensive")
GOOD = First("good_request", "basic", "what must be answered before and after everything else")
SCAN = First("model_scan", "comprehensive", "nothing: the variant's files are scanned by every rule of docs/scan.md")


@dataclass(frozen=True)
class Attack:
    """A group of hostile requests. `run` returns how many there were, and raises `Broken` for an answer that is none.

    Its docstring is what docs/testing.md says is sent. `seed` is that of requests that are made up.
    """

    name: str
    level: Literal["basic", "comprehensive"]
    run: Callable[[Victim], int]
    models: Models = "all"
    seed: int | None = None

    @property
    def meaning(self) -> str:
        """What is sent."""
        return said(self.run)


def all_attacks() -> list[Attack]:
    """Every attack, file by file."""
    return [attack for name in REGISTRY.names for attack in REGISTRY.get(name).ATTACKS]


def attacks(level: str, text: bool) -> list[Attack]:
    """Those of a level for a kind of model."""
    return of_level(all_attacks(), LEVELS, level, text)


def tests(level: str, text: bool) -> list[Leveled]:
    """The scan, the good request and the attacks of a level, in the order in which they run."""
    return of_level([SCAN, GOOD, *all_attacks()], LEVELS, level, text)
