"""Whether a change helps, on streams whose truth is known."""

from __future__ import annotations

import random

import pytest

from gatekeeper.deploy.live.changed import fair
from gatekeeper.deploy.rehearsal import Terms
from gatekeeper.deploy.strategies._base import steps
from gatekeeper.errors import UsageError
from gatekeeper.records.rollout import Decision, RolloutLimits, Seen, Window
from gatekeeper.stats.improvement import LEAST, Improving, bound
from gatekeeper.stats.rollout import ERRORS, SLOW, judged

LIMITS = RolloutLimits(slow_ms=50.0, disagreement=None, blue_fails=0.99, burst_s=0.1)
EACH = 10


def stream(
    green: float, blue: float, looks: int, seed: int, metric: str = SLOW, errors: float = 0.0, down: int | None = None
) -> list[Window]:
    """Looks at both colours, of whose requests such a share is bad; green errs besides, and blue is down at one look."""
    draw = random.Random(seed)

    def seen(share: float, errs: float) -> Seen:
        bad, failed = (sum(draw.random() < each for _ in range(EACH)) for each in (share, errs))
        if metric == ERRORS:
            return Seen(requests=EACH, errors=bad, slow=bad)
        return Seen(requests=EACH, errors=failed, slow=max(bad, failed))

    return [
        Window(step=0, seconds=round(0.1 * (i + 1), 3), green=seen(green, errors), blue=seen(blue, 0.0), blue_up=i != down)
        for i in range(looks)
    ]


def ended(windows: list[Window], least: float, metric: str = SLOW) -> Decision:
    judge = Improving(LIMITS, 1, metric, least)
    for window in windows:
        ruling = judge.see(window)
        if judge.over or ruling.decision is not Decision.HOLD:
            return ruling.decision
    return Decision.HOLD


@pytest.mark.parametrize("metric", [SLOW, ERRORS])
def test_what_helps_is_kept_and_what_does_not_is_undone(metric: str) -> None:
    assert {ended(stream(0.0, 0.3, 600, seed, metric), 0.1, metric) for seed in range(5)} == {Decision.PROMOTE}
    assert {ended(stream(0.3, 0.3, 600, seed, metric), 0.1, metric) for seed in range(5)} == {Decision.ROLLBACK}


def test_without_the_bound_the_same_is_promoted() -> None:
    """So that it is the bound that keeps it from being kept."""
    same = stream(0.3, 0.3, 600, 1)
    assert judged(LIMITS, 1, same).decision is not Decision.ROLLBACK
    assert ended(same, 0.1) is Decision.ROLLBACK


def test_what_is_better_by_less_than_the_bound_is_seldom_kept() -> None:
    """At the bound itself, where it is hardest: at most alpha of all, 4 %; of 60 more than 6 in one trial of a hundred."""
    kept = sum(ended(stream(0.2, 0.3, 500, seed), 0.1) is Decision.PROMOTE for seed in range(60))
    assert kept <= 6


def test_what_helps_and_fails_is_undone() -> None:
    assert ended(stream(0.0, 0.3, 600, 1, errors=0.05), 0.1) is Decision.ROLLBACK


def test_an_interruption_takes_what_spoke_for_it() -> None:
    smooth, cut = stream(0.0, 0.3, 345, 3), stream(0.0, 0.3, 345, 3, down=330)
    assert ended(smooth, 0.1) is Decision.PROMOTE and ended(cut, 0.1) is Decision.HOLD


def test_what_is_only_less_loaded_does_not_help() -> None:
    """A change of nothing, where as many requests are slow as a server has much to do: a canary's share alone makes it better."""

    def kept(shares: tuple[int, ...]) -> bool:
        draw, judge, at = random.Random(4), Improving(LIMITS, len(shares), SLOW, 0.1), 0.0
        while not judge.over and at < 200:
            at, share = round(at + 0.1, 3), shares[judge.step] / 100
            step = judge.step
            green, blue = (
                Seen(requests=EACH, slow=sum(draw.random() < 0.4 * s for _ in range(EACH))) for s in (share, 1 - share)
            )
            if judge.see(Window(step=step, seconds=at, green=green, blue=blue)).decision is Decision.ROLLBACK:
                return False
        return judge.over

    assert kept((10,)), "by its share alone"
    fairly = fair(Terms("canary", "immediate"))
    assert not kept(steps(fairly.strategy, fairly.ramping))
    for strategy, ramping in (("rolling", "immediate"), ("blue_green", "immediate"), ("canary", "gradual")):
        assert fair(Terms(strategy, ramping)) == Terms(strategy, ramping)
    with pytest.raises(UsageError, match="recreate gives a change no users' traffic"):
        fair(Terms("recreate"))


def test_no_traffic_is_no_improvement() -> None:
    nothing = [Window(step=0, seconds=0.1 * (i + 1), green=Seen(), blue=Seen(requests=10, slow=9)) for i in range(400)]
    assert ended(nothing, 0.1) is Decision.HOLD


def test_the_bound_is_a_part_of_what_is_too_much() -> None:
    assert bound(0.21, 0.01, 0.5) == pytest.approx(0.1)
    assert bound(0.01, 0.01, 0.5) == LEAST
    for metric, least in ((SLOW, 0.0), (SLOW, 1.0), ("agreement", 0.1)):
        with pytest.raises(ValueError, match="cannot be mended"):
            Improving(LIMITS, 1, metric, least)
