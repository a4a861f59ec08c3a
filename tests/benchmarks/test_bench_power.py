"""Power and speed of a verdict: real races at a true 2.1x and 2.3x, by this version's design and by the earlier one, in turn.

The earlier design: medians over whole rounds, bounds of all three views, equal shares of four looks, and three inferences dropped
before every block however long they take. Both race the same artifacts on the same machine; which begins alternates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import msgspec
import pytest
from kit.known_work import BASELINE_UNITS, UNITS, Answer, Asked, KnownWork, columns, count, known_work
from kit.tables import races, render, write_table

from gatekeeper.measure.race import Race
from gatekeeper.measure.rounds import Round
from gatekeeper.measure.timing import WARM_UP_NS
from gatekeeper.records.base import Verdict
from gatekeeper.stats.looks import EARLIER_LOOKS, equal_alpha

TRUTHS = ("2.1", "2.3")
LIMIT = 2.0

pytestmark = pytest.mark.timeout(4 * 3600)


class AskedEarlier(Asked):
    """Asks of rounds as the earlier version had them."""

    def __call__(self, name: str, found: Race) -> bool:
        return super().__call__(name, replace(found, rounds=[_without_turns(each) for each in found.rounds]))


def _without_turns(each: Round) -> Round:
    return replace(each, data={arm: msgspec.structs.replace(data, turn_median_ns=None) for arm, data in each.data.items()})


@pytest.fixture
def work(tmp_path: Path) -> Iterator[KnownWork]:
    with known_work(tmp_path) as found:
        yield found


def now(work: KnownWork, truth: str, seed: int) -> Answer:
    return _raced(work, truth, seed, Asked((LIMIT,)))


def before(work: KnownWork, truth: str, seed: int) -> Answer:
    with work.warming(WARM_UP_NS):
        return _raced(
            work, truth, seed, AskedEarlier((LIMIT,), looks=EARLIER_LOOKS, level=lambda rounds, looks: equal_alpha(looks[-1]))
        )


def _raced(work: KnownWork, truth: str, seed: int, asked: Asked) -> Answer:
    work.race({truth: UNITS[truth]}, asked, seed=seed)
    return asked.answers[truth, LIMIT]


DESIGNS: dict[str, Callable[[KnownWork, str, int], Answer]] = {"earlier": before, "this": now}


def test_bench_power(work: KnownWork) -> None:
    found: dict[tuple[str, str], list[Answer]] = {(truth, name): [] for truth in TRUTHS for name in DESIGNS}
    for number in range(races(30)):
        for truth in TRUTHS:
            for name in list(DESIGNS)[:: 1 if number % 2 else -1]:
                found[truth, name].append(DESIGNS[name](work, truth, number))
                print(truth, name, found[truth, name][-1], flush=True)
    rows = [
        [f"{BASELINE_UNITS / UNITS[truth]:.3f}x", name, *columns(answers, *Verdicts), _times(found, truth, name)]
        for (truth, name), answers in found.items()
    ]
    header = [
        "true ratio",
        "design",
        "pass",
        "fail",
        "inconclusive",
        "mean rounds",
        "mean time to verdict",
        "of the earlier's time",
    ]
    several = len(found[TRUTHS[0], "this"])
    write_table(
        "power",
        f"{several} races by each design against a limit of 2x, of a baseline, its control and one variant.\n\n"
        + render(header, rows),
    )
    for truth in TRUTHS:
        this, earlier = found[truth, "this"], found[truth, "earlier"]
        assert count(this, Verdict.FAIL) == 0
        assert count(this, Verdict.PASS) >= count(earlier, Verdict.PASS)


Verdicts = (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)


def _times(found: dict[tuple[str, str], list[Answer]], truth: str, name: str) -> str:
    mine, theirs = (fmean(answer.seconds for answer in found[truth, design]) for design in (name, "earlier"))
    return f"{mine / theirs:.2f}"
