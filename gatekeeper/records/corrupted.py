"""What a corruption did to a set of examples: the proof that the models were asked something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatekeeper.records.base import Amount, Count, Record

LEAST = 0.5
"""Share of the examples that must be others: what changes few of them says nothing of a model."""
SPREAD, CHARACTERS = "the input's standard deviation", "the characters"
LEAST_BY: Mapping[str, float] = {SPREAD: 0.02, CHARACTERS: 0.01}
"""How far they must be from what they were, by unit: what is less is lost in the rounding of 8 bits, and tests nothing. An
example in another unit has not arrived.
"""
LEAST_ANSWERED = 0.1
"""Share of the examples that the baseline must answer otherwise, where some of its inputs stay: else it may read those alone."""


class Arrived(Record, frozen=True, kw_only=True):
    """How many examples are others, of how many; and by how much, in what `unit` says.

    `still` are the inputs that stay as they were, or nearly. Where there are some, `answered` says of how many examples the
    baseline's own outputs changed: that it reads what was corrupted. None: it was not asked.
    """

    changed: Count
    examples: Count
    by: Amount
    unit: str
    still: list[str] = []
    answered: Count | None = None

    @property
    def moved(self) -> bool:
        """Whether the inputs are others."""
        many = self.changed <= self.examples and self.changed > 0 and self.changed >= LEAST * self.examples
        return many and far(self.by, self.unit)

    @property
    def read(self) -> bool:
        """Whether it is shown that the baseline reads what was corrupted."""
        if not self.still:
            return True
        return self.answered is not None and LEAST_ANSWERED * self.examples <= self.answered <= self.examples

    @property
    def enough(self) -> bool:
        """Whether it can be said to have come to the model."""
        return self.moved and self.read

    @property
    def lacking(self) -> str:
        """Why it cannot; empty where it can."""
        if not 0 < self.changed <= self.examples:
            return "it changes nothing of this set"
        if self.changed < LEAST * self.examples:
            return f"it changes only {self.changed:,} of {self.examples:,} examples of this set"
        if not self.moved:
            least = f"at least {LEAST_BY[self.unit]:g} is needed" if self.unit in LEAST_BY else "which is no unit"
            return f"it changes this set by {self.by:.2g} of {self.unit}; {least}"
        if not self.read:
            few = "and nobody asked" if self.answered is None else f"and of only {self.answered:,} of {self.examples:,} examples"
            same = ", ".join(f"'{name}'" for name in self.still)
            return f"it leaves {same} as it was, {few} the baseline's own outputs changed: it may not read the rest"
        return ""

    @property
    def said(self) -> str:
        """In words."""
        return f"{self.changed:,} of {self.examples:,} examples differ, by {self.by:.2g} of {self.unit}"

    def reported(self) -> dict[str, Any]:
        """For a gate's details."""
        told = {"changed": self.changed, "of": self.examples, "by": self.by, "by_unit": self.unit}
        return told | {"still": self.still, "answered": self.answered}


def far(by: float, unit: str) -> bool:
    """Whether inputs that differ by so much are others."""
    return unit in LEAST_BY and by >= LEAST_BY[unit]
