from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.lazily import Lazily

from gatekeeper.data import components
from gatekeeper.data.components import Components
from gatekeeper.data.outputs import OutputWriter, outputs_beside
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.others import component_scores, kept, kept_outputs
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.retention import retention_interval

metrics = Lazily("sklearn.metrics")

RNG = np.random.default_rng(11)
N = 300


def outputs(*shape: int) -> Any:
    return RNG.standard_normal((N, *shape)) * RNG.uniform(0.1, 100, shape)


@pytest.mark.parametrize("shape", [(), (1,), (7,), (4, 3), (2, 3, 5)])
def test_the_worst_component_is_the_one_scikit_learn_finds(shape: tuple[int, ...]):
    before = outputs(*shape)
    after = before + 0.2 * before.std(axis=0) * RNG.standard_normal(before.shape)
    pairs = [(before, after)]
    if shape and shape[-1] > 1:
        pairs += [(before - before.mean(axis=-1, keepdims=True), after - after.mean(axis=-1, keepdims=True))]
    scores = np.concatenate([metrics.r2_score(b.reshape(N, -1), a.reshape(N, -1), multioutput="raw_values") for b, a in pairs])
    found = kept("boxes", before, after)
    assert found.observed == pytest.approx(scores.min(), abs=1e-9)
    assert found.lower is not None and found.upper is not None and found.lower <= found.observed <= found.upper
    index = np.unravel_index(scores.argmin() % before[0].size, shape) if shape else ()
    beside = " beside the mean of its axis" if scores.argmin() >= before[0].size else ""
    assert found.component == ("" if before[0].size == 1 else str([int(i) for i in index]) + beside)
    assert found.examples == N and not found.problem


def test_one_component_of_many_is_not_hidden_by_the_others():
    before = outputs(50)
    after = before.copy()
    after[:, 17] = before[RNG.permutation(N), 17]
    found = kept("boxes", before, after)
    assert found.component == "[17]" and found.observed is not None and found.observed < 0
    assert found.upper is not None and found.upper < 0.95


@pytest.mark.parametrize(
    ("shape", "count", "called"),
    [
        ((100, 20), 20, "[:, 3]"),
        ((20, 5000), 20, "[3, :]"),
        ((3000, 5000), 1, ""),
        ((64, 32, 32), 32, "[:, :, 3]"),
        ((1024,), 1024, "[3]"),
    ],
)
def test_many_numbers_are_grouped_by_an_axis(shape: tuple[int, ...], count: int, called: str):
    groups = Components(shape)
    assert (groups.count, groups.called(3) if count > 3 else groups.called(0)) == (count, called)
    if np.prod(shape) < 100_000:
        assert groups.sums(np.ones((2, *shape))).tolist() == [[np.prod(shape) / count] * count] * 2


def test_a_quiet_component_is_held_to_the_spread_of_the_others():
    before = outputs(6)
    before[:, 2] = 1.0
    after = before + 1e-4 * RNG.standard_normal(before.shape)
    found = kept("boxes", before, after)
    assert found.lower is not None and found.lower > 0.94  # what 300 examples can show
    after[:, 2] += RNG.standard_normal(N) * before.std()
    found = kept("boxes", before, after)
    assert found.component.startswith("[2]") and found.observed is not None and found.observed < 0.95


@pytest.mark.parametrize(("value", "kept_"), [(2.0, True), (2.001, True), (3.0, False)])
def test_an_output_that_never_changes_is_held_to_its_size(value: float, kept_: bool):
    found = kept("version", np.full((N, 1), 2.0), np.full((N, 1), value))
    assert found.observed is not None and (found.observed > 0.99) is kept_


@pytest.mark.parametrize("kind", [np.int64, np.bool_])
def test_classes_are_compared_position_by_position(kind: Any):
    before = RNG.integers(0, 2, (N, 4)).astype(kind)
    after = before.copy()
    after[:30, 1] = 1 - after[:30, 1].astype(np.int64)
    found = kept("labels", before, after)
    assert (found.observed, found.component, found.what) == (0.9, "[1]", "answered alike")


def test_numbers_that_are_lost_are_the_variants_fault():
    before = outputs(3)
    before[0, 0] = np.nan  # the original has none here either
    after = before.copy()
    assert not kept("boxes", before, after).problem
    after[5, 1] = np.inf
    assert kept("boxes", before, after).problem == "NaN or infinite values differ from the original's in 1 places"


def test_a_mask_of_infinities_is_kept():
    before = outputs(4)
    before[:, 1][RNG.random(N) < 0.5] = -np.inf
    assert not kept("masked", before, before.copy()).problem
    assert kept("masked", before, np.where(np.isinf(before), 0.0, before)).problem.startswith("NaN or infinite values differ")


def test_scores_are_told_apart_by_their_differences():
    """A part that is common to all scores of an example keeps their variance, whatever becomes of the scores."""
    scores, common = RNG.standard_normal((N, 10)), 40 * RNG.standard_normal((N, 1))
    before, after = scores + common, scores[RNG.permutation(N)] + common
    assert metrics.r2_score(before, after) > 0.99, "each number is nearly what it was"
    found = kept("logits", before, after)
    assert found.component.endswith("beside the mean of its axis") and found.upper is not None and found.upper < 0.5


def test_a_channel_of_an_image_is_not_hidden_by_the_others():
    before = RNG.standard_normal((N, 4, 32, 33)) * np.array([1, 1, 1, 1 / 300])[:, None, None]
    after = before.copy()
    after[:, 3] = 0
    found = kept("maps", before, after)
    assert found.component == "[3, :, :]" and found.upper is not None and found.upper < 0.5


def test_other_shapes_are_the_variants_fault():
    assert "shape (2,) an example" in kept("boxes", outputs(3), outputs(2)).problem


def test_examples_are_read_some_at_a_time(monkeypatch: pytest.MonkeyPatch):
    before, after = outputs(5), outputs(5)
    whole = kept("boxes", before, after)
    monkeypatch.setattr(components, "_CHUNK", 7)
    parts = kept("boxes", before, after)
    assert parts.observed == pytest.approx(whole.observed) and parts.component == whole.component


# --- on disk --------------------------------------------------------------------------------------------------------


def write(folder: Path, batches: list[dict[str, Any]], judged: int = 0, size: int = 4) -> Path:
    folder.mkdir(exist_ok=True)
    names = tuple(batches[0])
    writer = OutputWriter(folder / "predictions.npy", names, judged, size * len(batches))
    for i, batch in enumerate(batches):
        writer.add(slice(i * size, (i + 1) * size), size, list(batch.values()))
    writer.close()
    return folder / "predictions.npy"


def test_every_output_comes_back(tmp_path: Path):
    batches = [
        {"scores": np.full((4, 3), i), "label": np.arange(4) + i, "text": np.array(["a", "b", "ä", "a"], object)}
        for i in range(3)
    ]
    file = write(tmp_path, batches)
    found = outputs_beside(file)
    assert (found.judged, sorted(found.others), found.skipped) == ("scores", ["label", "text"], {})
    assert np.load(file).tolist() == np.concatenate([b["scores"] for b in batches]).tolist()
    assert np.load(tmp_path / found.others["label"]).tolist() == [0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5]
    text = np.load(tmp_path / found.others["text"])
    assert text[0] == text[3] == text[4] and len({*text.tolist()}) == 3


RAGGED = [
    ("maps", [{0: 0.5}] * 4, "it is a sequence, a map or ragged"),
    ("map", {0: np.zeros(4)}, "it is a sequence, a map or ragged"),
    ("ragged", [np.zeros(1), np.zeros(2), np.zeros(3), np.zeros(4)], "it is a sequence, a map or ragged"),
    ("scalar", np.float32(3), "its first axis must be the examples"),
    ("state", np.zeros((2, 4, 8)), "its first axis must be the examples"),
]


@pytest.mark.parametrize(("name", "value", "why"), RAGGED)
def test_what_has_no_row_an_example_is_skipped_by_name(name: str, value: Any, why: str, tmp_path: Path):
    file = write(tmp_path, [{"scores": np.zeros((4, 3)), name: value}] * 2)
    found = outputs_beside(file)
    assert found.others == {} and why in found.skipped[name]
    assert np.load(file).shape == (8, 3)


def test_an_output_that_changes_its_shape(tmp_path: Path):
    batches = [{"a": np.zeros((4, 3)), "b": np.zeros((4, 2))}, {"a": np.zeros((4, 3)), "b": np.zeros((4, 5))}]
    assert "changes its shape with the input" in outputs_beside(write(tmp_path / "b", batches)).skipped["b"]
    with pytest.raises(NotMeasured, match="the output 'b' changes its shape with the input"):
        write(tmp_path / "a", batches, judged=1)


def test_models_are_compared_output_by_output(tmp_path: Path):
    x = outputs(3).astype(np.float32)
    before = write(tmp_path / "before", [{"y": x, "boxes": x, "gone": x, "maps": [{}] * N}], size=N)
    after = write(tmp_path / "after", [{"y": x, "boxes": x, "maps": [{}] * N}], size=N)
    found, unjudged = kept_outputs(before, after)
    assert {each.name: each.problem for each in found} == {"boxes": "", "gone": "the variant has no such output"}
    assert list(unjudged) == ["maps"]


@given(st.integers(0, 2**32 - 1), st.integers(30, 300), st.integers(1, 6))
@settings(max_examples=10, deadline=None)
def test_bounds_over_all_components_are_the_least_of_theirs(seed: int, n: int, columns: int) -> None:
    """Those that need not be worked out are not, and the least are the same."""
    r = np.random.default_rng(seed)
    before = r.standard_normal((n, columns))
    after = before + r.choice([0.01, 0.1, 0.3, 2], columns) * r.standard_normal(before.shape)
    found = kept("y", before, after)
    groups: list[tuple[Any, ...]] = [(before, after)]
    if columns > 1:
        groups.append(tuple(each - each.mean(axis=1, keepdims=True) for each in (before, after)))
    scores = []
    for b, v in groups:
        there = (b - b.mean(axis=0)) ** 2
        scores += [component_scores(p, q) for p, q in zip((there - (v - b) ** 2).T, there.T, strict=True)]
    lower = min(retention_interval(each, ALPHA).lower for each in scores)
    upper = min(retention_interval(each, ALPHA / len(scores)).upper for each in scores)
    assert (-math.inf if found.lower is None else found.lower) == pytest.approx(lower, abs=1e-6)
    assert found.upper == pytest.approx(upper, abs=1e-6)
