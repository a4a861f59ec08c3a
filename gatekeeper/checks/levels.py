"""Which tests of a folder run: what a contract test, an attack and an integration case have in common."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

Models = Literal["all", "tensors", "text"]
"""Kinds of model that a test is for."""


class Leveled(Protocol):
    """A test that has a level and is for some models."""

    @property
    def name(self) -> str:
        """What reports call it."""

    @property
    def level(self) -> str:
        """The first level that has it."""

    @property
    def models(self) -> Models:
        """What it is for."""

    @property
    def meaning(self) -> str:
        """What it asks, for docs/testing.md."""


@dataclass(frozen=True)
class First:
    """The test before all others of its kind: where it does not pass, they are not tried."""

    name: str
    level: str
    meaning: str
    models: Models = "all"


T = TypeVar("T", bound=Leveled)


def of_level(tests: Iterable[T], levels: Sequence[str], level: str, text: bool) -> list[T]:
    """Those of a level, and of every level before it, for models that write text or those that do not."""
    included, models = levels[: levels.index(level) + 1], ("all", "text" if text else "tensors")
    return [test for test in tests if test.level in included and test.models in models]


def said(function: Callable[..., Any]) -> str:
    """What a function's docstring says of it, as one line."""
    return " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())
