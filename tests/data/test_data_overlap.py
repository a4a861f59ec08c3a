"""An evaluation set that is the calibration set is known by its content."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.support import write_project

from gatekeeper.data.overlap import Overlap, overlap, write_examples, write_lines

X = np.random.default_rng(0).standard_normal((200, 3, 2)).astype(np.float32)
TEXT = "".join(f"line {i} of a text that is about nothing at all\n" for i in range(300))


def shared(tmp_path: Path, write: Callable[[Path, Any], None], evaluation: Any, calibration: Any) -> Overlap:
    folders = [tmp_path / "evaluation", tmp_path / "calibration"]
    for folder, content in zip(folders, (evaluation, calibration), strict=True):
        folder.mkdir()
        write(folder, content)
    return overlap(*folders)


@pytest.mark.parametrize(
    ("calibration", "count"),
    [(X, 200), (X[::-1], 200), (np.concatenate([X, X + 1]), 200), (X[:50], 50), (X[50:], 150), (X + 1, 0), (X[:0], 0)],
)
def test_examples_are_counted_wherever_they_stand(tmp_path: Path, calibration: Any, count: int) -> None:
    found = shared(tmp_path, write_examples, {"x": X}, {"x": calibration})
    assert (found.shared, found.total) == (count, 200)
    assert found.too_much == (count > 100)


def test_an_example_is_all_of_its_inputs(tmp_path: Path) -> None:
    ids = np.arange(200)
    found = shared(tmp_path, write_examples, {"x": X, "id": ids}, {"x": X, "id": np.where(ids < 20, ids, -1)})
    assert found.shared == 20


def test_an_example_that_comes_twice_counts_twice(tmp_path: Path) -> None:
    found = shared(tmp_path, write_examples, {"x": np.concatenate([X, X[:1], X[:1]])}, {"x": X[:1]})
    assert (found.shared, found.total) == (3, 202)


@pytest.mark.parametrize(
    ("calibration", "share"),
    [
        (TEXT, 1.0),
        ("".join(reversed(TEXT.splitlines(keepends=True))), 1.0),
        ("a beginning of its own\n" + TEXT.replace("\n", "\r\n\r\n"), 1.0),
        (TEXT[: len(TEXT) // 4], 0.25),
        ("another text", 0.0),
    ],
    ids=["same", "reversed", "moved", "a quarter", "another"],
)
def test_of_a_text_characters_are_counted_line_by_line(tmp_path: Path, calibration: str, share: float) -> None:
    found = shared(tmp_path, write_lines, TEXT, calibration)
    assert found.shared / found.total == pytest.approx(share, abs=0.01)


def as_npz(folder: Path, x: Any) -> str:
    np.savez(folder / "other.npz", x=x)
    return "other.npz"


def as_doubles(folder: Path, x: Any) -> str:
    np.savez(folder / "other.npz", x=x.astype(np.float64))
    return "other.npz"


def as_csv(folder: Path, x: Any) -> str:
    with (folder / "other.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[f"f{i}" for i in range(x.shape[1])], *(map(repr, row.tolist()) for row in x)])
    return "other.csv"


@pytest.mark.parametrize("save", [as_npz, as_doubles, as_csv])
@pytest.mark.parametrize(
    ("order", "code", "says"),
    [
        (slice(None, None, -1), 4, "holds the whole evaluation set (600 examples), whatever their names and order"),
        (slice(1, None), 4, "599 of the evaluation set's 600 examples are in the calibration set, too: accuracy would flatter"),
    ],
    ids=["reversed", "all but one"],
)
def test_the_evaluation_set_in_disguise_is_refused(
    save: Callable[[Path, Any], str], order: slice, code: int, says: str, gatekeeper: Any, tmp_path: Path
) -> None:
    file = write_project(tmp_path, "int8_static", "onnx_runtime", timed=False)
    name = save(tmp_path, np.load(tmp_path / "eval.npz")["x"][order])
    file.write_text(file.read_text().replace("{path: eval.npz}", f"{{path: eval.npz, calibration: {name}}}"))
    run = gatekeeper("run", file)
    assert run.returncode == code, run.stdout
    assert says in " ".join(run.stdout.split())


def test_a_part_of_the_evaluation_set_is_said(gatekeeper: Any, tmp_path: Path) -> None:
    file = write_project(tmp_path, "int8_static", "onnx_runtime")
    name = as_npz(tmp_path, np.load(tmp_path / "eval.npz")["x"][:64])
    text = file.read_text().replace("{path: eval.npz}", f"{{path: eval.npz, calibration: {name}}}")
    file.write_text(text.replace("  model:", "  stages: [model_validation]\n  model:", 1))
    run = gatekeeper("run", file)
    said = "64 of the evaluation set's 600 examples are in the calibration set, too"
    assert said in (tmp_path / "gatekeeper-report/report.md").read_text(), run.stdout


@pytest.mark.parametrize(
    "rounded",
    [
        lambda x: np.array([[float(f"{v:.6g}") for v in row] for row in x.reshape(len(x), -1)], np.float32).reshape(x.shape),
        lambda x: (x * (1 + 1e-6)).astype(np.float32),
        lambda x: x + np.float32(3e-7),
    ],
    ids=["six digits", "a millionth more", "moved by rounding"],
)
def test_examples_that_were_rounded_are_the_same(tmp_path: Path, rounded: Callable[[Any], Any]) -> None:
    other = rounded(X)[::-1]
    assert not np.isin(other, X).all(), "the numbers differ"
    assert shared(tmp_path, write_examples, {"x": X}, {"x": other}).shared == 200


def test_others_of_the_same_kind_are_not(tmp_path: Path) -> None:
    many = np.random.default_rng(1).standard_normal((20_000, 6)).astype(np.float32)
    assert shared(tmp_path, write_examples, {"x": many[:10_000]}, {"x": many[10_000:]}).shared == 0


def test_examples_of_one_number_are_compared_as_they_are(tmp_path: Path) -> None:
    few = np.random.default_rng(1).standard_normal((20_000, 1)).astype(np.float32)
    assert shared(tmp_path, write_examples, {"x": few[:10_000]}, {"x": few[10_000:]}).shared < 100
