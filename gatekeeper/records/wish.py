"""What the pipeline file says of which variant is chosen among those that pass, and what the tables would have taken."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.records.base import Amount, Record

AXES = ("speed", "accuracy", "memory", "energy")
"""What a choice can be made by."""

PRESETS = {
    "speed": {"speed": 1.0},
    "accuracy": {"accuracy": 1.0},
    "memory": {"memory": 1.0},
    "balanced": {"speed": 1.0, "accuracy": 1.0, "memory": 1.0},
}
"""`select` -> what it weighs."""


class Wish(Record, frozen=True, kw_only=True):
    """By what the variant is chosen among those that pass."""

    select: Annotated[
        Literal["speed", "accuracy", "memory", "balanced", "preferences"],
        Meta(description="`speed` where the file says nothing; `preferences`: by `weights`."),
    ] = "speed"
    weights: Annotated[dict[str, Amount], Meta(description="Of the file's `preferences`; empty where it has none.")] = {}
    where: Annotated[str, Meta(description="file:line that asks for it; empty where nothing does.")] = ""

    def same(self, other: Wish) -> bool:
        """Whether both choose alike, wherever it is said."""
        return (self.select, self.weights) == (other.select, other.weights)

    @property
    def shown(self) -> str:
        """As the file says it."""
        if self.select != "preferences":
            return f"select: {self.select}"
        return f"preferences: {{{', '.join(f'{axis}: {weight:g}' for axis, weight in self.weights.items())}}}"


class Rule(Record, frozen=True, kw_only=True):
    """The framework that the decision tree starts with on a target, and whether it was the best that was measured."""

    framework: str
    because: str
    also: Annotated[list[str], Meta(description="Frameworks that it names beside it, to be compared.")] = []
    measured: Annotated[str, Meta(description="How the best that was measured differs; empty where it does not.")] = ""
