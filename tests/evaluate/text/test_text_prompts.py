"""Prompts that are timed stand for the whole text."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatekeeper.config.sections.measure import Measure
from gatekeeper.data.prepared import write_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.text.asked import Asked, write_asked
from gatekeeper.evaluate.text.prompts import PROMPTS, timed_prompts
from gatekeeper.models.info import TextInfo


def prompts(folder: Path, windows: int, before: list[int] | None = None, **measure: Any) -> list[int]:
    """The token that each prompt begins with; every window of the text has its own, after what comes `before` it."""
    tokens = np.repeat(np.arange(windows), 64).reshape(windows, 64)
    tokens[:, : len(before or [])] = before or []
    write_prepared(folder, {"tokens": tokens}, None)
    write_asked(folder, Asked(before=before or []))
    about = TextInfo(
        family="llama", dtype="float32", vocabulary=1000, context=0, layers=1, hidden=8, heads=1, kv_heads=1, row_lengths=[8]
    )
    found = timed_prompts(about, Measure(prompt_tokens=32, **measure), folder)
    assert found["tokens"].shape == (len(found["new_tokens"]), 32)
    assert all(list(row[: len(before or [])]) == (before or []) for row in found["tokens"])
    assert not np.isin(found["tokens"][:, len(before or []) :], before or []).any()
    return [int(row[len(before or [])]) for row in found["tokens"]]


@pytest.mark.parametrize("seed", range(3))
def test_prompts_are_drawn_over_the_whole_text(seed: int, tmp_path: Path) -> None:
    found = prompts(tmp_path, 100, seed=seed)
    gaps = [after - before for before, after in pairwise([-1, *sorted(found), 100])]
    assert len(found) == PROMPTS and max(gaps) <= 2 * 100 / PROMPTS
    assert found == prompts(tmp_path, 100, seed=seed)


@pytest.mark.parametrize(("inputs", "count"), [("all", 20), (7, 7), (1, 1), (99, 20), (None, 4)])
def test_as_many_as_are_asked_for_and_there_are(inputs: Any, count: int, tmp_path: Path) -> None:
    assert len(prompts(tmp_path, 10, inputs=inputs)) == count


@pytest.mark.parametrize("before", [[900], [900, 901]])
def test_each_begins_as_the_template_begins_a_text_and_goes_on_with_the_text(before: list[int], tmp_path: Path) -> None:
    assert len(prompts(tmp_path, 100, before)) == PROMPTS


def test_a_prompt_of_nothing_but_the_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match=r"prompt_tokens is 32, .* Raise it above 32"):
        prompts(tmp_path, 100, list(range(900, 932)))
