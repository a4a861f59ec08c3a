"""Reports that rest on other data or other code never meet."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from kit.hand_built import gate, report, variant

from gatekeeper.errors import UsageError
from gatekeeper.records.base import Verdict
from gatekeeper.records.data import Code, Data, DataSet
from gatekeeper.records.report import Report
from gatekeeper.reports._data import lines
from gatekeeper.verdicts.compare import compared
from gatekeeper.verdicts.merge import merge

LEGS = ["x86/onnx_runtime", "arm/onnx_runtime"]
ONE, OTHER = "1" * 64, "2" * 64


def a_set(sha256: str = ONE, **more: Any) -> DataSet:
    return DataSet(source="eval.npz", sha256=sha256, **({"examples": 100, "distinct": 100} | more))


def code(sha256: str = ONE) -> dict[str, Code]:
    return {"metric mine:score": Code(sha256=sha256, covers=["mine.py"])}


def leg(index: int, data: Data | None, verdict: Verdict = Verdict.PASS, **more: Any) -> Report:
    made = report(variant(f"{LEGS[index]}/int8", gate("speedup", verdict, 2.5)), manifest=LEGS, **more)
    return msgspec.structs.replace(made, data=data)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            Data(evaluation=a_set(OTHER)),
            "rest on different data: of the evaluation set, eval.npz is [12]{12} in one and [12]{12} in another",
        ),
        (Data(evaluation=a_set(), calibration=a_set()), "only some of them read the calibration set"),
        (Data(), "only some of them read the evaluation set"),
        (Data(evaluation=a_set(), also={"maths": a_set()}), "only some of them read the set 'maths'"),
        (Data(evaluation=a_set(), code=code(OTHER)), r"different code of metric mine:score \([12]{12} and [12]{12}\)"),
        (None, "some of the results say which data they rest on, and others do not"),
    ],
)
def test_legs_that_differ_are_refused(other: Data | None, said: str) -> None:
    first = leg(0, Data(evaluation=a_set(), code=code()))
    for legs in ([first, leg(1, other)], [leg(0, other), msgspec.structs.replace(first, targets=leg(1, None).targets)]):
        with pytest.raises(UsageError, match=said):
            merge(legs)


def test_a_leg_that_never_came_to_its_data_is_no_other_data() -> None:
    found = merge([leg(0, Data(), Verdict.ERROR), leg(1, Data(evaluation=a_set(), code=code()))])
    assert found.data is not None
    assert (found.data.evaluation, found.data.code) == (a_set(), code())


def test_what_a_base_report_was_is_said_anew() -> None:
    base = leg(0, Data(evaluation=a_set(OTHER)), commit="b" * 40)
    found = compared(leg(0, Data(evaluation=a_set(distinct=2))), base)
    assert found.base is not None
    assert found.base.changed
    [changed, copies] = lines(found)
    assert changed.startswith("the evaluation set is not that of base at bbbbbbbbbbbb: 100 examples, 2 of them distinct")
    assert copies.startswith("98.0% of the evaluation set are copies of other examples (98 of 100)")
    same = merge([found, leg(1, Data(evaluation=a_set(distinct=2)))])
    assert same.data is not None
    assert same.data.evaluation == a_set(distinct=2), "of the merged one nothing is known yet"
    assert lines(compared(leg(0, Data(evaluation=a_set(ONE))), leg(0, Data(evaluation=a_set(ONE))))) == []


def test_what_the_policy_said_of_the_data_stays() -> None:
    held = a_set(before=OTHER, at="main at 0123")
    found = merge([leg(i, Data(evaluation=held), policy="main at 0123", policy_sha256=ONE) for i in range(2)])
    assert found.data is not None
    assert found.data.evaluation == held


@pytest.mark.parametrize(("copies", "near", "said"), [(4, 0, 0), (5, 0, 1), (0, 49, 0), (0, 50, 1), (50, 25, 2)])
def test_a_twentieth_of_copies_is_named_and_a_half_of_equal_answers(copies: int, near: int, said: int) -> None:
    each = a_set(distinct=100 - copies, near=near)
    assert len(lines(leg(0, Data(evaluation=each, calibration=each)))) == said
