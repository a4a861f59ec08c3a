"""junit.xml: Jenkins' schema, a reader's view, and the contract of failures, errors and skips."""

from __future__ import annotations

from pathlib import Path

import junitparser
import msgspec
import pytest
from hypothesis import given
from kit.sample_reports import report_with_tests, two_targets
from lxml import etree
from test_reports import TEXTS, empty, gate, headline_report, hostile, performance, quick, report_of, variant

from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Report
from gatekeeper.reports.junit import render

SCHEMA = etree.XMLSchema(etree.parse(str(Path(__file__).resolve().parents[1] / "data" / "junit-10.xsd")))


def parse(report: Report) -> etree._Element:
    root = etree.fromstring(render(report).encode())
    SCHEMA.assertValid(root)
    return root


def read(report: Report) -> junitparser.JUnitXml:
    found = junitparser.JUnitXml.fromstring(render(report))
    found.update_statistics()
    return found


def outcome(case: junitparser.TestCase) -> list[tuple[type, str | None]]:
    return [(type(r), r.type) for r in case.result]


def only(verdict: Verdict, blocking: bool = True) -> junitparser.TestCase:
    """The one case of a report with one gate."""
    report = report_of("x")
    chosen = variant("x", "x86x/onnx", "v", verdict, [gate("x", "speedup", verdict, blocking)])
    target = msgspec.structs.replace(report.targets[0], variants=[chosen], legs=report.targets[0].legs[:1])
    (suite,) = read(msgspec.structs.replace(report, targets=[target], stages=[]))
    (case,) = suite
    return case


@hostile
def test_hostile_text_is_valid(text: str) -> None:
    parse(report_of(text))
    parse(headline_report(text))


@quick
@given(text=TEXTS)
def test_any_text_is_valid(text: str) -> None:
    parse(report_of(text))


def test_emoji_are_kept() -> None:
    assert "🚀" in parse(report_of("🚀")).xpath("//failure/@message")[0]


def test_a_suite_is_a_variant_and_a_case_is_a_gate() -> None:
    suites = {suite.name: [case.name for case in suite] for suite in read(report_of(""))}
    assert suites["x86/onnx/pass"] == suites["x86/onnx/fail"] == suites["x86/onnx/open"] == ["speedup", "memory"]
    assert suites["x86/onnx/error"] == ["speedup"]
    assert len(suites["x86/onnx/skip"]) == 1


@pytest.mark.parametrize(
    ("verdict", "blocking", "expected"),
    [
        (Verdict.PASS, True, []),
        (Verdict.PASS, False, []),
        (Verdict.FAIL, True, [junitparser.Failure]),
        (Verdict.ERROR, True, [junitparser.Error]),
        (Verdict.INCONCLUSIVE, True, [junitparser.Error]),
        (Verdict.SKIP, True, [junitparser.Skipped]),
        (Verdict.SKIP, False, [junitparser.Skipped]),
        (Verdict.FAIL, False, [junitparser.Skipped]),
        (Verdict.ERROR, False, [junitparser.Skipped]),
        (Verdict.INCONCLUSIVE, False, [junitparser.Skipped]),
    ],
)
def test_the_outcome_of_a_case_is_the_verdict(verdict: Verdict, blocking: bool, expected: list[type]) -> None:
    assert [kind for kind, _ in outcome(only(verdict, blocking))] == expected


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.PASS])
@pytest.mark.parametrize("blocking", [True, False])
def test_an_outcome_carries_its_reason(verdict: Verdict, blocking: bool) -> None:
    (result,) = only(verdict, blocking).result
    assert "x" in result.message


def test_the_counts_are_those_of_the_report() -> None:
    found = read(report_of(""))
    # speedup, 2 stages fail; speedup open + error, leg, stage open + error; memory skip + 2 warnings, variant skip, stage skip
    assert (found.failures, found.errors, found.skipped) == (3, 5, 5)
    assert [int(v) for v in _totals(report_of(""))] == [3, 5]


def _totals(report: Report) -> list[str]:
    root = parse(report)
    return [root.get("failures", ""), root.get("errors", "")]


def test_a_leg_that_did_not_run_is_an_error() -> None:
    (suite,) = [s for s in read(report_of("")) if s.name == "x86/broken"]
    (case,) = suite
    assert [kind for kind, _ in outcome(case)] == [junitparser.Error]
    assert "no result" in case.result[0].message


def test_the_environment_is_in_the_properties() -> None:
    (suite,) = [s for s in read(report_of("e")) if s.name.endswith("/passe")]
    found = {p.name: p.value for p in suite.properties()}
    assert found["cpu"] == "e"
    assert found["threads"] == "2"
    assert found["model.sha256"] == "e"
    assert found["package.e"] == "e"


def test_a_report_of_nothing_is_not_green() -> None:
    found = read(empty())
    assert found.failures + found.errors > 0


def test_a_waived_gate_is_skipped_and_says_until_when() -> None:
    found = read(two_targets())
    (case,) = [case for suite in found for case in suite if suite.name == "cpu/onnx_runtime/fp16" and case.name == "speedup"]
    assert [kind for kind, _ in outcome(case)] == [junitparser.Skipped]
    assert case.result[0].message.startswith(
        "waived until 2026-12-31 by edge team down to 1.50x: until the driver is repaired (#7)"
    )


def times(report: Report) -> dict[str, str | None]:
    return {suite.get("name", ""): suite.get("time") for suite in parse(report).iter("testsuite")}


def test_times_are_those_that_are_known() -> None:
    """A leg measured its two variants in 60 s, in turns; one of them was tested for 120 s."""
    found = report_with_tests()
    (whole,) = found.targets
    legs = [msgspec.structs.replace(leg, measuring_s=60.0) for leg in whole.legs]
    measured = [msgspec.structs.replace(v, performance=performance()) for v in whole.variants]
    found = msgspec.structs.replace(found, targets=[msgspec.structs.replace(whole, legs=legs, variants=measured)])
    assert times(found) == {"cpu/onnx_runtime/int8": "150.000", "cpu/onnx_runtime/fp16": "30.000"}
    assert parse(found).get("time") == "180.000"
    assert {case.get("name"): float(case.get("time")) for case in parse(found).iter("testcase") if case.get("time")} == {
        "opens": 0.1, "zeros": 0.2, "answers": 2.5, "drained": 1.0, "deep_json": 0.3,
    }  # fmt: skip


def test_what_is_not_known_to_have_taken_time_has_none() -> None:
    assert [element.tag for element in parse(two_targets()).iter() if "time" in element.attrib] == []
