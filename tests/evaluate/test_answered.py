"""Of how many examples a model's own outputs change: what rounds, and what only one side has, is no change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from gatekeeper.data.outputs import CONTENTS, Outputs
from gatekeeper.evaluate.answered import changed

CLEAN = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
TEN = np.arange(40)[:, None] < 10


def written(folder: Path, judged: Any, **others: Any) -> Path:
    folder.mkdir()
    np.save(folder / "predictions.npy", judged)
    for i, array in enumerate(others.values()):
        np.save(folder / f"output{i}.npy", array)
    names = {name: f"output{i}.npy" for i, name in enumerate(others)}
    (folder / CONTENTS).write_bytes(msgspec.json.encode(Outputs(judged="y", others=names)))
    return folder / "predictions.npy"


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        (CLEAN, CLEAN, 0),
        (CLEAN, CLEAN + np.float32(1e-6), 0),
        (CLEAN, CLEAN + np.float32(0.1) * TEN, 10),
        (CLEAN, np.where(TEN, np.nan, CLEAN), 10),
        (np.where(TEN, np.nan, CLEAN), np.where(TEN, np.nan, CLEAN), 0),
        (np.zeros((40, 1)), np.zeros((40, 1)), 0),
        (np.zeros(40, np.int64), (np.arange(40) < 3).astype(np.int64), 3),
        (CLEAN, CLEAN[:, :4], 0),  # as long as the longest answer was
    ],
)
def test_examples_are_counted_whose_answer_moved(before: Any, after: Any, count: int, tmp_path: Path) -> None:
    assert changed(written(tmp_path / "a", before), written(tmp_path / "b", after)) == count


def test_every_output_counts_and_one_that_is_gone_does_not(tmp_path: Path) -> None:
    before = written(tmp_path / "a", CLEAN, z=CLEAN, gone=CLEAN)
    assert changed(before, written(tmp_path / "b", CLEAN, z=CLEAN + TEN)) == 10
