"""report.md names prompts that got worse, and nothing of a name is live."""

from __future__ import annotations

from kit.sample_reports import gate, report, target, variant

from gatekeeper.records.base import Verdict
from gatekeeper.records.measured import Quality
from gatekeeper.reports._markdown_worse import worse
from gatekeeper.reports.markdown import render

NAMES = [f"q{i}" for i in range(19)] + ["<b>@everyone</b> `|"]


def of(names: list[str], count: float) -> Quality:
    return Quality(metric="exact_match", value=0.5, examples=100, details={"answers_worse": count}, worse=names)


def test_each_variants_are_listed_with_how_many_there_are_more() -> None:
    found = target(
        "t",
        [
            variant("t/llama_cpp/q4_0", [gate("accuracy", Verdict.FAIL, 0.8)], quality=of(NAMES, 33)),
            variant("t/llama_cpp/q8_0", [gate("accuracy")], quality=of([], 0)),
        ],
    )
    said = worse(found)
    assert "- `llama_cpp/q4_0`: `q0`, `q1`" in said and "and 13 more" in said and "q8_0" not in said
    assert said in render(report([found]))
    assert "`<b>@everyone</b> '\\|`" in said


def test_where_none_is_named_nothing_is_said() -> None:
    assert worse(target("t", [variant("t/a/b", [gate("accuracy")])])) == ""
    assert "got worse" not in render(report([target("t", [variant("t/a/b", [gate("accuracy")])])]))
