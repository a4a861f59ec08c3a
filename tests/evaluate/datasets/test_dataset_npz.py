from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.datasets import ask, refusal, tensor

from gatekeeper.errors import NotMeasured

X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
Y = np.arange(50) % 3


def save(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"


@pytest.mark.parametrize("name", ["x", "input", "data", "pixel_values"])
def test_one_array_is_the_one_input_whatever_its_name(tmp_path: Path, name: str):
    assert (ask(save(tmp_path, **{name: X, "y": Y})).inputs["x"] == X).all()


def test_x_is_the_one_input_of_a_model_that_names_it_otherwise(tmp_path: Path):
    found = ask(save(tmp_path, x=X, ids=Y, y=Y), tensor(name="pixel_values"))
    assert (found.inputs["pixel_values"] == X).all()


@pytest.mark.parametrize("key", ["y", "labels", "label", "targets", "target"])
def test_labels_are_found_by_their_usual_names(tmp_path: Path, key: str):
    assert (ask(save(tmp_path, x=X, **{key: Y})).labels == Y).all()


def test_labels_are_found_by_the_name_in_the_file(tmp_path: Path):
    assert (ask(save(tmp_path, x=X, y=Y + 1, truth=Y), labels="truth").labels == Y).all()


def test_labels_of_a_wrong_name_are_missed(tmp_path: Path):
    message = refusal(save(tmp_path, x=X, y=Y), labels="truth")
    assert "no labels 'truth' (found x, y)" in message


def test_an_input_that_is_called_like_labels_is_an_input(tmp_path: Path):
    inputs = tensor(), tensor(name="target", dtype="int64", shape=["N"])
    found = ask(save(tmp_path, x=X, target=Y), *inputs)
    assert (found.inputs["target"] == Y).all()
    assert found.labels is None


def test_several_inputs_by_their_own_names(tmp_path: Path):
    found = ask(save(tmp_path, b=X, a=X + 1, y=Y), tensor(name="a"), tensor(name="b"))
    assert list(found.inputs) == ["a", "b"]
    assert (found.inputs["a"] == X + 1).all()
    assert (found.inputs["b"] == X).all()


def test_several_inputs_by_a_map(tmp_path: Path):
    path = save(tmp_path, left=X, right=X + 1, y=Y)
    found = ask(path, tensor(name="a"), tensor(name="b"), inputs={"a": "left", "b": "right"})
    assert (found.inputs["a"] == X).all()
    assert (found.inputs["b"] == X + 1).all()


def test_a_map_may_swap_names(tmp_path: Path):
    found = ask(save(tmp_path, a=X, b=X + 1), tensor(name="a"), tensor(name="b"), inputs={"a": "b", "b": "a"})
    assert (found.inputs["a"] == X + 1).all()
    assert (found.inputs["b"] == X).all()


def test_a_map_to_an_array_that_is_not_there(tmp_path: Path):
    assert "no array 'left' (found x, y)" in refusal(save(tmp_path, x=X, y=Y), inputs={"x": "left"})


def test_a_map_for_one_input_picks_among_arrays(tmp_path: Path):
    assert (ask(save(tmp_path, one=X, two=X + 1), inputs={"x": "two"}).inputs["x"] == X + 1).all()


@pytest.mark.parametrize("key", ["x", "y"])
def test_pickled_objects_are_refused(tmp_path: Path, key: str):
    arrays = {"x": X, "y": Y} | {key: np.array([{"a": 1}] * 50, dtype=object)}
    assert "Save plain number arrays, not objects" in refusal(save(tmp_path, **arrays))


@pytest.mark.parametrize("keep", [0, 10, 200, -30])
def test_a_file_cut_short_is_refused(tmp_path: Path, keep: int):
    path = save(tmp_path, x=X, y=Y)
    path.write_bytes(path.read_bytes()[:keep])
    assert "cannot be read as .npz" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + b"\x00" * 40, b"\x80\x04K\x01."])
def test_other_files_are_refused(tmp_path: Path, content: bytes):
    (tmp_path / "data.npz").write_bytes(content)
    assert "cannot be read as .npz" in refusal(tmp_path / "data.npz")


def test_a_single_array_renamed_is_refused(tmp_path: Path):
    with (tmp_path / "data.npz").open("wb") as file:
        np.save(file, X)
    assert "cannot be read as .npz" in refusal(tmp_path / "data.npz")


def test_a_flipped_byte_anywhere_is_refused_or_harmless(tmp_path: Path):
    np.savez_compressed(tmp_path / "data.npz", x=X, y=Y)
    whole = (tmp_path / "data.npz").read_bytes()
    for position in range(0, len(whole), 3):
        (tmp_path / "data.npz").write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            ask(tmp_path / "data.npz")
        except NotMeasured as error:
            assert error.kind == "data"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    assert "nowhere.npz" in refusal(tmp_path / "nowhere.npz")


def test_an_array_that_nothing_uses_is_no_silent_agreement(tmp_path: Path):
    """Labels under another key must not turn the accuracy gate into the weaker agreement gate."""
    assert "nothing uses Y" in refusal(save(tmp_path, x=X, Y=Y))
