from __future__ import annotations

import msgspec
import pytest
from test_reports import report_of

from gatekeeper.records.report import Basis, Report
from gatekeeper.reports._base import reporter
from gatekeeper.reports._basis import lines
from gatekeeper.reports.markdown import SMALLEST_BYTES, fit

WHOLE = Basis(metric="accuracy", output="logits", outputs=["boxes", "scores"], examples=1397, classes=10, timed=32)
FEW = msgspec.structs.replace(
    WHOLE, outputs=[], copies=12, groups=1, not_judged={"output boxes": "ignored", "memory": "off", "output c": "ignored"}
)


def resting(*bases: Basis | None) -> Report:
    """A report whose first target has a leg for each."""
    report = report_of("x")
    target = report.targets[0]
    legs = [msgspec.structs.replace(target.legs[0], id=f"t/{i}", basis=basis, error="", skip="") for i, basis in enumerate(bases)]
    return msgspec.structs.replace(report, targets=[msgspec.structs.replace(target, legs=legs)])


@pytest.mark.parametrize(
    ("basis", "said"),
    [
        (
            WHOLE,
            "rests on accuracy of logits, 2 more outputs (boxes, scores), 1,397 examples, 10 classes, 32 inputs timed | "
            "not judged: nothing",
        ),
        (
            FEW,
            "rests on accuracy of logits, 1,397 distinct examples (12 copies of them left out), 10 classes, 1 group, "
            "32 inputs timed | not judged: output boxes, output c (ignored); memory (off)",
        ),
        (Basis(), "rests on nothing measured | not judged: nothing"),
    ],
)
def test_one_line_says_it(basis: Basis, said: str) -> None:
    assert lines(resting(basis)) == [said]
    assert lines(resting(basis, basis)) == [said], "the same of two legs is said once"


def test_an_earlier_version_did_not_say() -> None:
    assert lines(resting(None)) == []


def test_legs_that_rest_on_other_things_are_named() -> None:
    first, second = lines(resting(WHOLE, FEW))
    assert first.startswith("t/0: rests on") and second.startswith("t/1: rests on")


@pytest.mark.parametrize("form", ["terminal", "markdown"])
def test_it_stands_under_the_table(form: str) -> None:
    shown = " ".join(reporter(form).render(resting(FEW)).replace("\\", "").split())
    assert shown.index("rests on accuracy of logits") > shown.index("speedup")
    assert "not judged: output boxes, output c (ignored); memory (off)" in shown


def test_a_small_place_keeps_it() -> None:
    assert "not judged" in fit(resting(FEW), 3 * SMALLEST_BYTES)
