"""What a person sees: nothing that a terminal would obey."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from kit.sample_reports import ERROR, FAIL, OPEN, gate, report, target, two_targets, variant, waived
from test_reports import (
    TEXTS,
    check_characters,
    check_commands,
    failing_headline_report,
    headline_report,
    hostile,
    quick,
    report_of,
)
from test_reports import report_of as any_report

from gatekeeper.records.base import Verdict
from gatekeeper.records.report import VariantReport
from gatekeeper.reports._verdict import WORDS
from gatekeeper.reports.terminal import render


@pytest.mark.parametrize("make", [any_report, headline_report, failing_headline_report])
@hostile
def test_a_terminal_obeys_nothing(text: str, make: object) -> None:
    rendered = render(make(text))  # type: ignore[operator]
    assert "\x1b" not in rendered
    check_characters(rendered)
    check_commands(rendered)


@quick
@given(text=TEXTS)
def test_a_terminal_obeys_nothing_whatever_the_text(text: str) -> None:
    check_characters(render(any_report(text)))


@pytest.mark.parametrize("verdict", list(Verdict))
def test_the_verdict_is_the_last_paragraph(verdict: Verdict) -> None:
    rendered = render(msgspec.structs.replace(any_report("x"), verdict=verdict))
    assert rendered.split("\n\n")[-1].startswith(WORDS[verdict].upper())


def test_every_variant_and_reason_is_there() -> None:
    rendered = render(any_report("word"))
    for technique in ("pass", "fail", "open", "error", "skip"):
        assert f"x86word/onnx/{technique}word" in rendered
    assert "x86word/broken: no result word" in rendered
    assert "(warning only)" in rendered
    assert "<- best" in rendered


def test_markup_in_names_is_text() -> None:
    assert "speedup[bold]" in render(any_report("[bold]")).replace("\n", "")


def test_lines_fit_the_width() -> None:
    assert max(map(len, render(any_report("word")).splitlines())) <= 120


def test_what_ran_out_is_said_beside_what_was_left_undecided() -> None:
    assert "x86x/onnx: 8 of at most 24 rounds in 12 s, 2% of the budget of 10m; no rounds were left" in render(report_of("x"))


def test_the_frontier_is_marked_and_explained_where_there_is_a_choice() -> None:
    rendered = render(any_report("word"))
    assert "◆ no other variant of its target beats it" in rendered
    assert rendered.count("◆") == 2
    found = any_report("word")
    alone = [v for v in found.targets[0].variants if v.pareto]
    assert "◆" not in render(msgspec.structs.replace(found, targets=[msgspec.structs.replace(found.targets[0], variants=alone)]))


def test_a_model_that_is_pointed_at_is_named() -> None:
    found = any_report("word")
    target = msgspec.structs.replace(found.targets[0], notes=["x86 answers 7.2 % alone"])
    assert "x86word: x86 answers 7.2 % alone" in render(msgspec.structs.replace(found, targets=[target]))


def test_a_waived_gate_is_told_from_a_warning() -> None:
    shown = " ".join(render(two_targets()).split())
    assert "1.70x (1.63–1.77) waived" in shown
    assert "cpu/onnx_runtime/fp16: speedup: 1.7 measured; waived until 2026-12-31 by edge team down to 1.50x" in shown
    assert "warning only" not in shown


def test_a_loosened_limit_is_said() -> None:
    assert "this change loosens a limit: accuracy was 0.97, is 0.95" in render(two_targets())


NOISY = "this runner is too noisy: two copies of the baseline differ by 0.80x to 0.90x"


def said(*variants: VariantReport) -> str:
    """What a terminal shows of one target, without its line ends."""
    return " ".join(render(report([target("cpu", variants)])).split())


def test_gates_that_say_the_same_are_one_line() -> None:
    lost = [gate(name, ERROR, None, reason="the worker crashed") for name in ("accuracy", "memory", "speedup", "stability")]
    shown = said(variant("cpu/f/int8", lost))
    assert "cpu/f/int8: accuracy, memory, speedup, stability: the worker crashed [edge_ai_pipeline.yaml:14]" in shown
    assert shown.count("the worker crashed") == 1


def test_what_a_runner_does_to_every_variant_of_a_leg_is_said_once() -> None:
    names = ("cpu/f/int8", "cpu/f/fp16", "cpu/g/int8")
    shown = said(*(variant(name, [gate("speedup", OPEN, 2.2, reason=NOISY), gate("memory", FAIL, 0.1)]) for name in names))
    assert f"cpu/f (int8, fp16): speedup: {NOISY} [" in shown
    assert f"cpu/g/int8: speedup: {NOISY} [" in shown, "another leg is another runner"
    assert shown.count(NOISY) == 2


def test_a_waived_gate_is_not_said_together_with_one_that_blocks() -> None:
    tolerated, blocking = waived(reason=NOISY), gate("speedup", FAIL, 1.7, reason=NOISY)
    assert said(variant("cpu/f/int8", [tolerated]), variant("cpu/f/fp16", [blocking])).count(NOISY) == 2
