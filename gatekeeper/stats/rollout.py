"""Whether a new model (green) may take more of the traffic of the one that serves (blue): `promote`, `hold` or `rollback`.

A step of the ramp is passed when every metric is shown to be within its limit, and the rollout ends when one is shown to be
beyond. Both are bets that may be looked at at any time (`always_valid`), with evidence of that step alone: a step ends by
evidence, never by time. What shows nothing either way is `hold`. Requests that fail together are one observation: to pass, what
counts is stretches of time, each as much as any other.

To pass, all metrics must be shown in all steps: a green beyond its limit in one of them passes with probability alpha at most,
whatever the others do, so nothing is split (intersection-union). To roll back, one is enough: alpha is split over metrics and
steps alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from gatekeeper.records.rollout import Asked, Decision, RolloutLimits, Ruling, Seen, Window
from gatekeeper.stats.always_valid import Beyond, Block, Counted, PairsBeyond, Within

ERRORS, SLOW, ANSWERS, ACCURACY, MEMORY = "error_rate", "p99_latency", "agreement", "accuracy", "memory"
TESTED = (ERRORS, SLOW, ANSWERS, ACCURACY)
"""The metrics that are tested, among which alpha is split. Memory is not: it is read, not sampled."""

SPARE = 1.0
"""How much more than is needed to pass a metric may have in hand, as a logarithm."""

NONE = Block(0, 0, 0, 0)
NEARLY = 1 - 1e-9
"""Clocks are written in milliseconds."""


def clean_stretches(alpha: float, limit: float) -> int:
    """How many stretches with nothing wrong show that a share is below its limit."""
    bet = Within(limit, math.inf)
    while bet.capital < -math.log(alpha):
        bet.bet(0.0)
    return bet.stretches


@dataclass
class _Compared:
    """One metric of both colours: what is not yet bet on, what was counted before, and the capital of both bets.

    What speaks for green is settled by stretches of at least so many seconds: failures that lie nearer together are one. What
    speaks against it is settled at once, and by requests: it may come too soon, and must not come too late.
    """

    within: Within
    beyond: Beyond
    stretch_s: float
    alone: bool = False
    seen: Counted = field(default_factory=Counted)
    waiting: Block = NONE
    stretch: Block = NONE
    since: float = 0.0

    def add(self, block: Block, now: float) -> None:
        """A block is settled when it has requests of both colours: one colour alone compares with nothing."""
        self.waiting, self.stretch = self.waiting.with_(block), self.stretch.with_(block)
        if self._whole(self.waiting):
            self.beyond.bet(self.waiting, self.seen)
            self.seen.add(self.waiting)
            self.waiting = NONE
        if self._whole(self.stretch) and now - self.since >= self.stretch_s * NEARLY:
            both, self.stretch, self.since = self.stretch, NONE, now
            self.within.bet(both.green_bad / both.green - (0.0 if self.alone else both.blue_bad / both.blue))

    def _whole(self, block: Block) -> bool:
        return bool(block.green and (block.blue or self.alone))


@dataclass
class _Paired:
    """Accuracy on inputs whose label is known."""

    within: Within
    beyond: PairsBeyond
    stretch_s: float
    labelled: int = 0
    worse: int = 0
    waiting: int = 0
    since: float = 0.0

    def add(self, asked: Asked, now: float) -> None:
        """Settle them."""
        if asked.labelled:
            self.labelled += asked.labelled
            self.waiting += asked.labelled
            self.worse += asked.green_wrong - asked.blue_wrong
            self.beyond.bet(asked.labelled, asked.green_wrong, asked.blue_wrong)
        if self.waiting and now - self.since >= self.stretch_s * NEARLY:
            self.within.bet(self.worse / self.waiting)
            self.worse, self.waiting, self.since = 0, 0, now


class Judge:
    """Looks at one window after another. It holds no clock and asks nobody: the same windows give the same rulings."""

    def __init__(self, limits: RolloutLimits, steps: int):
        if steps < 1:
            raise ValueError("a rollout has at least one step")
        self.limits, self.steps, self.step = limits, steps, 0
        self.to_pass = -math.log(limits.alpha)
        self.to_roll_back = -math.log(limits.alpha / (len(TESTED) * steps))
        self.first_bytes: dict[str, int] = {}
        self.over, self.now = False, 0.0
        self._begin()

    def _begin(self) -> None:
        """No evidence yet of this step."""
        limits, most = self.limits, self.to_pass + SPARE
        long = limits.burst_s
        self.compared = {
            ERRORS: _Compared(Within(limits.error_rate, most), Beyond(limits.error_rate), long, since=self.now),
            SLOW: _Compared(Within(limits.slow_rate, most), Beyond(limits.slow_rate), long, since=self.now),
        }
        if limits.disagreement is not None:
            bets = Within(limits.disagreement, most), Beyond(limits.disagreement, alone=True)
            self.compared[ANSWERS] = _Compared(*bets, long, alone=True, since=self.now)
        bets_on_pairs = Within(limits.accuracy_loss, most), PairsBeyond(limits.accuracy_loss)
        self.paired = _Paired(*bets_on_pairs, long, since=self.now)
        self._count_anew()

    def _count_anew(self) -> None:
        self.green = self.blue = self.blue_errors = 0

    def _interrupted(self) -> None:
        """What spoke for green counts no more, since nobody knows what was not seen; what spoke against it stays.

        Capital that is only ever cut is still won by chance with alpha at most, however often: no interruption is another try.
        """
        for about in self.compared.values():
            about.within.forget()
        self.paired.within.forget()
        self._count_anew()

    def see(self, window: Window) -> Ruling:
        """What to do now. After `promote` the next step begins; after the last step's, and after `rollback`, it is over."""
        if self.over:
            raise ValueError("the rollout is over")
        if window.step != self.step:
            return hold("", f"these are requests of step {window.step + 1}, this is step {self.step + 1}")
        if wrong := window.problem or nonsense(window) or self._backwards(window):
            self._interrupted()
            return hold("", f"{wrong}; what spoke for green in this step counts no more")
        if not window.blue_up:
            self._interrupted()
            return hold("", "blue is down" if window.green_up else "both are down: there is nothing to compare with")
        if not window.green_up:
            return self._roll_back("", "green is down, and blue is not")
        self._add(window)
        ruling = self._beyond() or self._grown(window) or self._lacking(window)
        if ruling is not None:
            return ruling
        self.step += 1
        self.over = self.step == self.steps
        self._begin()
        return Ruling(decision=Decision.PROMOTE, reason="every metric is shown to be within its limit")

    def _backwards(self, window: Window) -> str:
        """Stretches are told apart by this clock."""
        before, ok = self.now, math.isfinite(window.seconds)
        self.now = max(before, window.seconds) if ok else before
        return "" if ok and window.seconds >= before else "its clock went backwards"

    def _add(self, window: Window) -> None:
        green, blue, asked, now = window.green, window.blue, window.asked, window.seconds
        self.green += green.requests
        self.blue += blue.requests
        self.blue_errors += blue.errors
        self.compared[ERRORS].add(Block(green.requests, green.errors, blue.requests, blue.errors), now)
        if self.limits.slow_ms is not None:
            self.compared[SLOW].add(Block(green.requests, green.slow, blue.requests, blue.slow), now)
        if ANSWERS in self.compared and asked.pairs:
            self.compared[ANSWERS].add(Block(asked.pairs, asked.differ, 0, 0), now)
        self.paired.add(asked, now)

    def _beyond(self) -> Ruling | None:
        """Whether one is shown to be beyond its limit."""
        for metric, about in self.compared.items():
            enough = about.seen.green >= self.limits.least_to_roll_back
            if enough and about.beyond.capital >= self.to_roll_back:
                return self._roll_back(metric, self._rates(metric))
        if self.paired.labelled >= self.limits.least_to_roll_back and self.paired.beyond.capital >= self.to_roll_back:
            return self._roll_back(ACCURACY, f"wrong more often than blue on {self.paired.labelled} labelled inputs")
        return None

    def _grown(self, window: Window) -> Ruling | None:
        """Whether its memory grew: it is read and not sampled, so no test is needed."""
        most = self.limits.memory_growth
        if most is None:
            return None
        if not window.green_bytes or not window.blue_bytes:
            return hold(MEMORY, "memory cannot be read")
        green, blue = (
            now / self.first_bytes.setdefault(colour, now) - 1
            for colour, now in (("green", window.green_bytes), ("blue", window.blue_bytes))
        )
        if green - max(0.0, blue) > most:
            return self._roll_back(MEMORY, f"green's memory grew by {green:.0%}, blue's by {blue:.0%}; allowed {most:.0%} more")
        return None

    def _lacking(self, window: Window) -> Ruling | None:
        """What is not shown yet."""
        least, limits = self.limits.least_requests, self.limits
        if not self.green:
            return hold("", "green has no requests")
        if not self.blue:
            return hold("", "blue has no requests at the same time: there is nothing to compare with")
        if self.blue_errors >= limits.blue_fails * self.blue:
            return hold(ERRORS, f"blue itself fails in {self.blue_errors} of {self.blue} requests: that is no measure")
        if self.green < least or self.blue < least:
            return hold("", f"{min(self.green, self.blue)} requests of one colour, at least {least} are needed")
        if limits.slow_ms is None:
            return hold(SLOW, "it is not known from when on an answer is slow")
        for metric, about in self.compared.items():
            if not about.within.capital >= self.to_pass:
                return hold(metric, f"not yet shown: {self._rates(metric)}, in {about.within.stretches} stretches of time")
        if self.paired.labelled and not self.paired.within.capital >= self.to_pass:
            return hold(ACCURACY, f"not yet shown on {self.paired.labelled} labelled inputs")
        return None

    def _rates(self, metric: str) -> str:
        seen, limit = self.compared[metric].seen, self.compared[metric].within.limit
        if metric == ANSWERS:
            return f"{seen.green_bad} of {seen.green} answers differ from blue's, allowed {limit:.3g}"
        bad = "failed" if metric == ERRORS else f"took over {self.limits.slow_ms:g} ms"
        said = f"of green {seen.green_bad} of {seen.green} {bad}, of blue {seen.blue_bad} of {seen.blue}"
        return f"{said}; allowed {limit:.3g} more"

    def _roll_back(self, metric: str, reason: str) -> Ruling:
        self.over = True
        return Ruling(decision=Decision.ROLLBACK, metric=metric, reason=reason)


def nonsense(window: Window) -> str:
    """Why its numbers cannot be true, if they cannot. Records that were read hold whole numbers, those just made may not."""
    for colour, seen in (("green", window.green), ("blue", window.blue)):
        if why := _unlike_counts(seen):
            return f"{colour}'s {why}"
    asked = window.asked
    parts = (asked.pairs, asked.differ, asked.labelled, asked.green_wrong, asked.blue_wrong)
    if not all(_count(each) for each in parts):
        return "answers are not counted in whole numbers"
    if asked.differ > asked.pairs or asked.labelled > asked.pairs or asked.green_wrong + asked.blue_wrong > asked.labelled:
        return "more answers are counted wrong than were asked"
    return ""


def _unlike_counts(seen: Seen) -> str:
    if not all(_count(each) for each in (seen.requests, seen.errors, seen.slow)):
        return "counts are no whole numbers from 0"
    return "errors are more than its requests" if max(seen.errors, seen.slow) > seen.requests else ""


def _count(value: object) -> bool:
    """NaN, infinity, what is negative and what is no number are no counts."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def hold(metric: str, reason: str) -> Ruling:
    """To wait, for a reason."""
    return Ruling(decision=Decision.HOLD, metric=metric, reason=reason)


NOTHING = Ruling(decision=Decision.HOLD, reason="nothing was seen")


def judged(limits: RolloutLimits, steps: int, windows: Iterable[Window]) -> Ruling:
    """The ruling on all of a rollout, from what was seen of it: `promote` only when its last step was passed."""
    judge, ruling = Judge(limits, steps), NOTHING
    for window in windows:
        if judge.over:
            break
        ruling = judge.see(window)
    if ruling.decision is Decision.PROMOTE and not judge.over:
        return Ruling(decision=Decision.HOLD, reason=f"step {judge.step} of {steps} was passed, and nothing was seen of the next")
    return ruling
