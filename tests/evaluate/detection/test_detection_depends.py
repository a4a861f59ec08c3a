"""What the user's own function reads is what its boxes hang on, however it comes to its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.data.outputs import OutputWriter, outputs_beside
from gatekeeper.evaluate.detection.decode import decoded
from gatekeeper.evaluate.detection.layouts._base import Outputs
from gatekeeper.evaluate.predict import beside

FUNCTIONS = """\
import numpy as np
def by_name(o, size): return [rows for rows in o["dets"]]
def by_get(o, size): return [rows for rows in o.get("dets")]
def by_place(o, size): return [rows for rows in list(o.values())[0]]
def copies(o, size):
    o = {name: array.astype(float) for name, array in o.items()}
    return [rows for rows in o["dets"]]
def checks(o, size):
    if not all(np.isfinite(array).all() and (array >= 0).all() for array in o.values()): raise ValueError("no numbers")
    return [rows for rows in o["dets"]]
def changes(o, size):
    for array in o.values(): array *= 1
    return [rows for rows in o.pop("dets")]
def counted(o, size): return [rows[:k] for rows, k in zip(o["dets"], o["count"].reshape(-1))]
def deep(o, size): return [np.c_[rows[:, :4], rows[:, 4] * d.mean(), rows[:, 5]] for rows, d in zip(o["dets"], o["depth"])]
def by_chance(o, size): return [rows + np.random.random() for rows in o["dets"]]
def picky(o, size):
    if not np.array_equal(o["dets"], ONLY): raise ValueError("others")
    return [rows for rows in o["dets"]]
"""
READ = {
    **{name: {"dets"} for name in ("by_name", "by_get", "by_place", "copies", "checks", "changes")},
    "counted": {"dets", "count"}, "deep": {"dets", "depth"}, "by_chance": set(),
}  # fmt: skip


def batch(rng: Any, boxes: bool = True) -> dict[str, Any]:
    corner = rng.uniform(0, 50, (4, 9, 2))
    dets = np.concatenate([corner, corner + 9, rng.random((4, 9, 1)), rng.integers(0, 3, (4, 9, 1))], axis=2)
    count = np.full((4, 1), 9 if boxes else 0, np.int64)
    return {"dets": dets.astype(np.float32), "depth": rng.random((4, 8)).astype(np.float32), "count": count}


def read(folder: Path, name: str, outputs: dict[str, Any]) -> set[str]:
    made = Outputs(outputs)
    decoded(made, Boxes(decode=f"own_functions:{name}"), 4, (64, 64), folder)
    return made.read


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "own_functions", raising=False)
    (tmp_path / "own_functions.py").write_text(FUNCTIONS)
    return tmp_path


@pytest.mark.parametrize("name", READ)
def test_what_boxes_hang_on_is_read_and_nothing_else(folder: Path, name: str) -> None:
    rng = np.random.default_rng(1)
    assert [read(folder, name, batch(rng)) for _ in range(3)] == [READ[name]] * 3


def test_a_function_that_refuses_all_other_numbers_reads_them(folder: Path) -> None:
    outputs = batch(np.random.default_rng(2))
    __import__("own_functions").ONLY = outputs["dets"]
    assert read(folder, "picky", outputs) == {"dets"}


def test_a_batch_without_boxes_says_less_and_what_is_learned_stays(folder: Path) -> None:
    rng = np.random.default_rng(3)
    empty = batch(rng, boxes=False)
    assert read(folder, "counted", empty) == {"count"}  # any number above none makes boxes; of none, dets say nothing
    for _ in range(9):
        read(folder, "counted", batch(rng, boxes=False))
    assert read(folder, "counted", batch(rng)) == {"count", "dets"}
    assert read(folder, "counted", empty) == {"count", "dets"}


def test_an_output_that_later_turns_out_to_be_read_is_none_beside_the_boxes(tmp_path: Path) -> None:
    rng, names, writer, done = np.random.default_rng(4), ("dets", "depth", "count"), None, set()
    for start, reads in ((0, {"count"}), (4, {"count", "dets"})):
        outputs, done = batch(rng), done | reads
        left, values = beside(("boxes", outputs["dets"], reads), writer, names, list(outputs.values()))
        writer = writer or OutputWriter(tmp_path / "predictions.npy", left, 0, 8)
        writer.add(slice(start, start + 4), 4, values)
        assert np.array_equal(np.load(tmp_path / "output2.npy")[start : start + 4], outputs["depth"])
    assert writer is not None
    writer.close(done)
    assert outputs_beside(tmp_path / "predictions.npy").others == {"depth": "output2.npy"}
    assert not (tmp_path / "output1.npy").exists()
