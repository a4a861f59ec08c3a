"""Every corruption of the registry arrives, the same way for every model, and leaves examples what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatekeeper.data.corrupted import corrupt_set, differing, read_arrived, texts_of
from gatekeeper.data.corruptions._base import REGISTRY, Corruption, asked, corruption, fitting, layout
from gatekeeper.data.prepared import PreparedDataset, write_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.models.info import TensorInfo
from gatekeeper.records.corrupted import SPREAD

TASK = "image_classification"
TEXTS = np.array(
    ["The quick brown fox jumps over the lazy dog", "Pack my box with five dozen jugs", "12 monkeys", "été à Łódź"] * 8
)
IMAGES = np.random.default_rng(0).random((32, 3, 8, 9)).astype(np.float32)
TAKES: dict[str, Any] = {"numbers": IMAGES, "images": IMAGES, "texts": TEXTS}


def prepared(folder: Path, **inputs: Any) -> Path:
    folder.mkdir(parents=True)
    write_prepared(folder, inputs, np.arange(len(next(iter(inputs.values())))))
    return folder


def under(folder: Path, name: str, array: Any, seed: int = 0, **options: Any) -> Any:
    """The array under a corruption."""
    place = folder / f"{name}{len(list(folder.iterdir()))}"
    (place / "after").mkdir(parents=True)
    corrupt_set(prepared(place / "before", x=array), place / "after", Corruption(name, options), seed, TASK)
    data = PreparedDataset(place / "after")
    assert (data.labels == np.arange(len(array))).all()
    return np.asarray(data.inputs["x"])


@pytest.mark.parametrize("name", REGISTRY.names)
def test_it_arrives_by_its_seed_and_by_each_examples_content(name: str, tmp_path: Path) -> None:
    array = TAKES[corruption(name).TAKES]
    found = under(tmp_path, name, array)
    assert found.dtype.kind == array.dtype.kind and found.shape == array.shape
    assert sum((a != b).any() if a.shape else a != b for a, b in zip(array, found, strict=True)) > len(array) / 2
    assert (under(tmp_path, name, array) == found).all(), "the same for every model"
    turned = np.random.default_rng(1).permutation(len(array))
    assert (under(tmp_path, name, array[turned]) == found[turned]).all(), "the order of a set changes nothing"
    twice = under(tmp_path, name, np.concatenate([array, array]))
    assert (twice[: len(array)] == twice[len(array) :]).all(), "copies stay copies"


@pytest.mark.parametrize("name", REGISTRY.names)
def test_its_options_are_described_and_have_defaults(name: str) -> None:
    module = corruption(name)
    assert module.DESCRIPTION.endswith(".") and module.TAKES in TAKES
    assert module.Options() == Corruption(name).amount()
    for field in module.Options.__struct_fields__:
        assert getattr(module.Options(), field) is not None


@pytest.mark.parametrize("name", [name for name in REGISTRY.names if corruption(name).TAKES != "texts"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_numbers_stay_in_their_range_and_type(name: str, dtype: str, tmp_path: Path) -> None:
    array = (IMAGES * 255).astype(dtype)
    found = under(tmp_path, name, array)
    assert found.dtype == dtype and found.min() >= array.min() and found.max() <= array.max() and (found != array).any()


def test_noise_has_the_size_that_is_asked_for_column_by_column(tmp_path: Path) -> None:
    array = np.random.default_rng(0).standard_normal((4000, 3)) * (1e-3, 1.0, 1e3) + (0, 5, 0)
    apart = (under(tmp_path, "noise", array, sd=0.2) - array).std(axis=0) / array.std(axis=0)
    assert apart == pytest.approx([0.2] * 3, rel=0.05)
    assert (under(tmp_path, "noise", array, seed=1) == under(tmp_path, "noise", array)).mean() < 0.01


def test_a_column_that_is_always_the_same_gets_none(tmp_path: Path) -> None:
    array = np.random.default_rng(0).standard_normal((100, 2)).astype(np.float32)
    array[:, 1] = 7
    found = under(tmp_path, "noise", array)
    assert (found[:, 1] == 7).all() and (found[:, 0] != array[:, 0]).sum() > 90


def test_blur_is_of_height_and_width_alone(tmp_path: Path) -> None:
    from scipy.ndimage import gaussian_filter

    found = under(tmp_path, "blur", IMAGES, radius=2.0)
    for i, channel in ((0, 0), (7, 2)):
        assert found[i, channel] == pytest.approx(gaussian_filter(IMAGES[i, channel].astype(float), 2.0), abs=1e-6)
    last = under(tmp_path, "blur", IMAGES.transpose(0, 2, 3, 1), radius=2.0)
    assert last.transpose(0, 3, 1, 2) == pytest.approx(found, abs=1e-6)
    assert under(tmp_path, "blur", IMAGES[:, 0], radius=2.0) == pytest.approx(found[:, 0], abs=1e-6)


def test_dropout_takes_whole_pixels_and_as_many_as_are_asked_for(tmp_path: Path) -> None:
    gone = under(tmp_path, "dropout", IMAGES + 0.1 - 0.1 * (IMAGES < 0.5), share=0.3) <= IMAGES.min() + 1e-6
    assert (gone.all(axis=1) == gone.any(axis=1)).mean() > 0.98
    assert gone.mean() == pytest.approx(0.3, abs=0.03)


def test_brightness_goes_both_ways(tmp_path: Path) -> None:
    brighter, darker = (under(tmp_path, "brightness", IMAGES, by=by).mean() for by in (0.3, -0.3))
    assert darker < IMAGES.mean() - 0.2 and brighter > IMAGES.mean() + 0.2


def test_texts_keep_what_the_corruption_leaves() -> None:
    text = "It was the best of times, it was the worst of times"
    assert texts_of([text], asked({"case": {"to": "upper"}}), 0) == [text.upper()]
    assert texts_of([text], asked({"truncation": {"keep": 0.25}}), 0) == ["It was the"]
    [typed] = texts_of([text], asked({"typos": {"share": 0.1}}), 0)
    assert typed != text and abs(len(typed) - len(text)) <= 4
    assert texts_of(["a", "?!", ""], asked("typos"), 0)[1:] == ["?!", ""]


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("case", np.array(["123", "!"] * 10), "case changes nothing of this set"),
        ("case", np.array(["ABC"] * 30 + ["abc"] * 10), "case changes only 10 of 40 examples"),
        ("noise", np.zeros((20, 4), np.float32), "noise changes nothing"),
        ("brightness", np.ones((20, 3, 8, 8), np.float32), "brightness changes nothing"),
        ("blur", np.ones((20, 4), np.float32), "blur acts on images"),
        ("noise", np.ones((20, 4), np.int64), "noise acts on inputs of floats or bytes"),
        ("typos", IMAGES, "typos acts on texts, and the model's inputs are 'x' (float32, 3 axes an example). Leave it out."),
    ],
)
def test_what_does_not_arrive_is_an_error_that_says_so(name: str, array: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(NotMeasured) as found:
        under(tmp_path, name, array)
    assert said in str(found.value)


def test_inputs_that_are_counted_are_left_alone(tmp_path: Path) -> None:
    ids = np.arange(32)[:, None]
    before = prepared(tmp_path / "before", x=IMAGES, ids=ids)
    (tmp_path / "after").mkdir()
    arrived = corrupt_set(before, tmp_path / "after", Corruption("noise"), 0, None)
    data = PreparedDataset(tmp_path / "after")
    assert (data.inputs["ids"] == ids).all() and (data.inputs["x"] != IMAGES).any()
    assert arrived == read_arrived(tmp_path / "after") and arrived.unit == SPREAD
    assert (arrived.changed, arrived.examples) == (32, 32) and arrived.by == pytest.approx(0.1, rel=0.1)
    assert arrived.still == ["ids"] and arrived.moved and not arrived.enough, "it may be the ids that a model reads"


@pytest.mark.parametrize(
    "asked", [Corruption("noise", {"sd": 1e-6}), Corruption("noise", {"sd": 0.01}), Corruption("brightness", {"by": 1e-4})]
)
def test_what_moves_every_number_by_next_to_nothing_does_not_arrive(asked: Corruption, tmp_path: Path) -> None:
    before = prepared(tmp_path / "before", x=IMAGES)
    (tmp_path / "after").mkdir()
    with pytest.raises(NotMeasured, match=r"changes this set by .* at least 0.02 is needed, which says nothing of a model"):
        corrupt_set(before, tmp_path / "after", asked, 0, TASK)
    after = np.load(tmp_path / "after" / "input0.npy")
    assert (after != IMAGES).any(axis=(1, 2, 3)).mean() > 0.5, "every example is another, and that is not enough"


def test_an_input_that_takes_it_and_does_not_move_is_still(tmp_path: Path) -> None:
    before = prepared(tmp_path / "before", x=IMAGES, flat=np.ones((32, 4), np.float32))
    (tmp_path / "after").mkdir()
    assert corrupt_set(before, tmp_path / "after", Corruption("noise"), 0, None).still == ["flat"]


def test_which_fit_is_told_by_inputs_and_task() -> None:
    def of(dtype: str, *shape: int) -> list[TensorInfo]:
        return [TensorInfo(name="x", dtype=dtype, shape=["n", *shape])]

    assert fitting(of("float32", 3, 8, 8), False, None) == ["blur", "brightness", "dropout", "noise"]
    assert fitting(of("float32", 8, 8), False, TASK) == ["blur", "brightness", "dropout", "noise"]
    assert fitting(of("float32", 8, 8), False, "tabular_classification") == ["dropout", "noise"]
    assert fitting(of("string", 1), False, None) == fitting([], True, None) == ["case", "truncation", "typos"]
    assert fitting(of("int64", 8), False, None) == []


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((3, 8, 8), ((1, 2), 0)), ((8, 8, 3), ((0, 1), 2)), ((1, 28, 28), ((1, 2), 0)), ((8, 9), ((0, 1), None))],
)
def test_where_height_and_width_are(shape: tuple[int, ...], expected: Any) -> None:
    assert layout(shape) == expected


def test_how_far_two_texts_are_apart() -> None:
    assert [differing(*pair) for pair in (("abc", "abc"), ("abc", "abcd"), ("abcd", "abxd"), ("", "ab"), ("aa", "a"))] == [
        0,
        1,
        1,
        2,
        1,
    ]
