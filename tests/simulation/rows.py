"""What a cell of the simulation found, and the tables that show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scipy.special import bdtrc, betaincinv

from gatekeeper.stats.looks import PROMISE

CHUNK = 2000  # runs held in memory at once


@dataclass(frozen=True)
class Row:
    """One cell: how often a gate passed in how many runs. `broken` names the assumption the noise breaks, if any."""

    gate: str
    noise: str
    passed: int
    runs: int
    broken: str = ""

    @property
    def rate(self) -> float:
        return self.passed / self.runs

    @property
    def upper(self) -> float:
        """Clopper-Pearson 95 % upper bound."""
        return float(betaincinv(self.passed + 1, self.runs - self.passed, 0.95)) if self.passed < self.runs else 1.0

    @property
    def met(self) -> bool:
        return self.upper <= PROMISE


def clearly_above(row: Row) -> bool:
    """Whether so many passes are unlikely (0.1 %, for a hundred cells) at a rate of 5 %."""
    return bool(bdtrc(row.passed - 1, row.runs, PROMISE) < 0.001) if row.passed else False


def table(rows: Sequence[Row]) -> str:
    lines = ["| gate | noise | false passes | at most (95 %) | 5 % promise | assumption broken |", "|---|---|--:|--:|---|---|"]
    for r in rows:
        verdict = "met" if r.met else "**missed**"
        lines.append(f"| {r.gate} | {r.noise} | {r.rate:.2%} | {r.upper:.2%} | {verdict} | {r.broken} |")
    return "\n".join(lines) + "\n"


def summary(rows: Sequence[Row]) -> str:
    """The worst cell of each gate, among those whose assumptions hold."""
    lines = ["| gate | cells | worst noise | false passes | at most (95 %) |", "|---|--:|---|--:|--:|"]
    for gate in dict.fromkeys(row.gate for row in rows):
        cells = [row for row in rows if row.gate == gate and not row.broken]
        worst = max(cells, key=lambda row: row.upper)
        lines.append(f"| {gate} | {len(cells)} | {worst.noise} | {worst.rate:.2%} | {worst.upper:.2%} |")
    return "\n".join(lines) + "\n"


def chunks(runs: int) -> Iterator[int]:
    for start in range(0, runs, CHUNK):
        yield min(CHUNK, runs - start)
