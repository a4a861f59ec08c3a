"""Tests that may be looked at after every request: capital that cannot grow where the claim it bets against is true.

Whoever looks at an ordinary test again and again finds what he looks for. Here each claim (`green fails at least 1 % more often
than blue`) is bet against at fair odds; where the claim is true, the chance that the capital ever grows 1/alpha-fold is at most
alpha, whenever one looks and whenever one stops (Ville's inequality). Capital is kept as its logarithm.

Two colours: R. Turner, A. Ly and P. Grunwald, "Generic E-variables for exact sequential k-sample tests that allow for optional
stopping", Journal of Statistical Planning and Inference 230 (2024): in each block the likelihood of an alternative beside that of
the nearest point at which the claim is true. Its mean is at most 1 wherever the claim is true, since the claims `a - b >= limit`
and `a - b <= limit` are convex. Pairs: I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting",
JRSS-B (2024). Changes: the mixture over the times of a change of J. Shin, A. Ramdas and A. Rinaldo, "E-detectors", New
England Journal of Statistics in Data Science (2023), with a capital that is shared out once and not lent again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

HALVINGS = 34
"""Of the interval in which the nearest point lies."""

LEAST = 1e-9
"""How near to 0 or 1 a rate is bet on: beyond it one surprise would take everything."""


@dataclass(frozen=True)
class Block:
    """Requests of both colours in the same stretch of time, and how many of each went wrong."""

    green: int
    green_bad: int
    blue: int
    blue_bad: int

    def with_(self, other: Block) -> Block:
        """Both together."""
        green, blue = self.green + other.green, self.blue + other.blue
        return Block(green, self.green_bad + other.green_bad, blue, self.blue_bad + other.blue_bad)


def nearest(green: int, blue: int, a: float, b: float, limit: float) -> tuple[float, float]:
    """Of all rates (a', b') with a' - b' = limit the ones whose likelihood is nearest to that of (a, b), for blocks with so many
    requests. With no requests of blue the nearest is the one in which blue's rate is as near to `b` as it may be.
    """
    low, high = max(0.0, -limit), min(1.0, 1.0 - limit)

    def slope(rate: float) -> float:
        other = rate + limit
        return green * (other - a) / _spread(other) + blue * (rate - b) / _spread(rate)

    if not blue and not green:
        return a, b
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return (low + high) / 2 + limit, (low + high) / 2


def _spread(rate: float) -> float:
    return max(rate * (1 - rate), 1e-300)


def grown(block: Block, alternative: tuple[float, float], claim: tuple[float, float]) -> float:
    """By how much, as a logarithm, capital grows on a block that is bet to follow one pair of rates and not another."""
    (a, b), (a0, b0) = alternative, claim
    return _likelier(block.green_bad, block.green, a, a0) + _likelier(block.blue_bad, block.blue, b, b0)


def _likelier(bad: int, n: int, rate: float, instead: float) -> float:
    total = 0.0
    if bad:
        total += bad * (math.log(rate) - math.log(instead)) if rate > 0 else -math.inf
    if n > bad:
        total += (n - bad) * (math.log1p(-rate) - math.log1p(-instead)) if rate < 1 else -math.inf
    return total


def log_sum(logs: Sequence[float]) -> float:
    """The logarithm of a sum whose terms are given by theirs."""
    top = max(logs)
    return top if top == -math.inf else top + math.log(math.fsum(math.exp(each - top) for each in logs))


@dataclass
class Counted:
    """What the bets are chosen by: requests of both colours before the block that is bet on."""

    green: int = 0
    green_bad: int = 0
    blue: int = 0
    blue_bad: int = 0

    def add(self, block: Block) -> None:
        """After its bets are settled."""
        self.green += block.green
        self.green_bad += block.green_bad
        self.blue += block.blue
        self.blue_bad += block.blue_bad

    def blue_rate(self, limit: float) -> float:
        """Blue's, drawn towards a tenth of the limit while there are few."""
        weight = 2.0
        return _inside((self.blue_bad + weight * limit / 10) / (self.blue + weight))


def _inside(rate: float) -> float:
    return min(1 - LEAST, max(LEAST, rate))


STAKE = 0.95
"""The largest part of what can be lost at once that is bet: with all of it one stretch that fails wholly would be the end."""

PRIOR = 2.0
"""Stretches with nothing wrong that the first bets are chosen by, as if they had been seen."""


@dataclass
class Within:
    """Capital bet against `in the mean over stretches of time the difference of the shares is the limit or more`.

    A stretch is one observation, however many requests it has and however many of them fail: those that fail together say no
    more than one. Only that each difference is at most 1 is used, so that they may be spread in any way (Waudby-Smith and Ramdas,
    2024): the capital is multiplied by 1 + bet * (limit - difference), with a bet that is chosen by the stretches before it
    (approximately what makes it grow fastest, their section B.3).

    It is cut at `most`, a logarithm: what was shown long ago must not outweigh what goes wrong now. Cutting is giving away, and
    leaves the promise as it is.
    """

    limit: float
    most: float
    capital: float = 0.0
    best: float = 0.0
    stretches: int = 0
    sum: float = 0.0  # of limit - difference
    squares: float = 0.0

    @property
    def stake(self) -> float:
        """What is bet on the next stretch."""
        n = self.stretches + PRIOR
        mean = (self.sum + PRIOR * self.limit) / n
        variance = max(0.0, (self.squares + PRIOR * self.limit**2) / n - mean**2)
        best = mean / (variance + mean**2) if mean > 0 else 0.0
        return min(STAKE / (1 - self.limit), best)

    def bet(self, difference: float) -> None:
        """Settle one stretch: green's share of what is wrong, less blue's."""
        spare = self.limit - difference
        self.capital = min(self.most, self.capital + math.log1p(self.stake * spare))
        self.best = max(self.best, self.capital)
        self.stretches, self.sum, self.squares = self.stretches + 1, self.sum + spare, self.squares + spare**2

    def forget(self) -> None:
        """Give away what was won, and keep what was lost: to begin again with a full stake would be a second try for nothing."""
        self.capital = min(0.0, self.capital)


def _shares() -> tuple[float, ...]:
    return (-math.inf, -math.inf, -math.inf)


@dataclass
class Beyond:
    """Capital bet against `green's rate exceeds blue's by the limit at most`.

    It is bet on three rates at once, from twice the limit to halfway between blue's and always; and in parts, the k-th of which
    waits until block k and is 1 / (k (k + 1)) of all: a green that goes wrong late has not lost what finds it.
    """

    limit: float
    alone: bool = False
    blocks: int = 0
    bets: tuple[float, ...] = field(default_factory=_shares)

    def bet(self, block: Block, seen: Counted) -> None:
        """Settle one block. `seen` is what was counted before it."""
        self.blocks += 1
        invested = -math.log(self.blocks * (self.blocks + 1.0))
        b = 0.0 if self.alone else seen.blue_rate(self.limit)
        bets = []
        for a, capital in zip(self._rates(b), self.bets, strict=True):
            started = log_sum((capital, invested))
            if a <= b + self.limit or not block.green or not (block.blue or self.alone):
                bets.append(started)
                continue
            claim = (self.limit, 0.0) if self.alone else nearest(block.green, block.blue, a, b, self.limit)
            bets.append(started + grown(block, (a, b), claim))
        self.bets = tuple(bets)

    def _rates(self, b: float) -> tuple[float, float, float]:
        return tuple(min(1 - LEAST, rate) for rate in (b + 2 * self.limit, b + 5 * self.limit, (1 + b) / 2))  # type: ignore[return-value]

    @property
    def capital(self) -> float:
        """All of it, with what waits."""
        waits = -math.log(self.blocks + 1.0)
        return log_sum([each - math.log(len(self.bets)) for each in (*self.bets, *[waits] * len(self.bets))])


FRACTIONS = (0.9, 0.6, 0.3, 0.1)
"""Of what may be bet at most on the difference of a pair."""


@dataclass
class PairsBeyond:
    """Capital bet against `green alone is wrong, less blue alone, in the limit at most`; in parts, as that of `Beyond`."""

    limit: float
    blocks: int = 0
    bets: tuple[float, ...] = (-math.inf,) * len(FRACTIONS)

    def bet(self, pairs: int, green_only: int, blue_only: int) -> None:
        """Settle some pairs."""
        self.blocks += 1
        invested = -math.log(self.blocks * (self.blocks + 1.0))
        started = (log_sum((each, invested)) for each in self.bets)
        self.bets = tuple(
            each + _paired(pairs, blue_only, green_only, -self.limit, f) for each, f in zip(started, FRACTIONS, strict=True)
        )

    @property
    def capital(self) -> float:
        """All of it, with what waits."""
        waits = -math.log(self.blocks + 1.0)
        return log_sum([each - math.log(len(self.bets)) for each in (*self.bets, *[waits] * len(self.bets))])


def _paired(pairs: int, worse: int, better: int, limit: float, fraction: float) -> float:
    """Capital's growth on differences d of -1, 0 or 1 when a fraction of what cannot ruin it is bet on their mean being below the
    limit: each factor is 1 + fraction * (limit - d) / (1 - limit), at least 1 - fraction.
    """
    bet = fraction / (1 - limit)
    same = pairs - worse - better
    return same * math.log1p(bet * limit) + worse * math.log1p(bet * (limit - 1)) + better * math.log1p(bet * (limit + 1))
