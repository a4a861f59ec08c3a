"""Class labels of every kind of number are taken as they are, or refused: none becomes another one on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.datasets import ask, tensor
from kit.support import write_project

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import class_labels, classes, metric

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
EXACT = {"float16": 2**11, "float32": 2**24, "float64": 2**53}
"""Below these every whole number is one of its own; at them, two are."""


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
def test_integers_are_exact(dtype: str) -> None:
    limits = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, min(np.iinfo(dtype).max, 2**63 - 1))
    found = class_labels(np.array(limits, dtype=dtype))
    assert found.dtype == np.int64
    assert found.tolist() == list(limits)
    assert classes(np.array(limits, dtype=dtype)).tolist() == list(limits)


@pytest.mark.parametrize("value", [2**63, 2**63 + 1, 2**64 - 1])
def test_what_no_signed_integer_holds_is_refused(value: int) -> None:
    for read in (class_labels, classes):
        with pytest.raises(NotMeasured, match=rf"go to {value}, and as uint64 only those up to {2**63 - 1} are exact"):
            read(np.array([0, value], dtype=np.uint64))


@pytest.mark.parametrize("dtype", EXACT)
def test_floats_are_taken_while_they_are_exact(dtype: str) -> None:
    most = EXACT[dtype] - 1
    assert class_labels(np.array([0, most, -most], dtype=dtype)).tolist() == [0, most, -most]
    for value in (most + 1, -most - 1, most + 2, min(4.0 * most, 60000.0 if dtype == "float16" else 1e30)):
        with pytest.raises(NotMeasured, match="are exact"):
            class_labels(np.array([0, value], dtype=dtype))
    with pytest.raises(NotMeasured, match="one whole number"):
        class_labels(np.array([0.5], dtype=dtype))


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "top5_accuracy"])
def test_every_metric_of_classes_refuses_them(name: str) -> None:
    scores = np.random.default_rng(0).standard_normal((60, 7)).astype(np.float32)
    labels = scores.argmax(axis=1).astype(np.uint64)
    assert metric(name).compare(scores, scores, labels).variant == 1.0
    labels[7] = 2**64 - 1
    with pytest.raises(NotMeasured, match="class labels go to 18446744073709551615"):
        metric(name).compare(scores, scores, labels)


def table(tmp_path: Path, rows: list[str], dtype: str = "float32") -> Any:
    (tmp_path / "eval.csv").write_text("a,b,label\n" + "\n".join(rows) + "\n")
    return ask(tmp_path / "eval.csv", tensor(dtype, ("n", 2)))


@pytest.mark.parametrize("value", [2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, 3])
def test_whole_numbers_of_a_table_are_exact(tmp_path: Path, value: int) -> None:
    found = table(tmp_path, [f"1,2,{value}", "3,4,0"])
    assert found.labels.tolist() == [value, 0]


@pytest.mark.parametrize("value", [2**53 + 1, 2**63 - 1])
def test_whole_inputs_of_a_table_are_exact(tmp_path: Path, value: int) -> None:
    assert table(tmp_path, [f"{value},2,0", "3,4,1"], "int64").inputs["x"].tolist() == [[value, 2], [3, 4]]


def test_numbers_beyond_all_integers_stay_numbers(tmp_path: Path) -> None:
    for rows in ([f"1,2,{2**64}", "3,4,0"], [f"1,2,{2**63}", "3,4,-1"], ["1,2,1e300", "3,4,0"], ["1,2,0.5", "3,4,0"]):
        assert table(tmp_path, rows).labels.dtype == np.float64


def test_labels_that_would_wrap_are_an_error_of_the_dataset(gatekeeper: Any, tmp_path: Path) -> None:
    file = write_project(tmp_path, "int8_dynamic", "onnx_runtime", timed=False)
    whole = np.load(tmp_path / "eval.npz")
    np.savez(tmp_path / "eval.npz", x=whole["x"], y=whole["y"].astype(np.uint64) + np.uint64(2**63))
    run = gatekeeper("run", file)
    assert run.returncode == 4
    assert "class labels go to 9223372036854775811, and as uint64 only those up to" in " ".join(run.stdout.split())
