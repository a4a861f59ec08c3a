"""When a leg may stop, and how much of the error budget each look may spend.

Looking at growing data and stopping at the first success passes too often: four unadjusted looks at 5 %
pass 11.5 % of models that are exactly at the limit. Each look therefore spends an equal share (Bonferroni).
Re-running until green is one more way of looking again: the first attempt at a commit spends `ALPHA`, and all
further ones together what is then left of `PROMISE`, each half of the one before.
"""

from __future__ import annotations

LOOKS = (8, 12, 16, 24)
"""Rounds after which the gates are asked."""

MAX_ROUNDS = 200
"""More would take longer than anyone waits; a limit that needs more cannot be told from the truth here."""

PROMISE = 0.05
"""How often a pass may be wrong at the exact limit, all attempts at one commit taken together."""

ALPHA = 0.04
"""One-sided error budget of a gate's first attempt; the rest of the promise is for the attempts after it."""


def schedule(max_rounds: int) -> tuple[int, ...]:
    """The looks that fit in `max_rounds`; the last one is always at `max_rounds` itself."""
    looks = tuple(look for look in LOOKS if look < max_rounds)
    return (*looks, max_rounds)


def attempt_alpha(attempt: int) -> float:
    """One-sided alpha of the n-th attempt (from 1): ALPHA, then (PROMISE - ALPHA) / 2^(n-1).

    The sum over every attempt there can be is PROMISE.
    """
    return ALPHA if attempt <= 1 else (PROMISE - ALPHA) * 0.5 ** (attempt - 1)


def look_alpha(looks: int, attempt: int = 1) -> float:
    """One-sided alpha of one of `looks` looks in the n-th attempt at one commit."""
    return attempt_alpha(attempt) / looks
