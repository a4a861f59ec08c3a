"""How often a rollout is wrong, and how soon it sees errors: simulated ramps whose rates are known.

GATEKEEPER_BENCH_ROLLOUTS=50 for a quick look. What is printed is in docs/deploy.md.
"""

from __future__ import annotations

import os

from scipy.special import bdtrc
from simulation.rollout import LIMITS, RolloutRow, at_the_limit, fine, rollout_rows

RUNS = int(os.environ.get("GATEKEEPER_BENCH_ROLLOUTS", "400"))


def shown(title: str, rows: list[RolloutRow]) -> str:
    lines = [f"\n{title}, {RUNS:,} ramps each", "green   blue   steps       promoted  rolled back  hold    requests to green"]
    for row in rows:
        rates = f"{row.green:6.2%} {row.blue:6.2%}  {row.steps:10}"
        lines.append(f"{rates} {row.promoted:9.2%} {row.rolled_back:11.2%} {row.held:7.2%} {row.median_green:10,.0f}")
    return "\n".join(lines)


def often(share: float) -> bool:
    """Whether so many are unlikely (0.1 %) at a rate of 5 %."""
    return bool(share and bdtrc(round(share * RUNS) - 1, RUNS, 0.05) < 0.001)


def test_a_green_at_the_limit_is_not_promoted_and_a_fine_one_not_rolled_back() -> None:
    edge, good = rollout_rows(RUNS, at_the_limit(), 40_000), rollout_rows(RUNS, fine(), 80_000)
    print(shown(f"Exactly at the limit of {LIMITS.error_rate:.0%} more than blue", edge))
    print(shown("As good as blue", good))
    for row in edge:
        assert not often(row.promoted) and not often(row.rolled_back), row
    for row in good:
        assert not often(row.rolled_back), row


def test_how_soon_errors_are_found() -> None:
    cells = [(rate, 0.0, weights) for rate in (0.02, 0.05, 0.10) for weights in ((0.25, 0.5, 0.9), (0.01, 0.05, 0.25, 0.5, 0.9))]
    rows = rollout_rows(max(20, RUNS // 20), cells, 400_000)
    print(shown("Errors of green alone", rows))
    assert all(row.promoted == 0 for row in rows)
