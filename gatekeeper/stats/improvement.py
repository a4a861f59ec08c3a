"""Whether a change helps: green must be no worse than blue in anything, and better by a bound in what it is to mend.

The rollout's judge decides the first as it always does. The second is two more claims, bet against in each step as there, by
stretches of time: `green is better by less than the bound`, which must be shown wrong before a step is passed, and `green is
better by the bound or more`, which ends the rollout if it is shown wrong: a step that does not help is not waited for.

The bound is fixed before the first request, from what was seen before it. A change that is better by less passes with alpha at
most; one that is better by the bound is undone for it with alpha / (4 * steps) at most, the share that each metric of the judge
has.
"""

from __future__ import annotations

import math

from gatekeeper.records.rollout import RolloutLimits, Ruling, Window
from gatekeeper.stats.always_valid import Block, Within
from gatekeeper.stats.rollout import ERRORS, NEARLY, NONE, SLOW, SPARE, Judge, hold

METRICS = (ERRORS, SLOW)
"""What can be mended: shares of requests."""
LEAST = 0.005
"""The least bound that is asked for: less would take hours to show."""
MOST = 0.9


def bound(over: float, allowed: float, part: float) -> float:
    """By how much green's share must be less than blue's: a part of what is too much."""
    return min(MOST, max(LEAST, part * (over - allowed)))


class Improving(Judge):
    """A judge of a rollout that also wants `metric` to be better by `least`, a share of requests."""

    def __init__(self, limits: RolloutLimits, steps: int, metric: str, least: float):
        if metric not in METRICS or not 0 < least <= MOST:
            raise ValueError(f"{metric} cannot be mended by {least}")
        self.metric, self.least = metric, least
        super().__init__(limits, steps)

    def _begin(self) -> None:
        super()._begin()
        most = self.to_pass + SPARE
        self.better, self.useless = Within(-self.least, most), Within(self.least, math.inf)
        self.stretch, self.since, self.seen_both = NONE, self.now, NONE

    def _interrupted(self) -> None:
        super()._interrupted()
        self.better.forget()

    def _add(self, window: Window) -> None:
        super()._add(window)
        green, blue = window.green, window.blue
        bad = (green.errors, blue.errors) if self.metric == ERRORS else (green.slow, blue.slow)
        block = Block(green.requests, bad[0], blue.requests, bad[1])
        self.stretch, self.seen_both = self.stretch.with_(block), self.seen_both.with_(block)
        both = self.stretch
        if both.green and both.blue and window.seconds - self.since >= self.limits.burst_s * NEARLY:
            worse = both.green_bad / both.green - both.blue_bad / both.blue
            self.better.bet(worse)
            self.useless.bet(-worse)
            self.stretch, self.since = NONE, window.seconds

    def _beyond(self) -> Ruling | None:
        found = super()._beyond()
        if found is None and self.useless.capital >= self.to_roll_back:
            return self._roll_back(self.metric, f"it does not help: {self._told()}")
        return found

    def _lacking(self, window: Window) -> Ruling | None:
        found = super()._lacking(window)
        if found is None and not self.better.capital >= self.to_pass:
            return hold(self.metric, f"it is not yet shown that it helps: {self._told()}")
        return found

    def _told(self) -> str:
        both = self.seen_both
        what = "failed" if self.metric == ERRORS else f"took over {self.limits.slow_ms:g} ms"
        said = f"of green {both.green_bad} of {both.green} {what}, of blue {both.blue_bad} of {both.blue}"
        return f"{said}; wanted {self.least:.3g} fewer, in {self.better.stretches} stretches of time"
