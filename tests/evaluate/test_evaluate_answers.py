"""From predictions on disk to the answers that travel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatekeeper.data.prepared import IGNORED, write_prepared
from gatekeeper.evaluate import answers as module
from gatekeeper.evaluate.answers import collect
from gatekeeper.evaluate.tasks._base import Reading
from gatekeeper.records import answers as format_
from gatekeeper.records.answers import packed, read_answers

LEG = "x86/ort"


def save(folder: Path, **outputs: Any) -> dict[str, Path]:
    """Predictions of a leg's models, each in its own folder as in the cache; text models' tokens as `name_tokens`."""
    found = {}
    for name, values in outputs.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        found[f"{LEG}/{name}"] = folder / name / "predictions.npy"
        np.save(found[f"{LEG}/{name}"], values)
    return found


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    folder.mkdir()
    np.save(folder / "input0.npy", np.arange(10))
    return folder


def scores(seed: int, examples: int = 50, classes: int = 300) -> Any:
    return np.random.default_rng(seed).normal(size=(examples, classes)).astype(np.float32)


@pytest.mark.parametrize(
    ("task", "metric"), [("image_classification", None), (None, None), (None, "accuracy"), ("tabular_classification", "m:f")]
)
def test_classes_travel_as_small_integers(task: str | None, metric: str | None, tmp_path: Path, dataset: Path) -> None:
    outputs = {"baseline": scores(0), "a": scores(1)}
    found = collect(save(tmp_path, **outputs), dataset, Reading(task=task), metric)
    assert found is not None
    assert (found.header.kind, found.header.names) == ("same class", [f"{LEG}/baseline", f"{LEG}/a"])
    assert found.values.dtype == np.uint16
    assert np.array_equal(found.values, [o.argmax(axis=1) for o in outputs.values()])


@pytest.mark.parametrize(("task", "metric"), [("regression", None), ("embedding", None), (None, "my.module:metric")])
def test_other_outputs_travel_as_numbers(task: str | None, metric: str | None, tmp_path: Path, dataset: Path) -> None:
    outputs = scores(0).reshape(50, 3, 100).astype(float)
    found = collect(save(tmp_path, baseline=outputs), dataset, Reading(task=task), metric)
    assert found is not None
    assert (found.header.kind, found.values.dtype, found.values.shape) == ("relative distance", np.float32, (1, 50, 300))
    assert np.array_equal(found.values[0], outputs.reshape(50, 300).astype(np.float32))


def test_likeliest_tokens_are_a_text_models_answers(tmp_path: Path, dataset: Path) -> None:
    files = save(tmp_path, baseline=np.ones((4, 7)), a=np.ones((4, 7)))
    tokens = np.random.default_rng(0).integers(0, 70_000, (2, 4, 7)).astype(np.int32)
    for i, file in enumerate(files.values()):
        np.save(file.with_name("top_tokens.npy"), tokens[i])
    found = collect(files, dataset, Reading(task="text_generation"), None)
    assert found is not None
    assert (found.header.kind, found.header.total) == ("same top token", 28)
    assert np.array_equal(found.values, tokens.reshape(2, 28))


def test_one_score_is_read_as_the_baseline_says(tmp_path: Path, dataset: Path) -> None:
    """Logits between 0 and 1 are not probabilities where the baseline's are not."""
    baseline, variant = np.array([[-3.0], [3.0], [0.2]]), np.array([[0.1], [0.9], [0.2]])
    found = collect(save(tmp_path, baseline=baseline, a=variant), dataset, Reading(task=None), None)
    assert found is not None
    assert found.values.tolist() == [[0, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize("task", ["tabular_classification", "regression"])
def test_large_sets_are_thinned_out_evenly_and_alike_in_every_leg(
    task: str, tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_VALUES", 40)
    outputs = np.stack([np.arange(100.0), 99 - np.arange(100.0)], axis=1)
    [one, two] = [collect(save(tmp_path / n, baseline=outputs, **{n: outputs}), dataset, Reading(task=task), None) for n in "ab"]
    assert one is not None and two is not None
    kept = 40 if task.endswith("classification") else 20
    assert one.values.shape[:2] == (2, kept)
    assert one.comparable() == two.comparable()
    assert one.header.total == 100
    if task == "regression":
        assert one.values[0, :, 0].tolist() == [5.0 * i for i in range(20)]


def test_of_single_numbers_fewer_examples_are_kept(tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OUTPUTS", 10)
    found = collect(save(tmp_path, baseline=np.arange(100.0)), dataset, Reading(task="regression"), None)
    assert found is not None
    assert found.values[0, :, 0].tolist() == list(range(0, 100, 10))


def test_wide_outputs_are_thinned_out_too(tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VALUES", 40)
    found = collect(save(tmp_path, baseline=np.tile(np.arange(100.0), (3, 1))), dataset, Reading(task="regression"), None)
    assert found is not None
    assert found.values.shape == (1, 1, 40)


def test_the_file_stays_small(tmp_path: Path, dataset: Path) -> None:
    """Eight models with the most that is kept of any."""
    outputs = np.random.default_rng(0).normal(size=(format_.MOST_VALUES // 16, 16)).astype(np.float32)
    names = {"baseline": outputs} | {f"v{i}": outputs + np.float32(i) for i in range(7)}
    found = collect(save(tmp_path, **names), dataset, Reading(task="regression"), None)
    assert found is not None
    assert len(packed(found)) <= 8.1 * (1 << 20)


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        (np.full((50, 300), np.nan, dtype=np.float32), "NaN or infinite"),
        (np.full((50, 300), 1e300), "NaN or infinite"),
        (scores(0)[:, :299], r"shape \(50, 299\), the baseline's \(50, 300\)"),
        (scores(0)[:49], r"shape \(49, 300\)"),
        (np.full((50, 300), "x"), "not numbers"),
    ],
    ids=["NaN", "beyond float32", "narrower", "fewer", "text"],
)
def test_what_cannot_be_compared_is_left_out_and_named(outputs: Any, says: str, tmp_path: Path, dataset: Path) -> None:
    found = collect(save(tmp_path, baseline=scores(0), a=outputs, b=scores(2)), dataset, Reading(task="regression"), None)
    assert found is not None
    assert found.header.names == [f"{LEG}/baseline", f"{LEG}/b"]
    [(name, reason)] = found.header.left_out.items()
    assert name == f"{LEG}/a"
    assert re.search(says, reason)


def test_a_prediction_that_is_gone_is_left_out(tmp_path: Path, dataset: Path) -> None:
    files = save(tmp_path, baseline=scores(0), a=scores(1))
    files[f"{LEG}/a"].unlink()
    found = collect(files, dataset, Reading(task=None), None)
    assert found is not None
    assert "No such file" in found.header.left_out[f"{LEG}/a"]


def test_nothing_is_nothing(dataset: Path) -> None:
    assert collect({}, dataset, Reading(task=None), None) is None


def test_other_examples_have_another_digest_and_other_labels_have_not(tmp_path: Path, dataset: Path) -> None:
    files = save(tmp_path, baseline=scores(0))

    def found() -> str:
        answers = collect(files, dataset, Reading(task=None), None)
        assert answers is not None
        return answers.header.dataset

    before = found()
    np.save(dataset / "labels.npy", np.arange(3))
    assert found() == before
    np.save(dataset / "input0.npy", np.arange(11))
    assert found() != before


def test_answers_at_every_token_but_padding_travel_and_are_read_back(tmp_path: Path) -> None:
    r = np.random.default_rng(3)
    folder = tmp_path / "tokens"
    folder.mkdir()
    labels = np.where(np.arange(7) < r.integers(2, 7, 50)[:, None], 1, IGNORED)
    write_prepared(folder, {"x": r.normal(size=(50, 2))}, labels)
    outputs = r.normal(size=(50, 7, 4)).astype(np.float32)
    found = collect(save(tmp_path, baseline=outputs), folder, Reading(task="token_classification", places=(7,)), None)
    assert found is not None
    assert found.header.total == (labels != IGNORED).sum()
    np.testing.assert_array_equal(found.values[0], outputs.argmax(axis=2)[labels != IGNORED])
    (tmp_path / "answers.npz").write_bytes(packed(found))
    assert np.array_equal(read_answers(tmp_path / "answers.npz").values, found.values)


def test_several_answers_of_a_classifier_are_read_back(tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tags without a task of tags: they are more than there are examples, and a file that holds them is no stranger's."""
    outputs = np.random.default_rng(3).normal(size=(50, 7, 4)).astype(np.float32)
    found = collect(save(tmp_path, baseline=outputs), dataset, Reading(task=None), None)
    assert found is not None
    assert found.header.total == found.values.shape[1] == 350
    (tmp_path / "answers.npz").write_bytes(packed(found))
    assert np.array_equal(read_answers(tmp_path / "answers.npz").values, found.values)
    monkeypatch.setattr(module, "MOST_VALUES", 40)
    found = collect(save(tmp_path / "b", baseline=outputs), dataset, Reading(task=None), None)
    assert found is not None and found.values.shape == (1, 40)
