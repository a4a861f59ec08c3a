"""How many rounds a t bound needs, and what it can show with those there are.

An effect is the difference of logarithms between the truth and the limit: a true 2.2x against a limit of 2x is
ln(2.2 / 2) = 0.095. The spread is the standard deviation of a round's log ratio. The power is that of one look:
P(T >= t(1 - alpha, R - 1)), with T noncentral t of R - 1 degrees of freedom and noncentrality
effect * sqrt(R) / spread (Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions" 2, chapter 31).
"""

from __future__ import annotations

import math

from gatekeeper.stats.looks import MAX_ROUNDS, attempt_alpha, look_alpha

POWER = 0.8
"""The probability with which the effect is to be shown."""

MOST_ROUNDS = 100_000


def power(spread: float, effect: float, rounds: int, alpha: float) -> float:
    """The probability that the lower t bound of `rounds` rounds clears the limit."""
    from scipy.special import nctdtr, stdtrit

    if rounds < 2 or not (effect > 0 and spread >= 0):
        return 0.0
    if spread == 0:
        return 1.0
    critical = float(stdtrit(rounds - 1, 1 - alpha))
    return 1.0 - float(nctdtr(rounds - 1, effect * math.sqrt(rounds) / spread, critical))


def rounds_needed(spread: float, effect: float, alpha: float) -> int | None:
    """The fewest rounds, at least 2, that show `effect` with 80 % power; None if 100,000 would not (or no effect)."""
    low, high = 1, 2
    while not power(spread, effect, high, alpha) >= POWER:
        if high > MOST_ROUNDS:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(spread, effect, middle, alpha) >= POWER else (middle, high)
    return high if high <= MOST_ROUNDS else None


def rounds_to_decide(spread: float, effect: float, attempt: int = 1) -> int | None:
    """The least `max_rounds` whose last look alone shows `effect` with 80 % power; None if `MAX_ROUNDS` do not.

    More rounds may be more looks, of which the last then has less of the error budget.
    """
    fewest = rounds_needed(spread, effect, attempt_alpha(attempt))
    if fewest is None:
        return None
    # No look has all of the budget, so fewer than if it had cannot do.
    return next((n for n in range(fewest, MAX_ROUNDS + 1) if power(spread, effect, n, look_alpha(n, n, attempt)) >= POWER), None)


def smallest_effect(spread: float, rounds: int, alpha: float) -> float:
    """The least difference of logarithms that `rounds` rounds show with 80 % power; infinite for fewer than two."""
    if rounds < 2 or not spread >= 0:
        return math.inf
    if spread == 0:
        return 0.0
    low, high = 0.0, spread
    while power(spread, high, rounds, alpha) < POWER:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if power(spread, middle, rounds, alpha) >= POWER else (middle, high)
    return high
