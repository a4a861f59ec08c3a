"""What shapes, names and labels tell of a task, and what they do not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from gatekeeper.evaluate.tasks._base import REGISTRY
from gatekeeper.models.info import Assessment, TensorInfo
from gatekeeper.starting.told import Labels, labels_of, told_task

IMAGE, ROW, TOKENS = ("float32", ["n", 3, 8, 8]), ("float32", ["n", 16]), ("int64", ["n", "s"])
BYTES = ("int32", ["n", 2048])
INTS, FLOATS, TEXTS = (Labels(kind, (50,)) for kind in "ifU")


def model(inputs: dict[str, tuple[str, list[int | str | None]]], outputs: dict[str, list[int | str | None]]) -> Assessment:
    return Assessment(
        path="m.onnx",
        format="onnx",
        files=[],
        bytes=0,
        architecture="mlp",
        parameters=0,
        weights={},
        operators={},
        weighted_operators={},
        nested_operators={},
        inputs=[TensorInfo(name=name, dtype=dtype, shape=shape) for name, (dtype, shape) in inputs.items()],
        outputs=[TensorInfo(name=name, dtype="float32", shape=shape) for name, shape in outputs.items()],
        opset={},
    )


TOLD = [
    (IMAGE, {"y": ["n", 10]}, None, "image_classification"),
    (IMAGE, {"y": ["n", 10]}, INTS, "image_classification"),
    (IMAGE, {"y": ["n", 1]}, FLOATS, "regression"),
    (IMAGE, {"y": ["n", 10]}, Labels("f", (50, 10)), None),  # one-hot, several labels, or amounts
    (IMAGE, {"y": ["n", 21, 8, 8]}, None, "semantic_segmentation"),
    (IMAGE, {"y": ["n", 21, 8, 8]}, Labels("i", (50, 8, 8)), "semantic_segmentation"),
    (IMAGE, {"y": ["n", 3, 16, 16]}, None, None),  # a picture
    (IMAGE, {"boxes": ["n", 9, 4], "scores": ["n", 9]}, None, "object_detection"),
    (IMAGE, {"pred_boxes": ["n", 9, 4], "logits": ["n", 9, 91]}, None, "object_detection"),
    (IMAGE, {"y": ["n", 40, 27]}, TEXTS, "transcription"),
    (ROW, {"y": ["n", 3]}, None, None),
    (ROW, {"y": ["n", 3]}, INTS, "tabular_classification"),
    (ROW, {"y": ["n", 3]}, Labels("i", (50,), 2), "tabular_classification"),
    (ROW, {"y": ["n", 3]}, Labels("i", (50,), 3), None),  # more things than scores: vectors, perhaps
    (ROW, {"y": ["n", 1]}, Labels("i", (50,), 1), "tabular_classification"),
    (BYTES, {"y": ["n", 214]}, None, None),  # it convolves, and so do models of sound and of text
    (BYTES, {"y": ["n", 214]}, INTS, "tabular_classification"),
    (ROW, {"y": ["n", 3]}, TEXTS, "tabular_classification"),
    (ROW, {"y": ["n", 3]}, Labels("i", (50, 3)), None),
    (ROW, {"y": ["n", 1]}, FLOATS, "regression"),
    (ROW, {"label": ["n"], "probabilities": ["n", 3]}, None, "tabular_classification"),
    (ROW, {"variable": ["n", 1]}, None, "regression"),
    (ROW, {"a": ["n", 3], "b": ["n", 3]}, INTS, None),
    (TOKENS, {"logits": ["n", 2]}, None, "text_classification"),
    (TOKENS, {"logits": ["n", "s", 9]}, None, "token_classification"),
    (TOKENS, {"logits": ["n", "s", 9]}, Labels("i", (50, 12)), "token_classification"),
    (TOKENS, {"last_hidden_state": ["n", "s", 384]}, None, "embedding"),
    (TOKENS, {"start_logits": ["n", "s"], "end_logits": ["n", "s"]}, None, "question_answering"),
]


@pytest.mark.parametrize(("given", "outputs", "labels", "task"), TOLD)
def test_a_task_is_chosen_only_where_it_is_told(
    given: tuple[str, list[int | str | None]],
    outputs: dict[str, list[int | str | None]],
    labels: Labels | None,
    task: str | None,
) -> None:
    about = model({"input_ids" if given is TOKENS else "x": given}, outputs)
    found = told_task(msgspec.structs.replace(about, architecture="cnn") if given in (IMAGE, BYTES) else about, labels)
    assert found == task
    assert found is None or found in REGISTRY.names


def test_images_by_class_are_classified() -> None:
    assert told_task(model({"x": IMAGE}, {"y": ["n", 10]}), None, folder=True) == "image_classification"


def test_labels_are_read_from_an_archive_whatever_they_are_called(tmp_path: Path) -> None:
    file = tmp_path / "e.npz"
    for name in ("y", "labels", "target"):
        np.savez(file, x=np.zeros((5, 2)), **{name: np.arange(5)})
        assert labels_of(file) == Labels("i", (5,), 4)
    np.savez(file, x=np.zeros((5, 2)))
    assert labels_of(file) is None
    file.write_bytes(b"none")
    assert labels_of(file) is None and labels_of(tmp_path / "e.csv") is None and labels_of(None) is None
