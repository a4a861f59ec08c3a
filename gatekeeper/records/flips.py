"""Answers that were right with the baseline and are wrong with the variant, and the other way round."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gatekeeper.records.base import Count, Record

MOST = 20
"""Examples that are listed; the others are counted."""


class Flip(Record, frozen=True, kw_only=True):
    """One example that the baseline answers rightly and the variant does not."""

    example: Annotated[str, Meta(description="Its number in the set as it is read, from 0; of a prompt its name.")]
    label: Annotated[str, Meta(description="What is right; of a set without labels, what the baseline says.")]
    baseline: str
    variant: str


class Flips(Record, frozen=True, kw_only=True):
    """How many there are each way, of distinct examples, and the first of those that are lost."""

    lost: Annotated[Count, Meta(description="Examples that the baseline answers rightly and the variant does not.")] = 0
    gained: Annotated[Count, Meta(description="Examples that the variant answers rightly and the baseline does not.")] = 0
    shown: Annotated[list[Flip], Meta(description=f"The first {MOST} of those that are lost.")] = []
