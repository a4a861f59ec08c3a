"""The Markdown report where room is short, and what it says of waivers, the base branch and the frontier."""

from __future__ import annotations

import re

import kit.gfm as gfm
import msgspec
import pytest
from kit.sample_reports import FAIL, PASS, RUN, WAIVER, before, gate, many, report, target, three, two_targets, variant, waived

from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Base, PipelineInfo, Report
from gatekeeper.reports.markdown import COMMENT_BYTES, SMALLEST_BYTES, SUMMARY_BYTES, fit, render

MARKER = "<!-- gatekeeper: x -->"


def fitted(of: Report, limit: int) -> str:
    """The report in so many bytes, looked at with GitHub's eyes."""
    shown = fit(of, limit, RUN, MARKER)
    assert len(shown.encode()) <= limit
    assert shown.startswith("## ")
    assert shown.endswith(f"\n{MARKER}\n")
    gfm.check(shown, RUN, MARKER)
    return shown


def only_row(of: Report, named: str) -> str:
    (row,) = [line for line in render(of).splitlines() if line.startswith("|") and f"`{named}`" in line]
    return row


@pytest.mark.parametrize("limit", [1100, 1300, 1700, 2500, 4000, 8000, COMMENT_BYTES, SUMMARY_BYTES])
def test_the_report_fits_and_nothing_is_cut_in_the_middle(limit: int) -> None:
    fitted(two_targets(), limit)


def test_with_room_nothing_is_left_out() -> None:
    whole = render(two_targets())
    shown = fit(two_targets(), COMMENT_BYTES)
    assert shown == whole
    assert "Left out" not in shown
    assert f"[This run]({RUN})" in fitted(two_targets(), COMMENT_BYTES)


def test_first_the_folded_parts_go_then_what_passed_then_all_but_the_verdict() -> None:
    found = two_targets(reproduce="gatekeeper run " + "--target x " * 40)
    sizes = range(len(render(found).encode()) + 200, 1050, -50)
    kinds = {}
    for limit in sizes:
        shown = fitted(found, limit)
        kind = ("<details>" in shown or "mermaid" in shown, "`onnx_runtime/int8`" in shown, "### What did not pass" in shown)
        kinds.setdefault(kind, limit)
    order = list(kinds)
    assert order[0] == (True, True, True)
    assert order[1] == (False, True, True)
    assert order[-1] == (False, False, False)


@pytest.mark.parametrize("limit", [COMMENT_BYTES, 5000])
def test_a_thousand_legs_give_a_comment_with_the_most_important_failures(limit: int) -> None:
    shown = fitted(many(1000), limit)
    lines = shown.splitlines()
    assert lines[0] == "## ❌ gatekeeper: fail"
    assert "**1000 targets (880 pass, 100 fail, 20 not measured), 3920 variants" in shown
    assert "20 legs not measured" in shown
    listed = [line for line in lines if line.startswith("- ")]
    assert len(listed) > 10
    # 100 targets fail, whose variants say the same; 20 legs are lost; what does not block comes after that.
    assert all("- ❌" in line and "(`v0`, `v1`, `v2`, `v3`)" in line and "1.0 measured" in line for line in listed[:100])
    assert all("no result came back" in line for line in listed[100:120])
    assert not any("1.0 measured" in line or "no result" in line for line in listed[120:])
    said = next(line for line in lines if line.startswith("Left out here: "))
    left = int(re.search(r"(\d+) of \d+ lines of what did not pass", said)[1])  # type: ignore[index]
    assert int(re.search(r"of (\d+) lines", said)[1]) == left + len(listed)  # type: ignore[index]
    assert said.endswith(f"[the whole report]({RUN}).")


def test_without_a_link_it_says_where_the_whole_is() -> None:
    assert "artifacts" in fit(many(20), 3000)


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "https://e.example/ x", "https://e/)[x](y", "http://e" + "x" * 400, "@x"]
)
def test_a_strange_link_is_no_link(link: str) -> None:
    for limit in (1100, 3000, COMMENT_BYTES):
        assert not gfm.tree(fit(two_targets(), limit, link)).xpath("//a")


def test_a_place_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        fit(two_targets(), SMALLEST_BYTES, marker=MARKER)


def test_a_waived_gate_is_shown_as_waived_until_when_by_whom_and_why() -> None:
    shown = render(two_targets())
    assert "| ⏳ 1.70x (1.63–1.77) |" in shown
    (line,) = [line for line in shown.splitlines() if "waived until" in line]
    assert line.startswith("- ⏳ `cpu/onnx_runtime/fp16` **speedup**: 1.7 measured")
    assert "waived until 2026-12-31 by edge team down to 1.50x: until the driver is repaired (\\#\u20607)" in line
    assert "⏳ failed and waived" in shown


def test_a_ceiling_from_above_is_said_so() -> None:
    open_above = gate("load_time", FAIL, 70.0, bound="at_most", unit="ms", blocking=False, waiver=WAIVER)
    assert "up to 1.5 ms" in render(report([target("cpu", [variant("cpu/f/t", [*three("cpu"), open_above])])]))


def test_a_waiver_that_does_not_hold_is_a_failure() -> None:
    failed = msgspec.structs.replace(waived(), blocking=True)
    shown = render(report([target("cpu", [variant("cpu/f/t", [failed])])]))
    assert "⏳" not in shown
    assert "❌ 1.70x" in shown


def since(gates: list, **base: object) -> str:
    found = report([target("cpu", [variant("cpu/f/t", gates)])], base=Base(verdict=PASS, **base))  # type: ignore[arg-type]
    return only_row(found, "f/t").split(" | ")[-1].removesuffix(" |")


@pytest.mark.parametrize(
    ("gates", "said"),
    [
        ([gate(observed=2.5, before=before(PASS, 2.45))], "="),
        ([gate(observed=2.5, before=before(PASS, 4.0))], "speedup 4.00x → 2.50x"),
        ([gate(verdict=FAIL, observed=1.9, before=before(PASS, 2.05))], "speedup ✅→❌ 2.05x → 1.90x"),
        ([gate(verdict=Verdict.ERROR, observed=None, before=before(PASS, 2.0))], "speedup ✅→🚫 2.00x → ?"),
        ([gate(verdict=Verdict.ERROR, observed=None, before=before(Verdict.ERROR, None))], "="),
        ([waived(before=before(PASS, 1.7))], "speedup ✅→⏳"),
        ([gate()], "not compared"),
    ],
)
def test_what_changed_since_the_base_branch(gates: list, said: str) -> None:
    assert since(gates) == said


def test_a_new_variant_is_new() -> None:
    assert since([gate()], new=["cpu/f/t"]) == "new"


def test_no_column_without_a_base() -> None:
    assert "since base" not in render(two_targets(base=None))


def test_the_base_branch_is_told_with_what_is_gone_and_what_was_loosened() -> None:
    shown = render(two_targets())
    assert "> ⚠️ this change loosens a limit: accuracy was 0.97, is 0.95" in shown
    assert "> compared with the base branch at `0123456789ab` (✅ pass, the same model file)" in shown
    assert "> gone since base: `pi/openvino/int4`" in shown
    assert "> new since base: `cpu/openvino/int8`" in shown
    quiet = render(two_targets(base=Base(verdict=FAIL, changed=False)))
    assert "another model file); nothing changed by more than noise" in quiet


def test_limits_of_a_policy_are_named_and_what_the_file_loosened_is_not_applied() -> None:
    policy = PipelineInfo(path="p.yaml", sha256="c" * 64, policy="main@0123456", loosened=["speedup: 1x, the policy says 2x"])
    shown = render(two_targets(pipeline=policy))
    assert "loosens a limit, not applied: speedup: 1x, the policy says 2x" in shown
    assert "limits of `main@0123456`" in shown.splitlines()[-1]


def test_many_loosened_limits_are_counted() -> None:
    shown = render(
        two_targets(base=Base(verdict=PASS, loosened=[f"limit {i}" for i in range(50)], gone=[f"v{i}" for i in range(50)]))
    )
    assert "40 more limits are looser" in shown
    assert "`v9` and 40 more" in shown


def test_a_failure_that_blocks_comes_before_one_that_does_not() -> None:
    lines = [line for line in render(two_targets()).splitlines() if line.startswith("- ")]
    assert "`pi/" in lines[0]
    assert ["⏳" in line for line in lines] == [False] * (len(lines) - 1) + [True]
