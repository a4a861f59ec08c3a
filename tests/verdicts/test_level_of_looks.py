"""At what level a look judges is worked out by a merge, whatever a report says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from kit.measured import Made, measured

from gatekeeper.errors import UsageError
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Report
from gatekeeper.verdicts.held import held_report
from gatekeeper.verdicts.rules import Rules

VARIANTS = {"clear": Made(), "close": Made(speed=2.04, noise=0.02)}


def report(**more: Any) -> Report:
    return measured("cpu/onnx_runtime", VARIANTS, **more)


def claiming(found: Report, spending: str, **more: Any) -> Report:
    data = msgspec.to_builtins(found)
    data["targets"][0]["legs"][0] |= {"spending": spending} | more
    return msgspec.convert(data, Report)


@pytest.mark.parametrize("spending", ["", "proportional"])
@pytest.mark.parametrize("attempt", [1, 3])
def test_reports_of_both_versions_are_what_they_say(spending: str, attempt: int) -> None:
    found = report(spending=spending, attempt=attempt)
    assert held_report(found, "r", Rules()) is found


@pytest.mark.parametrize(("made", "claimed"), [("proportional", ""), ("", "proportional")])
def test_bounds_of_one_version_are_not_those_of_the_other(made: str, claimed: str) -> None:
    with pytest.raises(UsageError, match="bound is"):
        held_report(claiming(report(spending=made), claimed), "r", Rules())


@pytest.mark.parametrize("most", [8, 12, 200])
def test_another_number_of_looks_gives_other_bounds(most: int) -> None:
    with pytest.raises(UsageError, match="bound is"):
        held_report(claiming(report(), "proportional", max_rounds=most), "r", Rules())


def test_whoever_claims_to_be_of_an_earlier_version_passes_no_more() -> None:
    """The same rounds, judged by both: equal shares never pass what the looks' own level does not."""
    for seed in range(40):
        ours, theirs = (
            [each.verdict for each in report(seed=seed, spending=spending).targets[0].variants[1].gates if each.gate == "speedup"]
            for spending in ("proportional", "")
        )
        assert theirs == ours or theirs == [Verdict.INCONCLUSIVE]


def test_no_other_way_of_spending_can_be_claimed() -> None:
    with pytest.raises(msgspec.ValidationError):
        claiming(report(), "all at once")
