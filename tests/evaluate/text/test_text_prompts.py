"""Prompts that are timed stand for the whole text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatekeeper.config.sections.measure import Measure
from gatekeeper.data.prepared import write_prepared
from gatekeeper.evaluate.text.prompts import PROMPTS, timed_prompts
from gatekeeper.models.info import TextInfo


def prompts(folder: Path, windows: int, **measure: Any) -> list[int]:
    """The token that each prompt begins with; every window of the text has its own."""
    write_prepared(folder, {"tokens": np.repeat(np.arange(windows), 64).reshape(windows, 64)}, None)
    about = TextInfo(
        family="llama", dtype="float32", vocabulary=1000, context=0, layers=1, hidden=8, heads=1, kv_heads=1, row_lengths=[8]
    )
    found = timed_prompts(about, Measure(prompt_tokens=32, **measure), folder)
    assert found["tokens"].shape == (len(found["new_tokens"]), 32)
    return [int(row[0]) for row in found["tokens"]]


@pytest.mark.parametrize("seed", range(3))
def test_prompts_are_drawn_over_the_whole_text(seed: int, tmp_path: Path) -> None:
    found = prompts(tmp_path, 100, seed=seed)
    assert sorted(window * PROMPTS // 100 for window in found) == list(range(PROMPTS))
    assert found == prompts(tmp_path, 100, seed=seed)


@pytest.mark.parametrize(("inputs", "count"), [("all", 20), (7, 7), (1, 1), (99, 20), (None, 4)])
def test_as_many_as_are_asked_for_and_there_are(inputs: Any, count: int, tmp_path: Path) -> None:
    assert len(prompts(tmp_path, 10, inputs=inputs)) == count
