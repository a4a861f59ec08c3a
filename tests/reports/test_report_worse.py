"""report.md names prompts that got worse, and nothing of a name is live."""

from __future__ import annotations

from kit.sample_reports import gate, report, target, variant

from gatekeeper.evaluate.compared import quality
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Comparison
from gatekeeper.records.flips import Flip, Flips
from gatekeeper.records.measured import Quality
from gatekeeper.records.scores import PairedScores
from gatekeeper.reports._markdown_worse import worse
from gatekeeper.reports.markdown import render
from gatekeeper.reports.terminal import render as terminal

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


def test_a_comparison_names_them_of_the_variant_alone() -> None:
    scores = PairedScores("binary", p=[0.0], q=[1.0], examples=1)
    found = Comparison(metric="acc", baseline=1.0, variant=0.0, scores=scores, details={"answers_worse": 1.0}, worse=("q1",))
    ours, theirs = quality(found, variant=True), quality(found, variant=False)
    assert ours is not None and theirs is not None
    assert (ours.worse, theirs.worse) == (["q1"], [])


FLIPS = Flips(
    lost=22, gained=3, shown=[Flip(example=str(i), label="cat", baseline="cat", variant="<b>@dog</b>`|") for i in range(20)]
)


def test_answers_that_flipped_are_listed_with_both_answers_and_nothing_of_them_is_live() -> None:
    quality = Quality(metric="accuracy", value=0.9, examples=500, flips=FLIPS)
    found = target("t", [variant("t/a/b", [gate("accuracy")], quality=quality)])
    said = worse(found)
    assert "- `a/b`: 22 answers that were right are wrong now, 3 the other way round" in said
    assert "| `a/b` | `19` | `cat` | `cat` | `<b>@dog</b>'\\|` |" in said and said.count("| `a/b` |") == 20
    assert said in render(report([found]))
    shown = terminal(report([found])).replace("\n", " ")
    assert "t/a/b: 22 answers that were right are wrong now, 3 the other way round (example 0: cat -> <b>@dog</b>`|," in shown
    assert "and 19 more)" in shown
