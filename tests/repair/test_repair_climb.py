"""The ladder, with a bench that knows the truth: what is tried when, what is confirmed, and how often that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from gatekeeper.models.info import Assessment
from gatekeeper.records.base import Verdict
from gatekeeper.records.repaired import Lost, Tried
from gatekeeper.repair import climb
from gatekeeper.repair.climb import FINALISTS, OUT_OF_TIME, Climb, Clock, needed
from gatekeeper.repair.edits import Change, Place
from gatekeeper.repair.failing import Failing
from gatekeeper.repair.remedies import sensitive_layers
from gatekeeper.stats.binary import critical, score_z
from gatekeeper.stats.looks import attempt_alpha

MODEL = Assessment(
    path="m.onnx", format="onnx", files=[], bytes=1, architecture="cnn", parameters=1, weights={}, operators={},
    weighted_operators={}, nested_operators={}, inputs=[], outputs=[], opset={},
)  # fmt: skip
BELOW = Lost(gate="accuracy", verdict=Verdict.FAIL, observed=0.88, bound=0.85, limit=0.95, unit="fraction")
FAILING = Failing(
    "here/onnx_runtime/int8_static", Place("onnx_runtime", "int8_static", index=0), frozenset({"accuracy"}), (BELOW,), MODEL
)


class Told:
    """A bench that is told what each change is worth: divergence, speed, and whether it truly passes."""

    def __init__(self, cheap: Callable[[dict[str, Any]], dict[str, Any]], passes: Callable[[dict[str, Any], int], bool]):
        self.worth, self.passes = cheap, passes
        self.cheaply: list[dict[str, Any]] = []
        self.fully: list[tuple[dict[str, Any], int]] = []

    def cheap(self, tried: Tried) -> Tried:
        self.cheaply.append(options(tried))
        return msgspec.structs.replace(tried, step="cheap", reason="", **self.worth(options(tried)))

    def full(self, tried: Tried, attempt: int) -> Tried:
        self.fully.append((options(tried), attempt))
        passed = self.passes(options(tried), attempt)
        lost = [] if passed else [BELOW]
        return msgspec.structs.replace(tried, step="confirmed", passed=passed, lost=lost, attempt=attempt)


def options(tried: Tried) -> dict[str, Any]:
    return {str(each.path[-1]): each.value for each in tried.edits}


def proposing(*changes: dict[str, Any]) -> Callable[[Failing], Generator[Change, Tried | None, None]]:
    def propose(failing: Failing) -> Generator[Change, Tried | None, None]:
        for each in changes:
            yield Change(each)

    return propose


@pytest.fixture
def remedies(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts others in the place of those that there are: name -> (cost, propose)."""

    def put(**known: tuple[int, Any]) -> None:
        made = {
            name: SimpleNamespace(COST=cost, FAILURES=("accuracy",), propose=propose) for name, (cost, propose) in known.items()
        }
        monkeypatch.setattr(climb, "remedy", made.__getitem__)
        monkeypatch.setattr(climb, "unsuited", lambda name, failing: "")
        monkeypatch.setattr(climb, "ordered", lambda kinds: sorted(made, key=lambda name: made[name].COST))

    return put


def climbing(
    bench: Any, budget: float = 1e9, now: Callable[[], float] = lambda: 0.0, failing: Sequence[Failing] = (FAILING,)
) -> Climb:
    return Climb(failing, bench, Clock(budget, now), attempt=2)


def test_what_is_dear_is_not_tried_where_something_cheap_passes(remedies: Callable[..., None]) -> None:
    remedies(cheap=(1, proposing({"a": 1})), dear=(2, proposing({"b": 1})))
    bench = Told(lambda change: {"kl": 0.1}, lambda change, attempt: True)
    found = climbing(bench).run()
    assert found is not None
    assert options(found.tried) == {"a": 1}
    assert (bench.cheaply, bench.fully) == ([{"a": 1}], [({"a": 1}, 2)])


def test_the_nearest_to_the_originals_answers_is_measured_first(remedies: Callable[..., None]) -> None:
    remedies(one=(1, proposing({"a": 1}, {"a": 2}, {"a": 3})))
    bench = Told(lambda change: {"kl": {1: 0.5, 2: 1e-4, 3: 0.1}[change["a"]]}, lambda change, attempt: True)
    found = climbing(bench).run()
    assert found is not None
    assert options(found.tried) == {"a": 2}
    assert len(bench.fully) == 1


def test_what_loses_a_gate_cheaply_is_not_measured_fully(remedies: Callable[..., None]) -> None:
    remedies(float=(1, proposing({"exclude": 1})), even=(2, proposing({"equalize": 1})))
    slow = Lost(gate="speedup", verdict=Verdict.FAIL, observed=0.79, limit=1.5, unit="x", estimated=True)
    bench = Told(lambda change: {"kl": 0.01, "lost": [slow] if "exclude" in change else []}, lambda change, attempt: True)
    climbed = climbing(bench)
    found = climbed.run()
    assert found is not None
    assert [change for change, _ in bench.fully] == [{"equalize": 1}]
    assert [each.tried.lost for each in climbed.all if "exclude" in options(each.tried)] == [[slow]]


def test_a_remedy_that_breaks_or_oversteps_is_said_and_the_others_go_on(remedies: Callable[..., None]) -> None:
    def broken(failing: Failing) -> Generator[Change, Tried | None, None]:
        yield Change({"a": 1 // len(failing.reason)})

    def greedy(failing: Failing) -> Generator[Change, Tried | None, None]:
        yield Change(values={("gates", "accuracy", "retention"): 0.5})

    remedies(broken=(1, broken), greedy=(1, greedy), fine=(2, proposing({"a": 1})))
    climbed = climbing(Told(lambda change: {"kl": 0.1}, lambda change, attempt: True))
    assert climbed.run() is not None
    said = {each.tried.remedy: each.tried for each in climbed.all}
    assert said["broken"].step == said["greedy"].step == "unsuited"
    assert "ZeroDivisionError" in said["broken"].reason
    assert "gates.accuracy.retention: 0.5" in said["greedy"].reason


def test_without_time_nothing_is_begun(remedies: Callable[..., None]) -> None:
    remedies(one=(1, proposing({"a": 1}, {"a": 2})))
    bench = Told(lambda change: {"kl": 0.1}, lambda change, attempt: True)
    climbed = climbing(bench, budget=0.0)
    assert climbed.run() is None
    assert (bench.cheaply, bench.fully) == ([], [])
    assert [(each.tried.step, each.tried.reason) for each in climbed.all] == [("waiting", OUT_OF_TIME)]


def test_a_step_that_would_not_end_in_time_is_not_begun(remedies: Callable[..., None]) -> None:
    clock = iter(range(0, 1000, 4))  # every look at it takes four seconds
    remedies(one=(1, proposing(*({"a": i} for i in range(20)))))
    bench = Told(lambda change: {"kl": 0.1}, lambda change, attempt: False)
    climbed = climbing(bench, budget=30.0, now=lambda: float(next(clock)))
    assert climbed.run() is None
    assert 1 <= len(bench.cheaply) < 5
    assert climbed.all[-1].tried.step == "waiting"


@pytest.mark.parametrize("enough", [1, 3, 7, 15])
def test_as_few_layers_as_are_enough_are_left_out(enough: int) -> None:
    names = [f"conv{i}" for i in range(20)]
    failing = msgspec_free(FAILING, sensitive=lambda: names)
    proposals, seen = sensitive_layers.propose(failing), []
    change = next(proposals)
    while True:
        count = len(change.options["exclude"])
        assert change.options["exclude"] == names[:count]
        seen.append(count)
        lost = [] if count >= enough else [BELOW]
        try:
            change = proposals.send(Tried(remedy="r", variant="v", edits=[], step="cheap", lost=lost))
        except StopIteration:
            break
    assert min(count for count in seen if count >= enough) == enough
    assert len(seen) <= 8


def msgspec_free(failing: Failing, **changes: Any) -> Failing:
    from dataclasses import replace

    return replace(failing, options=lambda technique: {"exclude": []}, **changes)


def test_two_that_are_not_enough_alone_are_tried_together(remedies: Callable[..., None]) -> None:
    remedies(one=(1, proposing({"a": 1})), other=(1, proposing({"b": 1})))
    bench = Told(lambda change: {"kl": 1.0 / len(change)}, lambda change, attempt: len(change) == 2)
    found = climbing(bench).run()
    assert found is not None
    assert options(found.tried) == {"a": 1, "b": 1}


def test_a_patch_has_no_line_that_it_does_not_need() -> None:
    """The truth: `a` is enough; `b` was along for nothing."""
    bench = Told(lambda change: {}, lambda change, attempt: "a" in change)
    climbed = climbing(bench)
    both = Change({"a": 1, "b": 1})
    found = climbed.confirm(candidate(both))
    kept, shown = needed(climbed, found, [BELOW])
    assert options(kept.tried) == {"a": 1}
    assert [(part.options, lost, attempt) for part, lost, attempt in shown] == [({"a": 1}, [BELOW], 0)]
    assert [attempt for _, attempt in bench.fully] == [2, 3, 4]  # each rerun is an attempt of its own


def test_each_line_that_is_needed_is_shown_to_be() -> None:
    bench = Told(lambda change: {}, lambda change, attempt: len(change) == 2)
    climbed = climbing(bench)
    kept, shown = needed(climbed, climbed.confirm(candidate(Change({"a": 1, "b": 1}))), [BELOW])
    assert options(kept.tried) == {"a": 1, "b": 1}
    assert [(part.options, lost, attempt) for part, lost, attempt in shown] == [({"a": 1}, [BELOW], 3), ({"b": 1}, [BELOW], 4)]


def candidate(change: Change) -> climb.Candidate:
    from gatekeeper.repair.edits import edits_of

    tried = Tried(remedy="r", variant=FAILING.variant, edits=edits_of(change, FAILING.place), step="cheap")
    return climb.Candidate(change, FAILING, tried)


RUNS, N, CANDIDATES = 1500, 300, 20


def truth(r: np.random.Generator, kept: float) -> tuple[Any, Any]:
    """What the original gets right of an evaluation set, and a candidate that keeps such a share of it."""
    before = (r.random(N) < 0.97).astype(float)
    return before, np.where(r.random(N) < kept, before, 0.0)


@pytest.mark.parametrize("kept", [0.94, 0.95])
def test_candidates_that_are_not_good_enough_seldom_pass(remedies: Callable[..., None], kept: float) -> None:
    """Twenty of them a repair: a passing patch comes out of at most 5 % of repairs (Clopper and Pearson's upper bound).

    Where each was asked of the evaluation set at the level of a first attempt, far more would.
    """
    from scipy.stats import beta

    remedies(all=(1, proposing(*({"a": i} for i in range(CANDIDATES)))))
    r = np.random.default_rng(18)
    wrong = loose = asked = 0
    for _ in range(RUNS):
        sets = [truth(r, kept) for _ in range(CANDIDATES)]
        z = [score_z(after, before, 0.95) for before, after in sets]

        def passes(change: dict[str, Any], attempt: int, z: list[float] = z) -> bool:
            return bool(z[change["a"]] > critical(attempt_alpha(attempt)))

        bench = Told(lambda change: {"kl": float(r.random())}, passes)
        wrong += climbing(bench).run() is not None
        loose += any(each > critical(attempt_alpha(1)) for each in z)
        asked = max(asked, len(bench.fully))
    assert float(beta.ppf(0.95, wrong + 1, RUNS - wrong)) <= 0.05
    assert asked <= FINALISTS
    if kept == 0.95:
        assert loose / RUNS > 0.3  # the simulation has what the budget keeps out


def test_two_remedies_with_one_idea_try_it_once(remedies: Callable[..., None]) -> None:
    remedies(one=(1, proposing({"a": 1})), two=(1, proposing({"a": 1})))
    for budget in (0.0, 1e9):
        bench = Told(lambda change: {"kl": 0.1}, lambda change, attempt: False)
        climbed = climbing(bench, budget=budget)
        climbed.run()
        assert [each.tried.remedy for each in climbed.all] == ["one"]
        assert len(bench.cheaply) == (budget > 0)
