"""What a corruption did to a set of examples: the proof that the models were asked something else."""

from __future__ import annotations

from typing import Any

from gatekeeper.records.base import Amount, Count, Record

LEAST = 0.5
"""Share of the examples that must be others: what changes few of them says nothing of a model."""


class Arrived(Record, frozen=True, kw_only=True):
    """How many examples are others, of how many; and by how much, in what `unit` says."""

    changed: Count
    examples: Count
    by: Amount
    unit: str

    @property
    def enough(self) -> bool:
        """Whether it can be said to have come to the model."""
        return self.changed <= self.examples and self.changed > 0 and self.changed >= LEAST * self.examples and self.by > 0

    @property
    def said(self) -> str:
        """In words."""
        return f"{self.changed:,} of {self.examples:,} examples differ, by {self.by:.2g} of {self.unit}"

    def reported(self) -> dict[str, Any]:
        """For a gate's details."""
        return {"changed": self.changed, "of": self.examples, "by": self.by, "by_unit": self.unit}
