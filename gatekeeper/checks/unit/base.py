"""What the contract tests share. A file of the folder `cases` holds the tests of one concern, as `CASES`.

A test is two functions. `observe(lab, log)` runs in a worker, once for the variant and once for the original. `judge(variant,
original)` compares what they did: it returns why the variant passes, and raises `Broken` where it does not. Where the
original does no better, that is not the variant's failure; crashes, hangs and running out of memory always are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from gatekeeper.checks.levels import First, Models, of_level
from gatekeeper.checks.outcome import Broken
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.checks.unit.lab import Lab, TrialLog

REGISTRY = Registry("checks.unit.cases")
LEVELS = ("basic", "comprehensive")
OPENS = First("opens", "basic", "the model can be opened and answers")

Setting = Literal["", "again", "threads"]
"""In which process a test observes: the one it shares with others, a fresh one, a fresh one with other threads."""


@dataclass(frozen=True)
class Answered:
    """One call of a model: its outputs by name and their element types, or what it raised instead."""

    error: str
    outputs: Mapping[str, Any]
    dtypes: Mapping[str, str]


@dataclass(frozen=True)
class Seen:
    """What one model did in one test. Labels of other settings than the first start with `again/` or `threads/`."""

    who: str
    trials: Mapping[str, Answered]
    numbers: Mapping[str, float]

    def answer(self, label: str, failure: type[Exception] = Broken) -> Answered:
        """What it answered in a trial in which it must; `failure` is raised where it did not."""
        answered = self.trials.get(label)
        if answered is None:
            raise failure(f"{self.who} was not asked {label}")
        if answered.error:
            raise failure(f"{self.who} does not answer {label}: {answered.error}")
        return answered


@dataclass(frozen=True)
class Case:
    """One contract test. `meaning` is what it asks, for docs/testing.md."""

    name: str
    level: Literal["basic", "comprehensive"]
    models: Models
    observe: Callable[[Lab, TrialLog], None]
    judge: Callable[[Seen, Seen], str]
    meaning: str
    settings: tuple[Setting, ...] = ("",)


@cache
def all_cases() -> dict[str, Case]:
    """Every test by name, in the order in which they run: file by file."""
    return {each.name: each for name in REGISTRY.names for each in REGISTRY.get(name).CASES}


def case(name: str) -> Case:
    """The test of that name."""
    return all_cases()[name]


def cases(level: str, text: bool) -> list[Case]:
    """The tests of a level for a kind of model."""
    return of_level(all_cases().values(), LEVELS, level, text)
