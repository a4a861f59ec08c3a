"""When a leg may stop, and how much of the error budget each look may spend.

Looking at growing data and stopping at the first success passes too often: four unadjusted looks at 5 % pass 11.5 % of models
that are exactly at the limit. The budget is therefore spent look by look, in proportion to the rounds (see
`gatekeeper.stats.spending`): of what is spent by the first look nothing is left for the others. Re-running until green is one
more way of looking again: the first attempt at a commit spends `ALPHA`, and all further ones together what is then left of
`PROMISE`, each half of the one before.
"""

from __future__ import annotations

import math

from gatekeeper.stats.spending import last_level, proportional

LOOKS = (8, 12, 16, 20, 24)
"""Rounds after which the gates are asked."""

EARLIER_LOOKS = (8, 12, 16, 24)
"""Those of earlier versions, which had equal shares."""

MAX_ROUNDS = 200
"""More would take longer than anyone waits; a limit that needs more cannot be told from the truth here."""

PROMISE = 0.05
"""How often a pass may be wrong at the exact limit, all attempts at one commit taken together."""

ALPHA = 0.04
"""One-sided error budget of a gate's first attempt; the rest of the promise is for the attempts after it."""

SPENT = 0.875
"""What several looks spend of an attempt's budget: at few rounds Student's t crosses more often than the normal theory says."""

BEFORE_MORE = 0.75
"""What is spent of that by the last of `LOOKS`, where there are more rounds: a long race must not starve its first looks."""

MOST_HALVINGS = 40


def schedule(max_rounds: int) -> tuple[int, ...]:
    """The looks that fit in `max_rounds`; the last one is always at `max_rounds` itself."""
    return (*(look for look in LOOKS if look < max_rounds), max_rounds)


def attempt_alpha(attempt: int) -> float:
    """One-sided alpha of the n-th attempt (from 1): ALPHA, then (PROMISE - ALPHA) / 2^(n-1).

    The sum over every attempt there can be is PROMISE.
    """
    return ALPHA if attempt <= 1 else (PROMISE - ALPHA) * 0.5 ** (attempt - 1)


def equal_alpha(max_rounds: int, attempt: int = 1) -> float:
    """One-sided alpha of each look of earlier versions, which took looks for unrelated."""
    looks = sum(look < max_rounds for look in EARLIER_LOOKS) + 1
    return attempt_alpha(attempt) / looks


def look_alpha(rounds: int, max_rounds: int, attempt: int = 1, share: float = 1.0) -> float:
    """One-sided alpha of the look after `rounds`, of a race of `max_rounds`, at a share of what the attempt may spend.

    It follows from how many rounds there are, so nobody can choose it. A race that its time ended between two looks spends what
    the next one would have. No look has less than it had in earlier versions: a report that claims to be one of theirs gains
    nothing.
    """
    looks, alpha = schedule(max_rounds), share * attempt_alpha(attempt)
    place = next((place for place, look in enumerate(looks) if rounds <= look), len(looks) - 1)
    if len(looks) == 1:
        return alpha
    taken = (*looks[:place], min(rounds, max_rounds)) if place else looks[:1]
    parts = tuple(_part(look, max_rounds) for look in looks[: place + 1])
    return max(_scaled(taken, parts, alpha), share * equal_alpha(max_rounds, attempt))


def _part(rounds: int, max_rounds: int) -> float:
    """What of the budget is spent by a look."""
    if max_rounds <= LOOKS[-1]:
        return SPENT * rounds / max_rounds
    return SPENT * (BEFORE_MORE * rounds / LOOKS[-1] if rounds <= LOOKS[-1] else 1.0)


def _scaled(taken: tuple[int, ...], parts: tuple[float, ...], alpha: float) -> float:
    """The last level, worked out at halvings of ALPHA, of which the attempts are some, and between them by its logarithm."""
    halvings = min(max(math.log2(ALPHA / alpha), 0.0), MOST_HALVINGS) if alpha > 0 else MOST_HALVINGS
    step = math.floor(halvings)
    ratios = [_ratio(taken, parts, at) for at in (step, step + 1)]
    return alpha * ratios[0] * (ratios[1] / ratios[0]) ** (halvings - step)


def _ratio(taken: tuple[int, ...], parts: tuple[float, ...], halvings: int) -> float:
    alpha = ALPHA * 0.5**halvings
    return last_level(taken, tuple(proportional(part, alpha) for part in parts)) / alpha
