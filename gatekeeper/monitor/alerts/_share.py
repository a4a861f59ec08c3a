"""Alerts on a share of what was counted: their least number of observations, and what their rules are tried on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gatekeeper.monitor.alerts._base import Rule, Trial

LEVEL = 0.05
WAIT_S = 300.0
MINUTES = 75
"""How long the trials of a rule go on: long enough to count what it needs, whatever it looks back."""


def least(allowed: float) -> int:
    """The fewest observations of which none is over, that show a share of at most `allowed`: 299 for 1 %. With fewer nothing
    is said.
    """
    return math.ceil(math.log(LEVEL) / math.log1p(-allowed))


def shared(name: str, expr: str, every: str, allowed: float, trials: Sequence[Trial]) -> Rule:
    """A rule that is silent while too little was counted."""
    return Rule(name, f"({expr}) and ({every} >= {least(allowed)})", WAIT_S, trials, least(allowed))


def enough(least_: float) -> float:
    """So many a minute that a trial counts four times the least."""
    return 4 * least_ / MINUTES


def scarce(least_: float) -> float:
    """So few that it counts a quarter: a rule that fires on them has no guard."""
    return least_ / 4 / MINUTES


def rising(a_minute: float, minutes: int) -> str:
    """A counter that rises by so much each minute, as promtool writes it."""
    return f"0+{a_minute:g}x{minutes}"
