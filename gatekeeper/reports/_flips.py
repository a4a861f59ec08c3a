"""Answers that were right and are wrong, or the other way, in words. What is in them is as it stands in the report."""

from __future__ import annotations

from gatekeeper.records.flips import Flips

FEW = 3


def counted(flips: Flips) -> str:
    """How many each way."""
    lost = f"{flips.lost:,} answer{'s' * (flips.lost != 1)} that {'was' if flips.lost == 1 else 'were'} right "
    return f"{lost}{'is' if flips.lost == 1 else 'are'} wrong now, {flips.gained:,} the other way round"


def line(flips: Flips) -> str:
    """The same with the first few of them; empty where no answer flipped."""
    if not (flips.lost or flips.gained):
        return ""
    shown = [f"{each.example}: {each.baseline} -> {each.variant}, right is {each.label}" for each in flips.shown[:FEW]]
    left = flips.lost - len(shown)
    more = [f"and {left:,} more"] if shown and left > 0 else []
    return counted(flips) + (f" (example {'; '.join([*shown, *more])})" if shown else "")
