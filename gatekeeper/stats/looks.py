"""When a leg may stop, and how much of the error budget each look may spend.

Looking at growing data and stopping at the first success passes too often: four unadjusted looks at 5 %
pass 11.5 % of models that are exactly at the limit. Each look therefore spends an equal share (Bonferroni),
and every further attempt at the same commit halves what is left to spend, because re-running until green
is one more way of looking again.
"""

from __future__ import annotations

LOOKS = (8, 12, 16, 24)
"""Rounds after which the gates are asked."""

ALPHA = 0.04
"""One-sided error budget of a gate, below the promised 5 % to leave room for what the model of noise misses."""


def schedule(max_rounds: int) -> tuple[int, ...]:
    """The looks that fit in `max_rounds`; the last one is always at `max_rounds` itself."""
    looks = tuple(look for look in LOOKS if look < max_rounds)
    return (*looks, max_rounds)


def look_alpha(looks: int, attempt: int = 1) -> float:
    """One-sided alpha of one of `looks` looks in the n-th attempt (from 1) at one commit.

    Attempt n has ALPHA / 2^(n-1) to spend.
    """
    return ALPHA * 0.5 ** (max(attempt, 1) - 1) / looks
