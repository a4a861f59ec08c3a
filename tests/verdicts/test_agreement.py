"""Which models of a target answer alike, and which one stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gatekeeper.records.answers import Answers, AnswersHeader, Kind
from gatekeeper.records.report import Agreement
from gatekeeper.verdicts.agreement import MOST_MODELS, agree

FOUR = ["x86/ort/baseline", "x86/ort/a", "x86/ov/baseline", "x86/ov/b"]


def answers(
    names: Sequence[str], values: Any, kind: Kind = "same class", dataset: str = "d", left_out: dict[str, str] | None = None
) -> Answers:
    values = np.asarray(values, dtype=np.float32 if kind == "relative distance" else np.int32)
    header = AnswersHeader(
        schema="gatekeeper/answers/v1", dataset=dataset, kind=kind, total=values.shape[1], names=list(names),
        left_out=left_out or {},
    )  # fmt: skip
    return Answers(header, values)


def classes(count: int, examples: int = 500) -> Any:
    """The same answers of so many models."""
    return np.tile(np.random.default_rng(0).integers(0, 10, examples), (count, 1))


def changed(values: Any, model: int, share: float, by: int = 1) -> Any:
    """One model gives other answers on a share of the examples."""
    found = values.copy()
    found[model, : round(share * values.shape[1])] += by
    return found


def compared(values: Any, names: Sequence[str] = FOUR, kind: Kind = "same class", **more: Any) -> Agreement:
    return agree(names, [answers(names, values, kind)], **more)


unhurried = settings(deadline=None)  # the first example imports scipy
INTEGERS = arrays(np.int8, st.tuples(st.integers(4, 7), st.integers(1, 40)), elements=st.integers(0, 2))


@unhurried
@given(INTEGERS)
def test_the_matrix_is_what_it_says(values: Any) -> None:
    names = [f"x86/ort/{i}" for i in range(len(values))]
    found = compared(values, names)
    for i, row in enumerate(found.matrix):
        for j, share in enumerate(row):
            assert share == pytest.approx(np.mean(values[i] == values[j]), abs=1e-5)
    for i, share in enumerate(found.alone):
        others = np.delete(values, i, axis=0)
        alone = (others == others[0]).all(axis=0) & (values[i] != others[0])
        assert share == pytest.approx(alone.mean())


@unhurried
@given(INTEGERS, st.randoms())
def test_the_order_of_models_only_orders_the_result(values: Any, random: Any) -> None:
    names = [f"x86/ort/{i}" for i in range(len(values))]
    order = random.sample(range(len(names)), len(names))
    one, two = compared(values, names), agree([names[i] for i in order], [answers(names, values)])
    assert two.names == [names[i] for i in order]
    assert two.matrix == [[one.matrix[i][j] for j in order] for i in order]
    assert two.alone == [one.alone[i] for i in order]
    assert set(two.findings) == set(one.findings)


@unhurried
@given(INTEGERS)
def test_it_does_not_matter_in_how_many_files_the_answers_came(values: Any) -> None:
    names = [f"x86/ort/{i}" for i in range(len(values))]
    apart = [answers([name], values[i : i + 1]) for i, name in enumerate(names)]
    assert agree(names, apart) == compared(values, names)


@unhurried
@given(
    arrays(np.float32, st.tuples(st.integers(4, 6), st.integers(2, 20), st.integers(1, 4)), elements=st.floats(-8, 8, width=16))
)
def test_distances_are_what_they_say(values: Any) -> None:
    names = ["x86/ort/baseline", *(f"x86/ort/{i}" for i in range(1, len(values)))]
    found = compared(values, names, "relative distance")
    norm = np.linalg.norm(values[0].astype(float)) or max(np.linalg.norm(v.astype(float)) for v in values) or 1
    spread = np.linalg.norm(values[0].astype(float) - values[0].astype(float).mean(axis=0)) or norm
    limit = 0.05 * spread / values.shape[1] ** 0.5
    apart = np.linalg.norm(values[:, None].astype(float) - values[None].astype(float), axis=3)
    assert np.allclose(found.matrix, np.linalg.norm(apart, axis=2) / norm, rtol=1e-5)
    for i, share in enumerate(found.alone):
        others = np.delete(np.delete(apart, i, axis=0), i, axis=1)
        alone = (others <= limit).all(axis=(0, 1)) & (np.delete(apart[i], i, axis=0) > limit).all(axis=0)
        assert share == pytest.approx(alone.mean())


def test_models_that_answer_alike_are_not_pointed_at() -> None:
    found = compared(classes(4))
    assert (found.findings, found.notes, found.alone) == ([], [], [0.0] * 4)
    assert (found.kind, found.examples, found.names) == ("same class", 500, FOUR)
    assert np.array(found.matrix).min() == 1


@pytest.mark.parametrize(("accurate", "ending"), [(["x86/ov/b"], "look at it, although its accuracy holds"), ([], "look at it")])
def test_one_that_stands_alone_is_named(accurate: list[str], ending: str) -> None:
    found = compared(changed(classes(4), 3, 0.072), accurate=accurate)
    assert found.findings == [f"x86/ov/b answers 7.2 % of the examples alone, where all 3 others agree: {ending}"]
    assert found.alone == [0, 0, 0, pytest.approx(0.072)]
    assert found.matrix[0][3] == pytest.approx(0.928)


@pytest.mark.parametrize(("share", "named"), [(0.03, False), (0.036, True)])
def test_it_takes_more_than_chance(share: float, named: bool) -> None:
    """18 of 500 are more than 2 % with 95 % confidence; 15 are not (scipy.stats.binomtest(k, 500).proportion_ci)."""
    assert bool(compared(changed(classes(4), 3, share)).findings) is named


@pytest.mark.parametrize(("other", "named"), [(0.04, True), (0.05, False)])
def test_it_takes_more_than_twice_any_others(other: float, named: bool) -> None:
    values = changed(classes(4), 3, 0.1)
    values[1, -round(other * 500) :] += 1
    assert bool(compared(values).findings) is named


def test_of_three_none_is_alone() -> None:
    found = compared(changed(classes(3), 1, 0.5), FOUR[:3])
    assert (found.alone, found.findings) == ([], [])


def test_baselines_that_differ_are_named() -> None:
    values = classes(3)
    values[2] = changed(values, 2, 0.014)[2]
    found = compared(values, FOUR[:3])
    assert found.findings == [
        "x86/ort/baseline and x86/ov/baseline agree on 98.6 % of the examples, and nothing was optimized in them: "
        "the conversion or the runtime differs"
    ]
    assert compared(changed(classes(3), 2, 0.008), FOUR[:3]).findings == []


def test_tokens_are_called_tokens() -> None:
    [finding] = compared(changed(classes(4), 1, 0.1), kind="same top token").findings
    assert "10.0 % of the tokens alone" in finding


def numbers(examples: int = 300) -> Any:
    """What a regression of two outputs answers in four models, with the noise of rounding."""
    generator = np.random.default_rng(1)
    return generator.normal(3, 2, (examples, 2)) + generator.normal(0, 1e-4, (4, examples, 2))


def test_numbers_that_differ_by_rounding_agree() -> None:
    found = compared(numbers(), kind="relative distance")
    assert (found.findings, found.alone) == ([], [0.0] * 4)
    assert 0 < found.matrix[0][1] < 1e-3
    assert found.matrix[1][1] == 0


def test_numbers_that_stand_alone_and_baselines_apart_are_named() -> None:
    values = numbers()
    values[1, :30] += 1
    [finding] = compared(values, kind="relative distance").findings
    assert finding.startswith("x86/ort/a answers 10.0 % of the examples alone")
    values = numbers()
    values[2] *= 1.02
    assert "are 0.02 of the output's size apart" in compared(values, kind="relative distance").findings[0]


def test_outputs_of_zeros_have_a_distance() -> None:
    values = np.zeros((4, 10, 1))
    assert np.array(compared(values, kind="relative distance").matrix).max() == 0
    values[1] = 3
    assert np.isfinite(compared(values, kind="relative distance").matrix).all()


def test_answers_to_different_sets_never_meet() -> None:
    values = classes(4)
    found = agree(FOUR, [answers(FOUR[:3], values[:3]), answers(FOUR[3:], values[3:], dataset="other")])
    assert found.names == FOUR[:3]
    assert found.notes == ["x86/ov/b: it answered other examples than x86/ort/baseline, which cannot be compared"]


@pytest.mark.parametrize("values", [classes(1, 400), classes(1).repeat(2, axis=1)], ids=["fewer", "more"])
def test_neither_do_other_numbers_of_them(values: Any) -> None:
    assert agree(FOUR, [answers(FOUR[:3], classes(3)), answers(FOUR[3:], values)]).names == FOUR[:3]


def test_what_is_missing_and_left_out_is_said() -> None:
    left_out = {"x86/ort/a": "its output holds NaN", "arm/ort/a": "of another target"}
    found = agree(FOUR, [answers(FOUR[:1], classes(1), left_out=left_out)], missing={"x86/ov": "no answers.npz came"})
    assert found.notes == ["x86/ov: no answers.npz came", "x86/ort/a: its output holds NaN"]
    assert (found.names, found.matrix) == (FOUR[:1], [[1.0]])


def test_nothing_is_no_agreement() -> None:
    assert agree(FOUR, []) == Agreement(kind="same class", names=[], matrix=[], examples=0)


def test_of_very_many_the_first_are_compared() -> None:
    names = [f"x86/ort/{i}" for i in range(MOST_MODELS + 3)]
    found = compared(classes(len(names), 50), names)
    assert (found.names, len(found.matrix)) == (names[:MOST_MODELS], MOST_MODELS)
    assert found.notes == [f"the first {MOST_MODELS} of {len(names)} models are compared"]
