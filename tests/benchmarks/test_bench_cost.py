"""A clear case costs under 25 s of measuring: digits-mlp, three variants, decided at the first look."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from kit.tables import render, write_table

from gatekeeper.ids import BASELINE
from gatekeeper.measure.rounds import CONTROL
from gatekeeper.records.base import Interval
from gatekeeper.stats.looks import LOOKS, look_alpha
from gatekeeper.stats.rounds import ratio_interval

LONGEST_S, FIRST = 25, LOOKS[0]


def at_the_first_look(samples: Mapping[str, list[list[int]]]) -> Iterator[str]:
    """What the first look knew of the arms that needed another: the machine's own noise, then theirs."""
    late = [arm for arm, rounds in samples.items() if arm not in (BASELINE, CONTROL) and len(rounds) > FIRST]
    for arm in (CONTROL, *late):
        medians, tenths = (shown(speed(samples, arm, percent)) for percent in (50, 10))
        yield f"  {arm}: {medians} by medians, {tenths} by the fastest tenth; {len(samples[arm])} rounds in all"


def speed(samples: Mapping[str, list[list[int]]], arm: str, percent: float) -> Interval:
    """How many times as fast as the baseline, by a percentile of the inferences of every round up to the first look."""
    baseline, its = ([float(np.percentile(r, percent)) for r in samples[name][:FIRST]] for name in (BASELINE, arm))
    return ratio_interval(baseline, its, look_alpha(len(its), LOOKS[-1]))


def shown(interval: Interval) -> str:
    return f"{interval.observed:.2f}x [{interval.lower:.2f}, {interval.upper:.2f}]"


def test_bench_cost(example: Callable[[str], Path], gatekeeper: Any, tmp_path: Path) -> None:
    run = gatekeeper("run", example("digits-mlp") / "edge_ai_pipeline.yaml", "--framework", "onnx_runtime")
    assert run.returncode in (0, 1, 3), run.stdout + run.stderr
    output = tmp_path / "gatekeeper-report"
    target = json.loads((output / "report.json").read_text())["targets"][0]
    (leg,) = target["legs"]
    row = [len(target["variants"]), leg["rounds"], f"{leg['measuring_s']:.1f} s", f"{leg['total_s']:.1f} s", target["verdict"]]
    header = ["variants of digits-mlp", "rounds", "measuring", "whole leg", "verdict"]
    write_table("cost", render(header, [row]))
    if leg["rounds"] > FIRST:
        print(f"Not decided at the first look, so its time is not held against {LONGEST_S} s. After {FIRST} rounds:")
        print(*at_the_first_look(json.loads((output / "samples.json").read_text())[leg["id"]]), sep="\n")
    else:
        assert leg["measuring_s"] < LONGEST_S
