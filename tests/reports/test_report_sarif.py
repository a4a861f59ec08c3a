"""report.sarif: the official schema, and what GitHub's code scanning makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from kit.sample_reports import ERROR, FAIL, OPEN, PASS, SKIP, gate, many, report, target, three, two_targets, variant, waived
from test_reports import TEXTS, empty, hostile, quick, report_of

from gatekeeper.gates._base import gate as gate_named
from gatekeeper.gates._base import names as gate_names
from gatekeeper.records.report import PipelineInfo, Report, StageReport
from gatekeeper.reports.sarif import MOST_RESULTS, render

# The schema of OASIS without its descriptions.
SCHEMA = json.loads((Path(__file__).resolve().parents[1] / "data" / "sarif-2.1.0.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft7Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


def run_of(of: Report) -> dict[str, Any]:
    """The one run of a valid file whose references fit."""
    found = json.loads(render(of))
    VALIDATOR.validate(found)
    (run,) = found["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        uri = uri_of(result)
        assert uri
        assert not uri.startswith("/")
        assert ".." not in uri.split("/")
        assert uri.isascii()
        assert ":" not in uri
    prints = [result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]]
    assert len(prints) == len(set(prints))
    return dict(run)


def uri_of(result: dict[str, Any]) -> str:
    (location,) = result["locations"]
    return str(location["physicalLocation"]["artifactLocation"]["uri"])


def one(*gates: Any, **more: Any) -> list[dict[str, Any]]:
    """Results of a report with one variant."""
    return list(run_of(report([target("cpu", [variant("cpu/f/t", gates)])], **more))["results"])


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_a_gate_that_fails_is_an_error_on_its_line() -> None:
    (result,) = one(gate("speedup", FAIL, 1.5), gate("memory", PASS))
    assert (result["ruleId"], result["level"]) == ("speedup", "error")
    assert uri_of(result) == "edge_ai_pipeline.yaml"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 14}
    text = result["message"]["text"]
    assert text.startswith("speedup of cpu/f/t: fail: 1.5 measured; 1.50x (1.44–1.56), limit ≥ 2.00x")


def test_what_passes_is_no_result() -> None:
    run = run_of(report([target("cpu", [variant("cpu/f/t", three("cpu"))])]))
    assert run["results"] == []
    assert run["invocations"][0]["executionSuccessful"] is True


@pytest.mark.parametrize(
    ("found", "policy", "level"),
    [
        (gate(verdict=FAIL), "fail", "error"),
        (gate(verdict=FAIL, blocking=False), "fail", "warning"),
        (gate(verdict=OPEN), "fail", "error"),
        (gate(verdict=OPEN), "warn", "warning"),
        (gate(verdict=ERROR, observed=None), "fail", "error"),
        (gate(verdict=ERROR, observed=None, blocking=False), "fail", "warning"),
        (waived(), "fail", "warning"),
    ],
)
def test_the_level_is_whether_it_blocks(found: Any, policy: Any, level: str) -> None:
    pipeline = PipelineInfo(path="p.yaml", sha256="c" * 64, on_inconclusive=policy)
    assert [r["level"] for r in one(found, pipeline=pipeline)] == [level]


def test_a_failure_that_another_variant_makes_good_is_a_warning() -> None:
    both = [variant("cpu/f/good", three("cpu")), variant("cpu/f/bad", three("cpu", speed=1.0))]
    (result,) = run_of(report([target("cpu", both)]))["results"]
    assert result["level"] == "warning"
    assert "passes with another variant" in result["message"]["text"]


def test_a_waiver_is_a_suppression() -> None:
    (result,) = one(waived())
    (suppression,) = result["suppressions"]
    assert suppression["justification"].startswith("waived until 2026-12-31 by edge team down to 1.50x")
    assert "suppressions" not in one(gate(verdict=FAIL))[0]


def test_a_leg_without_a_result_is_an_error_and_the_run_did_not_succeed() -> None:
    run = run_of(many(58))
    lost = [r for r in run["results"] if r["ruleId"] == "leg"]
    assert [r["level"] for r in lost] == ["error", "error"]
    assert "target0007/onnx\\_runtime" not in lost[0]["message"]["text"]
    assert "target0007/onnx_runtime was not measured: no result came back" in lost[0]["message"]["text"]
    assert run["invocations"][0]["executionSuccessful"] is False
    assert len(run["invocations"][0]["toolExecutionNotifications"]) == 2


def test_a_stage_that_fails_is_a_result_and_what_follows_from_it_is_not() -> None:
    stages = [
        StageReport(stage="model_validation", verdict=FAIL, reason="a pickle", where="p.yaml:4"),
        StageReport(stage="testing", verdict=ERROR, reason="not run", blocked_by="model_validation"),
        StageReport(stage="monitoring", verdict=SKIP, reason="off"),
    ]
    (result,) = run_of(report([target("cpu", [variant("cpu/f/t", three("cpu"))])], stages))["results"]
    assert result["ruleId"] == "stage"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 4}


@pytest.mark.parametrize("of", [empty(), report([target("cpu", [])]), report([target("cpu", [variant("cpu/f/t", [], ERROR)])])])
def test_a_report_that_does_not_pass_has_a_result(of: Report) -> None:
    assert [r["level"] for r in run_of(of)["results"]] == ["error"]


def test_a_known_gate_explains_itself() -> None:
    named = [gate(name, FAIL, 1.0) for name in gate_names()]
    run = run_of(report([target("cpu", [variant("cpu/f/t", named)])]))
    helps = {rule["id"]: rule["help"]["text"] for rule in run["tool"]["driver"]["rules"]}
    for name in gate_names():
        assert helps[name].startswith(gate_named(name).DESCRIPTION)


def test_fingerprints_stay_when_numbers_and_lines_change() -> None:
    first, second = one(gate(verdict=FAIL, observed=1.5)), one(gate(verdict=FAIL, observed=1.6, where="edge_ai_pipeline.yaml:20"))
    assert first[0]["partialFingerprints"] == second[0]["partialFingerprints"]
    other = one(gate("memory", FAIL, 0.1))
    assert first[0]["partialFingerprints"] != other[0]["partialFingerprints"]


@pytest.mark.parametrize(
    ("where", "uri", "line"),
    [
        ("a/b.yaml:3", "a/b.yaml", 3),
        ("./a//b.yaml:3:7", "a/b.yaml", 3),
        ("a\\b.yaml:3", "a/b.yaml", 3),
        ("my file#1?.yaml:3", "my%20file%231%3F.yaml", 3),
        ("é.yaml:3", "%C3%A9.yaml", 3),
        ("a:b.yaml:3", "a%3Ab.yaml", 3),
        ("/home/x/p.yaml:3", "p.yaml", 3),
        ("C:\\x\\p.yaml:3", "p.yaml", 3),
        ("../../etc/passwd:3", "passwd", 3),
        ("a/..", "fallback.yaml", 1),
        ("https://e.example/x:3", "x", 3),
        ("", "fallback.yaml", 1),
        (":3", "fallback.yaml", 1),
        ("b.yaml", "b.yaml", 1),
        ("b.yaml:0", "b.yaml", 1),
        ("b.yaml:99999999999999999999", "b.yaml%3A99999999999999999999", 1),
        ("\ud800\n\0.yaml:3", ".yaml", 3),
    ],
)
def test_a_place_is_inside_the_repository(where: str, uri: str, line: int) -> None:
    pipeline = PipelineInfo(path="/x/fallback.yaml", sha256="c" * 64)
    (result,) = one(gate(verdict=FAIL, where=where), pipeline=pipeline)
    assert uri_of(result) == uri
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": line}


def test_a_message_holds_no_link_and_no_placeholder() -> None:
    (result,) = one(gate(verdict=FAIL, reason="[x](http://e) {0}"))
    assert "\\[x\\](http://e) {{0}}" in result["message"]["text"]


def test_of_too_many_results_the_most_severe_are_kept() -> None:
    kinds = [gate(f"g{i}", FAIL, 1.0, blocking=i % 2 == 0) for i in range(100)]
    rows = [variant(f"cpu/f/t{i}", kinds) for i in range(300)]
    run = json.loads(render(report([target("cpu", rows)])))["runs"][0]
    levels = [r["level"] for r in run["results"]]
    assert len(levels) == MOST_RESULTS
    assert levels == sorted(levels)
    assert levels.count("error") == 15_000
    assert (
        "5000 results of less weight were left out" in run["invocations"][0]["toolExecutionNotifications"][-1]["message"]["text"]
    )


def test_a_long_text_is_shortened() -> None:
    run = run_of(report_of("x" * 10_000))
    for result in run["results"]:
        assert len(result["message"]["text"]) <= 1000
    for rule in run["tool"]["driver"]["rules"]:
        assert len(rule["shortDescription"]["text"]) <= 1024
        assert len(rule["id"]) <= 255


@hostile
def test_hostile_text_is_valid(text: str) -> None:
    run_of(report_of(text))


@quick
@given(text=TEXTS)
def test_any_text_is_valid(text: str) -> None:
    run_of(report_of(text))


def test_two_variants_of_one_name_are_two_alerts() -> None:
    row = variant("cpu/f/t", [gate(verdict=FAIL)])
    twice = run_of(msgspec.structs.replace(two_targets(), targets=[target("cpu", [row, row])]))
    assert len(twice["results"]) == 2
