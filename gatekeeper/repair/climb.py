"""The ladder: remedies from the cheapest to the dearest, each tried cheaply, and the best of them measured fully.

Pure: what makes and measures is given. The cheap rung sees calibration data and two rounds; it ranks, and it throws out what is
hopeless. The full measurement is the one that `gatekeeper run` makes, on the evaluation set, as a further attempt at the same
commit: the first one spends 4 % of error, and all that follow share 1 % (gatekeeper/stats/looks.py), however many they are. Of
any number of candidates that are exactly at a limit one passes at most as often as that, and nobody has to count candidates.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import msgspec

from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.records.repaired import Lost, Tried
from gatekeeper.repair.edits import Change, check_allowed, edits_of
from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies._base import Unsuited, ordered, remedy, unsuited

FINALISTS = 4
"""Full measurements of one climb: each spends half of the error of the one before, and the fourth less than 0.1 %."""
EACH_TIER = 2
LIKE = 4.0
"""Divergences within such a factor are alike: 64 examples tell no finer."""
OUT_OF_TIME = "the budget was used up before"
TOO_LONG = "it takes more than its share of the budget"


class Bench(Protocol):
    """What makes and measures."""

    def cheap(self, tried: Tried) -> Tried:
        """Made, and its answers and two rounds beside the original's; `unmade` with a reason where that failed."""

    def full(self, tried: Tried, attempt: int) -> Tried:
        """Measured and judged as `gatekeeper run` does, as that attempt."""


@dataclass(frozen=True)
class Candidate:
    """A change of one remedy for one variant."""

    change: Change
    failing: Failing
    tried: Tried


@dataclass
class Clock:
    """What is left of a budget. A step begins where it is likely to end in time; one that has begun is not cut short."""

    budget_s: float
    now: Callable[[], float] = time.monotonic
    started: float = 0.0
    longest: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.started = self.now()

    @property
    def passed(self) -> float:
        """Seconds since it started."""
        return self.now() - self.started

    def room(self, kind: str) -> bool:
        """Whether another step of a kind, that takes as long as the longest so far, ends in time."""
        return self.passed + self.longest.get(kind, 0.0) < self.budget_s

    def took(self, kind: str, seconds: float) -> None:
        """Note how long a step took."""
        self.longest[kind] = max(seconds, self.longest.get(kind, 0.0))


@dataclass
class Climb:
    """One repair on its way. `all` are the candidates in the order in which they were tried, `attempts` those that were spent."""

    failing: Sequence[Failing]
    bench: Bench
    clock: Clock
    attempt: int  # of the first full measurement
    told: Callable[[Tried], None] = lambda _: None
    all: list[Candidate] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)

    def run(self) -> Candidate | None:
        """The first candidate that passes everything; None where none did, or the time is up."""
        for tier in self._tiers():
            found = self._confirmed([each for each in tier if hopeful(each)][:EACH_TIER] if tier else [])
            if found:
                return found
        together = self._together()
        if together and (found := self._confirmed([each for each in together if hopeful(each)][:1])):
            return found
        return self._confirmed(ranked([each for each in self.all if hopeful(each)]))  # what earlier tiers had no turn for

    def _tiers(self) -> Iterator[list[Candidate]]:
        """The candidates of each cost, tried cheaply, the best first."""
        asked = [(name, each) for each in self.failing for name in ordered(each.kinds)]
        for cost in sorted({remedy(name).COST for name, _ in asked}):
            own = [pair for pair in asked if cost == remedy(pair[0]).COST]
            yield ranked([each for name, failing in own for each in self._proposed(name, failing)])

    def _proposed(self, name: str, failing: Failing) -> list[Candidate]:
        """What one remedy proposes for one variant, each tried cheaply before the next is asked for."""
        blank = Tried(remedy=name, variant=failing.variant, edits=[], step="unsuited")
        if why := unsuited(name, failing):
            self._note(Candidate(Change(), failing, msgspec.structs.replace(blank, reason=why)))
            return []
        found: list[Candidate] = []
        try:
            proposals = remedy(name).propose(failing)
            change = next(proposals, None)
            while change is not None:
                each = self._cheap(name, failing, change)
                found.append(each)
                if each.tried.reason == OUT_OF_TIME:
                    break
                try:
                    change = proposals.send(each.tried)
                except StopIteration:
                    break
        except (Unsuited, UsageError, NotMeasured) as why:
            self._note(Candidate(Change(), failing, msgspec.structs.replace(blank, reason=str(why))))
        except Exception as error:  # a remedy may be anybody's
            said = f"the remedy itself failed ({type(error).__name__}: {error})"
            self._note(Candidate(Change(), failing, msgspec.structs.replace(blank, reason=said)))
        return found

    def _cheap(self, name: str, failing: Failing, change: Change) -> Candidate:
        edits = edits_of(change, failing.place)
        check_allowed(edits)
        asked = Tried(remedy=name, variant=failing.variant, edits=edits, step="waiting", reason=OUT_OF_TIME)
        again, room = next((each for each in self.all if each.tried.edits == edits), None), self.clock.room("cheap")
        if again and (again.tried.step != "waiting" or not room):
            return again  # another remedy had the same idea
        if room:
            started = self.clock.now()
            asked = self.bench.cheap(asked)
            self.clock.took("cheap", self.clock.now() - started)
        return self._note(Candidate(change, failing, asked))

    def _together(self) -> list[Candidate]:
        """The best two of different remedies, as one change: tried where none was enough alone."""
        best = ranked([each for each in self.all if each.tried.step in ("cheap", "confirmed") and not _only_slow(each)])
        for i, one in enumerate(best):
            for other in best[i + 1 :]:
                both = one.change.with_(other.change) if one.failing is other.failing else None
                if both and other.tried.remedy != one.tried.remedy:
                    return [self._cheap(f"{one.tried.remedy} + {other.tried.remedy}", one.failing, both)]
        return []

    def _confirmed(self, finalists: Sequence[Candidate]) -> Candidate | None:
        for each in finalists:
            if len(self.attempts) >= FINALISTS or not self.clock.room("full"):
                return None
            done = self.confirm(each)
            if done.tried.passed:
                return done
        return None

    def confirm(self, each: Candidate) -> Candidate:
        """Its full measurement, which is the next attempt."""
        attempt = self.attempt + len(self.attempts)
        self.attempts.append(attempt)
        started = self.clock.now()
        tried = self.bench.full(each.tried, attempt)
        self.clock.took("full", self.clock.now() - started)
        return self._note(replace(each, tried=tried))

    def _note(self, each: Candidate) -> Candidate:
        """Keep it, in place of what was known of the same change before."""
        place = next((i for i, one in enumerate(self.all) if one.tried.edits and one.tried.edits == each.tried.edits), None)
        if place is None:
            self.all.append(each)
        else:
            self.all[place] = each
        self.told(each.tried)
        return each


def hopeful(candidate: Candidate) -> bool:
    """Whether the cheap rung found nothing that a full measurement would surely find again."""
    return candidate.tried.step == "cheap" and not candidate.tried.lost


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The best first: those that lost nothing; where answers failed, by how far they are from the original's, else by speed."""

    def key(each: Candidate) -> tuple[float, ...]:
        tried, kinds = each.tried, each.failing.kinds
        apart = math.inf if tried.kl is None else math.ceil(math.log(max(tried.kl, 1e-9), LIKE))
        slow = math.inf if not tried.speedup else -math.log(tried.speedup)
        heavy = math.inf if tried.memory is None else tried.memory
        base = remedy_cost(tried.remedy), len(tried.edits)
        if "accuracy" in kinds:
            return (len(tried.lost), apart, *base, slow)
        if "memory" in kinds and "speed" not in kinds:
            return (len(tried.lost), heavy, *base, apart)
        return (len(tried.lost), slow, *base, apart)

    return sorted(candidates, key=key)


def remedy_cost(name: str) -> int:
    """Of several together, of the dearest."""
    return max(remedy(each).COST for each in name.split(" + "))


def _only_slow(each: Candidate) -> bool:
    """Whether it is out for its speed: another change beside it makes it no faster."""
    return any(lost.estimated and lost.gate == "speedup" for lost in each.tried.lost) and "speed" not in each.failing.kinds


def needed(climb: Climb, found: Candidate, failed: Sequence[Lost]) -> tuple[Candidate, list[tuple[Change, list[Lost], int]]]:
    """The change without the parts that it does not need, and for each that is left, what is lost without it.

    Each is left out in turn and what remains is measured fully. What passes without a part goes on without it: a smaller change
    that passes is the better one, and it was an attempt like any other.
    """
    kept = found
    while True:
        shown: list[tuple[Change, list[Lost], int]] = []
        parts = kept.change.parts()
        for part in parts:
            rest = kept.change.without(part)
            if not rest.parts():
                shown.append((part, list(failed), 0))  # that is the file as it stands
                continue
            if not climb.clock.room("full"):
                shown.append((part, [], 0))
                continue
            less = Candidate(rest, kept.failing, msgspec.structs.replace(kept.tried, edits=edits_of(rest, kept.failing.place)))
            again = climb.confirm(less)
            if again.tried.passed:
                kept = again
                break
            shown.append((part, again.tried.lost, again.tried.attempt))
        else:
            return kept, shown
