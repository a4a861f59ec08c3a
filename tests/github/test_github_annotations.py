"""Annotations: read back the way GitHub's runner does."""

from __future__ import annotations

from typing import Any

import pytest
from kit.runner import parse
from kit.sample_reports import ERROR, FAIL, OPEN, PASS, gate, many, report, target, three, two_targets, variant, waived

from gatekeeper.github.annotations import annotations, command
from gatekeeper.records.report import Base, PipelineInfo, Report

Said = tuple[str, dict[str, str], str]


def read(of: Report) -> list[Said]:
    return [parse(line) for line in annotations(of)]


def one(*gates: Any, **more: Any) -> Said:
    (said,) = read(report([target("cpu", [variant("cpu/f/t", gates)])], **more))
    return said


def test_a_failure_is_an_error_on_its_line() -> None:
    kind, properties, message = one(gate("speedup", FAIL, 1.5))
    assert kind == "error"
    assert properties == {"file": "edge_ai_pipeline.yaml", "line": "14", "title": "speedup of cpu/f/t"}
    assert message == "fail: 1.5 measured; 1.50x (1.44–1.56), limit ≥ 2.00x"


@pytest.mark.parametrize(
    ("found", "policy", "kind"),
    [
        (gate(verdict=FAIL), "fail", "error"),
        (gate(verdict=FAIL, blocking=False), "fail", "warning"),
        (waived(), "fail", "warning"),
        (gate(verdict=OPEN), "fail", "error"),
        (gate(verdict=OPEN), "warn", "warning"),
        (gate(verdict=ERROR, observed=None), "warn", "error"),
    ],
)
def test_an_error_blocks_and_a_warning_does_not(found: Any, policy: Any, kind: str) -> None:
    assert one(found, pipeline=PipelineInfo(path="p.yaml", sha256="c", on_inconclusive=policy))[0] == kind


def test_a_pass_says_nothing() -> None:
    assert annotations(report([target("cpu", [variant("cpu/f/t", three("cpu"))])])) == []


def test_nothing_measured_is_an_error_in_the_pipeline_file() -> None:
    ((kind, properties, _),) = read(report([], verdict=ERROR))
    assert kind == "error"
    assert properties["file"] == "edge_ai_pipeline.yaml"


def test_a_variant_that_was_not_made_is_said_once() -> None:
    lost = variant("cpu/f/t", [gate(n, ERROR, None) for n in ("speedup", "memory")], ERROR, artifact=None, reason="it crashed")
    ((kind, properties, message),) = read(report([target("cpu", [lost])]))
    assert (kind, properties["title"], message) == ("error", "cpu/f/t", "not measured: it crashed")


def test_ten_of_a_kind_and_the_last_says_how_many_more() -> None:
    found = read(many(1000))
    for kind in ("error", "warning"):
        own = [message for k, _, message in found if k == kind]
        assert len(own) == 10
        assert own[-1].endswith("more of this kind are in the report")
    errors = [message for k, _, message in found if k == "error"]
    assert errors[-1].startswith("411 more")  # 100 targets of four variants, 20 lost legs


def test_ten_are_not_cut() -> None:
    rows = [variant(f"cpu/f/t{i}", [gate(verdict=FAIL)]) for i in range(10)]
    assert not [m for _, _, m in read(report([target("cpu", rows)])) if "more" in m]


def test_a_loosened_limit_is_a_warning() -> None:
    passing = [target("cpu", [variant("cpu/f/t", three("cpu"))])]
    pipeline = PipelineInfo(path="p.yaml", sha256="c", policy="main@1", loosened=["speedup 1x"])
    found = read(report(passing, pipeline=pipeline, base=Base(verdict=PASS, loosened=["memory 0.4"])))
    assert [(k, p["title"], m) for k, p, m in found] == [
        ("warning", "a limit is looser", "the pipeline file loosens a limit, not applied: speedup 1x"),
        ("warning", "a limit is looser", "this change loosens a limit: memory 0.4"),
    ]


def test_a_note_is_a_notice() -> None:
    assert ("notice", "be careful") in [(k, m) for k, _, m in read(two_targets(notes=["be careful"]))]


def test_what_a_command_carries_comes_back() -> None:
    text = "100% of a:b,c=d\r\n::error::x%0A"
    kind, properties, message = parse(command("warning", text, title=text, file="a,b:c.yaml"))
    assert kind == "warning"
    assert properties == {"title": text, "file": "a,b:c.yaml"}
    assert message == text
    assert len(command("warning", text, title=text).splitlines()) == 1


def test_control_characters_are_dropped() -> None:
    assert command("error", "a\0\x1b[31m\x85\u2028b\ud800") == "::error::a[31mb"
