"""Verdicts on real workers whose true ratio is known: at the limit, near it, and A against A.

Nothing is simulated: this machine's own noise, whole races as a leg runs them (looks, error budget, blocks; blocks of 10 ms).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from kit.known_work import BASELINE_UNITS, UNITS, Answer, Asked, KnownWork, columns, count, known_work
from kit.tables import races, render, write_table
from scipy.stats import binomtest

from gatekeeper.records.base import Verdict
from gatekeeper.stats.looks import LOOKS

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
LIMIT, SLOWER = 2.0, 1 / 1.05
CLAIMS = {"1.05x faster": (1.05, PASS, FAIL), "1.05x slower": (SLOWER, FAIL, PASS)}  # limit; what claims it, what denies it

pytestmark = pytest.mark.timeout(4 * 3600)


@pytest.fixture
def work(tmp_path: Path) -> Iterator[KnownWork]:
    with known_work(tmp_path) as found:
        yield found


def raced(work: KnownWork, number: int, variants: dict[str, int], limits: tuple[float, ...]) -> dict[tuple[str, float], Answer]:
    """The answers of one race."""
    asked = Asked(limits)
    work.race(variants, asked, seed=number)
    return asked.answers


def geometric_mean(answers: list[Answer]) -> str:
    return f"{np.exp(np.mean(np.log([a.observed for a in answers]))):.3f}x"


def test_bench_known_ratio(work: KnownWork) -> None:
    runs = [raced(work, number, UNITS, (LIMIT,)) for number in range(races(30))]
    found = {name: [run[name, LIMIT] for run in runs] for name in UNITS}
    rows = [
        [f"{BASELINE_UNITS / UNITS[name]:.3f}x", *columns(answers, PASS, FAIL, INCONCLUSIVE), geometric_mean(answers)]
        for name, answers in found.items()
    ]
    header = ["true ratio", "pass", "fail", "inconclusive", "mean rounds", "mean time to verdict", "medians, mean"]
    write_table(
        "known_ratio",
        f"{len(runs)} races of real workers against a limit of 2x. The four variants of a race share its baseline and its A/A\n"
        "control, as in a leg, so the rows are not independent of each other, and time to a verdict is that of all together.\n\n"
        + render(header, rows),
    )
    for name in ("1.9", "2.0"):
        # A gate that is wrong 5 % of the time is wrong in 2 races of 30 every fifth time; this many would be no chance.
        assert binomtest(count(found[name], PASS), len(runs), 0.05, alternative="greater").pvalue > 0.05
    assert count(found["2.3"], FAIL) == 0
    assert np.mean([a.rounds for a in found["2.3"]]) <= max(LOOKS) / 2


def test_bench_a_a(work: KnownWork) -> None:
    """Slower is asked by the same gate: missing 1 / 1.05 is to be slower by 1.05, with the same bounds and margin."""
    runs = [
        raced(work, number, {"copy": BASELINE_UNITS}, tuple(limit for limit, _, _ in CLAIMS.values()))
        for number in range(races(50))
    ]
    found = {claim: [run["copy", limit] for run in runs] for claim, (limit, _, _) in CLAIMS.items()}
    rows = [[claim, *columns(found[claim], claims, denies, INCONCLUSIVE)] for claim, (_, claims, denies) in CLAIMS.items()]
    header = ["claim about a copy", "claimed", "denied", "inconclusive", "mean rounds", "mean time to verdict"]
    write_table("a_a", f"{len(runs)} races of real workers, a model against its own copy.\n\n" + render(header, rows))
    for claim, (_, claims, _) in CLAIMS.items():
        assert count(found[claim], claims) == 0
