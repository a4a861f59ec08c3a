"""What holds for every dataset format: checks against the model, and the plain arrays that come out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatekeeper.data.draw import evenly
from gatekeeper.data.prepared import PreparedDataset, write_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.prepare import DATASETS, Prepare, Prepared, prepare

X = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
Y = np.arange(10) % 3


def tensor(dtype: str = "float32", shape: Any = ("N", 4), name: str = "x") -> dict[str, Any]:
    return {"name": name, "dtype": dtype, "shape": list(shape)}


def ask(path: Path, *inputs: dict[str, Any], labelled: bool = True, **dataset: Any) -> Prepared:
    """Prepare the dataset at `path` into the folder `out` beside it."""
    out = path.parent / "out"
    out.mkdir(exist_ok=True)
    return prepare(
        Prepare(
            dataset=dataset,
            path=str(path),
            folder=str(path.parent),
            labelled=labelled,
            inputs=list(inputs or [tensor()]),
            task=None,
            destination=str(out),
        )
    )


def save(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"


def refusal(path: Path, *inputs: dict[str, Any], **dataset: Any) -> str:
    """The message of a dataset that must be refused as the data's fault."""
    with pytest.raises(NotMeasured) as raised:
        ask(path, *inputs, **dataset)
    assert raised.value.kind == "data"
    return str(raised.value)


def test_the_registry_has_the_formats_of_the_reference():
    assert {"npz", "table", "images", "loader"} <= set(DATASETS.names)


def test_every_format_is_chosen_by_one_reader_only(tmp_path: Path):
    from gatekeeper.config.sections.dataset import Dataset

    (tmp_path / "folder").mkdir()
    for path, dataset in [
        (tmp_path / "a.npz", Dataset()),
        (tmp_path / "a.CSV", Dataset()),
        (tmp_path / "folder", Dataset()),
        (None, Dataset(loader="a:b")),
        (tmp_path / "calibration.npz", Dataset(loader="a:b")),
    ]:
        assert sum(DATASETS.get(name).reads(path, dataset) for name in DATASETS.names) == 1


def test_arrays_and_labels_come_out_as_they_went_in(tmp_path: Path):
    found = ask(save(tmp_path, x=X, y=Y))
    assert (found.examples, found.labelled) == (10, True)
    dataset = PreparedDataset(tmp_path / "out")
    assert (dataset.inputs["x"] == X).all()
    assert (dataset.labels == Y).all()


def test_feeds_are_consecutive_and_the_last_may_be_smaller(tmp_path: Path):
    write_prepared(tmp_path, {"a": X, "b": Y}, None)
    feeds = list(PreparedDataset(tmp_path).feeds(4))
    assert [len(f["a"]) for f in feeds] == [4, 4, 2]
    assert (np.concatenate([f["b"] for f in feeds]) == Y).all()


def test_an_unknown_format_names_the_known_ones(tmp_path: Path):
    (tmp_path / "data.parquet").write_text("")
    assert "unknown dataset format. Use .npz, .csv" in refusal(tmp_path / "data.parquet")


@pytest.mark.parametrize("dtype", ["float64", "float16", "int64", "uint8", "bool"])
def test_numbers_are_cast_to_what_a_float_model_wants(tmp_path: Path, dtype: str):
    ask(save(tmp_path, x=(X > 0).astype(dtype)))
    found = PreparedDataset(tmp_path / "out").inputs["x"]
    assert found.dtype == np.float32
    assert (found == (X > 0)).all()


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_fractions_are_refused_for_a_model_of_whole_numbers(tmp_path: Path, dtype: str):
    assert f"'x' is float32, the model expects {dtype}" in refusal(save(tmp_path, x=X), tensor(dtype))


@pytest.mark.parametrize(
    ("value", "dtype"), [(300, "int8"), (2**40, "int32"), (np.uint8(200), "int8")], ids=["int8", "int32", "uint8 to int8"]
)
def test_whole_numbers_that_do_not_fit_the_model_are_refused(tmp_path: Path, value: Any, dtype: str):
    """A cast would wrap them round in silence: token 2^40 would become token 0."""
    refusal(save(tmp_path, x=np.full((10, 4), value)), tensor(dtype))


def test_whole_numbers_that_fit_are_cast(tmp_path: Path):
    ask(save(tmp_path, x=np.full((10, 4), 100)), tensor("int32"))
    assert PreparedDataset(tmp_path / "out").inputs["x"].dtype == np.int32


def test_numbers_too_large_for_the_models_floats_are_refused(tmp_path: Path):
    assert "which float32 cannot hold" in refusal(save(tmp_path, x=np.full((10, 4), 1e300)))


@pytest.mark.parametrize("array", [X.astype(str), X.astype(complex), X.astype("datetime64[s]")], ids=["text", "complex", "time"])
def test_what_is_no_number_is_refused(tmp_path: Path, array: Any):
    assert "the model expects float32" in refusal(save(tmp_path, x=array))


@pytest.mark.parametrize("dtype", ["complex64", "bfloat16"])
def test_a_model_of_an_element_type_that_files_cannot_hold_is_refused(tmp_path: Path, dtype: str):
    assert f"of type {dtype}, which no dataset holds" in refusal(save(tmp_path, x=X), tensor(dtype))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_inputs_that_are_no_numbers_are_refused(tmp_path: Path, bad: float):
    spoilt = X.copy()
    spoilt[3, 2] = bad
    assert "'x' holds NaN or infinite values" in refusal(save(tmp_path, x=spoilt))


@pytest.mark.parametrize(
    ("array", "shape", "says"),
    [
        (X, ("N", 5), "has shape 10x4, the model expects examplesx5"),
        (X, ("N", 4, 1), "has shape 10x4, the model expects examplesx4x1"),
        (X[:, 0], ("N", 4), "has shape 10, the model expects examplesx4"),
        (X[:, :, None], ("N", None, 3), "has shape 10x4x1, the model expects examplesx?x3"),
        (np.zeros((10, 6, 8, 3)), ("N", 3, 6, 8), "save numpy.transpose(array, (0, 3, 1, 2)), which keeps what each holds"),
        (np.zeros((10, 5, 3)), ("N", 3, "steps"), "save numpy.transpose(array, (0, 2, 1))"),
        (
            np.zeros((10, 5, 4)),
            ("N", 3, "steps"),
            "the model expects examplesx3xsteps. Save it in the shape that the model takes",
        ),
        (X, ("N", "width", 2), "has shape 10x4, the model expects examplesxwidthx2"),
    ],
)
def test_other_shapes_are_refused_with_both(tmp_path: Path, array: Any, shape: Any, says: str):
    assert says in refusal(save(tmp_path, x=array), tensor(shape=shape))


@pytest.mark.parametrize("shape", [("N", 4), (None, None), (1, 4), (-1, 4), ("N", "features"), (8, 4), ()])
def test_free_axes_and_any_batch_take_the_array(tmp_path: Path, shape: Any):
    assert ask(save(tmp_path, x=X), tensor(shape=shape)).examples == 10


def test_an_array_the_model_needs_is_missed_by_name(tmp_path: Path):
    message = refusal(save(tmp_path, x=X, z=X), tensor(name="a"), tensor(name="z"))
    assert "no array for the model's input 'a'" in message
    assert "dataset.inputs" in message


def test_inputs_of_different_lengths_are_refused(tmp_path: Path):
    message = refusal(save(tmp_path, a=X, b=X[:5]), tensor(name="a"), tensor(name="b"))
    assert "different numbers of examples" in message


@pytest.mark.parametrize("array", [np.zeros((0, 4), np.float32), np.float32(3)], ids=["empty", "a single number"])
@pytest.mark.parametrize("limit", [None, 5])
def test_an_empty_dataset_is_refused(tmp_path: Path, array: Any, limit: int | None):
    assert "no examples" in refusal(save(tmp_path, x=array), limit=limit)


# --- labels -------------------------------------------------------------------------------------------------------------


def test_missing_labels_are_told(tmp_path: Path):
    assert not ask(save(tmp_path, x=X)).labelled
    assert PreparedDataset(tmp_path / "out").labels is None


def test_labels_that_were_not_asked_for_are_left_out(tmp_path: Path):
    assert not ask(save(tmp_path, x=X, y=Y[:3]), labelled=False).labelled


@pytest.mark.parametrize(("labels", "count"), [(Y[:7], 7), (np.tile(Y, 2), 20)])
def test_every_example_needs_one_label(tmp_path: Path, labels: Any, count: int):
    assert f"{count} labels for 10 examples" in refusal(save(tmp_path, x=X, y=labels))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_labels_that_are_no_numbers_are_refused(tmp_path: Path, bad: float):
    assert "labels hold NaN or infinite" in refusal(save(tmp_path, x=X, y=[*Y[:9], bad]))


def test_class_names_may_be_labels(tmp_path: Path):
    names = np.array(["cat", "dog"] * 5)
    ask(save(tmp_path, x=X, y=names))
    assert PreparedDataset(tmp_path / "out").labels.tolist() == names.tolist()


def test_labels_that_are_neither_numbers_nor_names_are_refused(tmp_path: Path):
    assert "neither numbers nor names" in refusal(save(tmp_path, x=X, y=np.array([b"cat"] * 10)))


# --- limit --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 4, 10, 99])
def test_limit_takes_evenly_spaced_examples_and_their_labels(tmp_path: Path, limit: int):
    kept = evenly(len(X), limit)
    assert ask(save(tmp_path, x=X, y=Y), limit=limit).examples == len(kept) == min(limit, len(X))
    found = PreparedDataset(tmp_path / "out")
    assert (found.inputs["x"] == X[kept]).all()
    assert (found.labels == Y[kept]).all()


def test_limit_does_not_hide_missing_labels(tmp_path: Path):
    assert "2 labels for 10 examples" in refusal(save(tmp_path, x=X, y=Y[:2]), limit=5)


def test_labels_of_one_value_are_no_labels(tmp_path: Path):
    assert "'labels' is one value and has no examples" in refusal(save(tmp_path, x=X, y=np.int64(1)))
