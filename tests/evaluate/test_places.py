"""Places of classes, steps and lengths by plain loops; what is worth one; which way round a mask goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gatekeeper.evaluate.places import SINGLE, by_size, of_classes, of_places, pooled, together
from gatekeeper.evaluate.tasks._base import task
from gatekeeper.evaluate.tasks._hidden import hidden, in_doubt
from gatekeeper.records.scores import KeptClass

RNG = np.random.default_rng(3)
N, L, C = 60, 12, 4
TRUTH = RNG.integers(0, C, (N, L))
SEEN = np.arange(L) < RNG.integers(3, L + 1, N)[:, None]
BEFORE, AFTER = (np.where(RNG.random((N, L)) < share, RNG.integers(0, C, (N, L)), TRUTH) for share in (0.1, 0.3))


def by_name(found: list[KeptClass]) -> dict[str, KeptClass]:
    assert len({each.name for each in found}) == len(found)
    return {each.name: each for each in found}


def counts(each: KeptClass) -> tuple[int, int, int, int]:
    return each.both, each.only_baseline, each.only_variant, each.places


def counted(rows: list[tuple[int, int]]) -> tuple[int, int, int, int]:
    """By a loop over places."""
    b = [bool(BEFORE[at] == TRUTH[at]) for at in rows]
    v = [bool(AFTER[at] == TRUTH[at]) for at in rows]
    both = sum(x and y for x, y in zip(b, v, strict=True))
    return both, sum(b) - both, sum(v) - both, len(rows)


PLACES = [(i, j) for i in range(N) for j in range(L) if SEEN[i, j]]


@pytest.mark.parametrize("c", range(C))
def test_places_and_answers_of_a_class(c: int) -> None:
    found = by_name(of_classes(TRUTH, SEEN, BEFORE, AFTER, names=("a", "b")))
    name = f"class {'ab'[c] if c < 2 else c}"
    assert counts(found[name]) == counted([at for at in PLACES if TRUTH[at] == c])
    given = sum(BEFORE[at] == c for at in PLACES)
    added = sum(bool(AFTER[at] == c != TRUTH[at] and BEFORE[at] != c) for at in PLACES)
    gone = sum(bool(BEFORE[at] == c != TRUTH[at] and AFTER[at] != c) for at in PLACES)
    answers = found[f"answers of {name}"]
    assert counts(answers) == (given - min(added, given), min(added, given), gone, given + gone) and answers.part


def test_small_things_are_lost_though_hardly_any_place_is() -> None:
    """In half of the examples the class has one place, in the others sixty-one."""
    truth = np.zeros((100, 8, 8), int)
    truth[::2, 0, 0] = 1
    truth[1::2, :, :] = 1
    truth[1::2, 0, :3] = 0
    after = truth.copy()
    after[::2, 0, 0] = 0
    found = by_name(of_classes(truth, np.ones(truth.shape, bool), truth, after))
    assert found["class 1"].both / found["class 1"].places > 0.98
    small = found["class 1, each example as one"]
    assert (small.both, small.only_baseline, small.examples, small.together) == (50_000, 50_000, 100, 1000)
    assert "class 0, each example as one" in found


def test_where_they_are() -> None:
    found = by_name(of_places(SEEN, BEFORE == TRUTH, AFTER == TRUTH))
    lengths = SEEN.sum(axis=1)
    assert counts(found["step 2"]) == counted([at for at in PLACES if at[1] == 2])
    assert counts(found["the first step"]) == counts(found["step 0"])
    assert counts(found["the last step"]) == counted([(i, lengths[i] - 1) for i in range(N)])
    assert counts(found["last steps 3 to 4"]) == counted([at for at in PLACES if lengths[at[0]] - at[1] in (3, 4)])
    groups = {name: each for name, each in found.items() if name.startswith("examples of")}
    assert sum(each.examples for each in groups.values()) == N
    low, high = int(lengths.min()), sorted(lengths.tolist())[N // 4]
    assert counts(groups[f"examples of {low} to {high} steps"]) == counted([at for at in PLACES if lengths[at[0]] <= high])


def test_many_steps_are_looked_at_in_stretches_and_by_their_ends() -> None:
    right = np.ones((20, 300), bool)
    late = right.copy()
    late[:, -2:] = False
    found = by_name(of_places(right, right, late))
    assert sum(name.startswith(("step ", "steps ")) for name in found) == SINGLE
    assert (found["the last step"].both, found["last steps 2 to 2"].both if "last steps 2 to 2" in found else 0) == (0, 0)
    assert found["the first step"].only_baseline == 0


def test_both_axes_of_an_image() -> None:
    right = np.ones((20, 6, 8), bool)
    border = right.copy()
    border[:, :, 7] = False
    found = by_name(of_places(right, right, border))
    assert found["axis 2 7"].both == 0 and found["axis 1 3"].both == 20 * 7


def test_what_is_worth_one() -> None:
    assert together(np.full(9, 5)) == 5 and together(np.zeros(3)) == 1
    assert together(np.asarray([10, 1, 1])) == pytest.approx(102 / 12)
    whole = np.asarray([4, 4])
    assert pooled("x", whole, whole, whole, whole).together == 4


@pytest.mark.parametrize("sizes", [[5] * 9, [], [0, 0, 3]])
def test_examples_of_one_size_are_no_groups(sizes: list[int]) -> None:
    assert by_size(np.asarray(sizes, int)) == []


# --- masks --------------------------------------------------------------------------------------------------------------

TAGGER = task("token_classification")
LENGTHS = np.random.default_rng(4).integers(3, 9, 40)
REAL = np.arange(10) < LENGTHS[:, None]
ANSWERS = np.random.default_rng(5).integers(0, 3, (40, 10))
IDS = np.where(REAL, np.random.default_rng(6).integers(5, 99, (40, 10)), 0)


def padding(**inputs: Any) -> Any:
    return hidden(TAGGER, ANSWERS, None, inputs)


@pytest.mark.parametrize("kind", [np.int64, bool, np.float32])
@pytest.mark.parametrize(
    "name", ["padding_mask", "key_padding_mask", "src_key_padding_mask", "pad_mask", "is_pad", "ignore_mask"]
)
def test_a_mask_of_padding_is_one_at_padding(name: str, kind: Any) -> None:
    np.testing.assert_array_equal(padding(**{name: (~REAL).astype(kind)}), ~REAL)


@pytest.mark.parametrize("kind", [np.int64, bool, np.float32])
@pytest.mark.parametrize("name", ["attention_mask", "input_mask", "valid", "nonpadding_mask"])
def test_a_mask_of_what_is_read_is_zero_at_padding(name: str, kind: Any) -> None:
    np.testing.assert_array_equal(padding(**{name: REAL.astype(kind)}), ~REAL)
    np.testing.assert_array_equal(padding(**{name: REAL.astype(kind)[:, None, None]}), ~REAL)


@pytest.mark.parametrize("name", ["mask", "padding_mask", "attention_mask", "src_mask"])
@pytest.mark.parametrize("inverted", [False, True])
def test_the_data_tell_before_the_name(name: str, inverted: bool) -> None:
    """The ids are one and the same where padding is; and of lengths some are full."""
    mask = (~REAL if inverted else REAL).astype(np.int64)
    np.testing.assert_array_equal(padding(input_ids=IDS, **{name: mask}), ~REAL)
    full = REAL.copy()
    full[0] = True
    np.testing.assert_array_equal(padding(**{name: (~full if inverted else full).astype(np.int64)}), ~full)


@pytest.mark.parametrize("low", [-np.inf, -1e4, np.finfo(np.float32).min])
def test_what_is_added_to_scores_is_zero_at_what_is_read(low: float) -> None:
    np.testing.assert_array_equal(padding(mask=np.where(REAL, 0, low).astype(np.float32)), ~REAL)


def test_numbers_of_segments_are_no_mask() -> None:
    assert padding(token_type_ids=REAL.astype(np.int64)) is None
    np.testing.assert_array_equal(padding(token_type_ids=~REAL, attention_mask=REAL.astype(np.int64)), ~REAL)


def test_what_nothing_tells_hides_nothing_and_is_looked_at_both_ways() -> None:
    assert padding(src_mask=REAL.astype(np.int64)) is None
    found = in_doubt(TAGGER, ANSWERS, None, {"src_mask": REAL.astype(np.int64)})
    assert set(found) == {"places where src_mask is 1", "places where src_mask is 0"}
    np.testing.assert_array_equal(found["places where src_mask is 1"], REAL)
    assert in_doubt(TAGGER, ANSWERS, None, {"padding_mask": (~REAL).astype(np.int64)}) == {}
    ends = in_doubt(TAGGER, ANSWERS, None, {"input_ids": IDS})
    np.testing.assert_array_equal(ends["places of input_ids before its end repeats"], REAL)
    assert (
        in_doubt(TAGGER, ANSWERS, ANSWERS, {"input_ids": IDS})
        == in_doubt(task("regression"), ANSWERS, None, {"mask": REAL})
        == {}
    )
