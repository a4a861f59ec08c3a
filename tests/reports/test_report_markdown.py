"""report.md: its shape, and that nothing in it is live."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from lxml import html
from markdown_it import MarkdownIt
from test_reports import HOSTILE, TEXTS, agreement, failing_headline_report, headline_report, hostile, quick, report_of

from gatekeeper.records.base import Verdict
from gatekeeper.records.measured import Conditions, Energy
from gatekeeper.records.report import Report
from gatekeeper.reports._verdict import MARKS, WORDS
from gatekeeper.reports.markdown import render

GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
ALLOWED = {
    "div", "h1", "h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "pre", "ul", "li", "strong", "sub",
    "details", "summary", "hr", "ol", "blockquote",
}  # fmt: skip
AUTOLINK = re.compile(r"(?i)(?:^|[\s*_~(])(?:https?://|ftp://|www\.|mailto:\w)")
MAKERS = (report_of, headline_report, failing_headline_report)


def tree(report: Report) -> html.HtmlElement:
    return html.fromstring("<div>" + GITHUB.render(render(report)) + "</div>")


def prose(root: html.HtmlElement) -> list[str]:
    """Every text outside code."""
    return [str(t) for t in root.xpath("//text()[not(ancestor::code) and not(ancestor::pre)]")]


def check(report: Report) -> None:
    rendered = render(report)
    root = tree(report)
    strange = {e.tag for e in root.iter() if isinstance(e.tag, str)} - ALLOWED
    assert not strange, strange
    assert not [e for e in root.iter() if not isinstance(e.tag, str)], "a comment or an instruction"
    assert not [e.attrib for e in root.iter() if {*e.attrib} - {"style"}]
    for text in prose(root):
        assert not re.search(r"@\w", text), text[:200]
        assert not re.search(r"(?<![&\w])#\d", text), text[:200]
        assert not AUTOLINK.search(text), text[:200]
    for rows in tables(rendered):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, rows[:3]
    for table in root.iter("table"):
        assert len({len(row) for row in table.iter("tr")}) == 1


def tables(rendered: str) -> list[list[str]]:
    """Runs of lines that begin with a pipe."""
    found: list[list[str]] = [[]]
    for line in rendered.splitlines():
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [rows for rows in found if rows]


@pytest.mark.parametrize("make", MAKERS)
@hostile
def test_nothing_is_live(text: str, make: object) -> None:
    check(make(text))  # type: ignore[operator]


@quick
@given(text=TEXTS)
def test_nothing_is_live_whatever_the_text(text: str) -> None:
    check(report_of(text))
    check(headline_report(text))


@pytest.mark.parametrize("verdict", list(Verdict))
def test_the_first_line_is_the_verdict(verdict: Verdict) -> None:
    first = render(msgspec.structs.replace(report_of("x"), verdict=verdict)).splitlines()[0]
    assert first.startswith("## ")
    assert MARKS[verdict] in first
    assert WORDS[verdict] in first


def test_a_row_for_every_variant_and_a_table_of_measurements() -> None:
    overview, measurements, *_ = tables(render(report_of("")))
    assert len(overview) == 2 + 5
    assert len(measurements) == 2 + 4  # the baseline and the three variants that were measured
    assert "pass" in next(row for row in overview if "←" in row)


def test_what_did_not_pass_is_named_with_its_place() -> None:
    rendered = render(report_of("word"))
    for variant in ("fail", "open", "error", "skip"):
        assert re.search(rf"^- .*`x86word/onnx/{variant}word`", rendered, re.MULTILINE), variant
    assert not re.search(r"^- .*`x86word/onnx/password`", rendered, re.MULTILINE)
    assert re.search(r"^- .*`x86word/broken`: no result word", rendered, re.MULTILINE)


def test_a_warning_is_told_from_a_failure() -> None:
    lines = [line for line in render(report_of("")).splitlines() if line.startswith("- ") and "**memory**" in line]
    assert lines
    assert all("⚠️" in line for line in lines)


def test_emoji_are_kept() -> None:
    assert "🚀" in render(report_of(HOSTILE["emoji"]))


def test_a_long_text_is_shortened() -> None:
    assert len(render(report_of(HOSTILE["long"]))) < 60_000  # GitHub refuses a comment of more than 65,536


def test_what_measuring_took_and_met_is_told() -> None:
    rendered = render(report_of("x"))
    for line in (
        "8 of at most 24 rounds in 12 s, 2% of the budget of 10m; no rounds were left; seed 7",
        "while measuring: other processes took 40% of the CPU, the hypervisor 1.0%, clock 1200 to 2400 MHz, throttled 3 times",
        "energy per inference: an estimate by x; x",
        "timing itself adds 0 µs to each latency",
    ):
        assert f"- {line}" in rendered


def changed(**changes: object) -> str:
    """The report with fields of its measured leg and of every performance changed."""
    found = report_of("x")
    leg, *legs = found.targets[0].legs
    known = {name: value for name, value in changes.items() if name in leg.__struct_fields__}
    more = {name: value for name, value in changes.items() if name not in known}
    assert leg.baseline
    leg = msgspec.structs.replace(leg, **known, baseline=msgspec.structs.replace(leg.baseline, **more))
    return render(msgspec.structs.replace(found, targets=[msgspec.structs.replace(found.targets[0], legs=[leg, *legs])]))


@pytest.mark.parametrize(
    ("field", "value", "head", "cell"),
    [
        ("joules", 0.0125, "energy (estimate)", "12.5 mJ"),
        ("saturated_per_s", 2345.6, "saturated", "2,346"),
        ("first_token_ns", 31.4e6, "first token", "31.4 ms"),
    ],
)
def test_a_column_is_there_where_something_was_measured(field: str, value: float, head: str, cell: str) -> None:
    assert f"| {head} |" not in render(report_of("x"))
    rendered = changed(**{field: value})
    assert f"| {head} |" in rendered
    assert f"| {cell} |" in rendered


def test_what_cannot_be_measured_is_said() -> None:
    rendered = changed(energy=Energy(note="not measurable here: rapl: no such folder"), conditions=None)
    assert "- energy: not measurable here: rapl: no such folder" in rendered
    assert "while measuring" not in rendered
    quiet = Conditions(other_cpu=None, steal=None, throttle_events=None, frequency_mhz=None)
    assert "- while measuring: throttling: this system does not tell" in changed(conditions=quiet)


def test_the_frontier_is_marked_in_the_measurements() -> None:
    rendered = render(report_of("x"))
    assert "| `x/passx` ◆ |" in rendered
    assert rendered.count("◆") == 2
    assert "◆ no other variant of its target beats it in speed, memory or quality" in rendered


def with_agreement(**changes: Any) -> str:
    found = report_of("x")
    target = msgspec.structs.replace(found.targets[0], agreement=agreement("x", **changes))
    return render(msgspec.structs.replace(found, targets=[target]))


def test_the_agreement_is_a_table_and_its_findings_stand_above() -> None:
    rendered = with_agreement()
    assert "Agreement on x86x: share of 500 examples with the same class" in rendered
    assert "|  | 1 | 2 | 3 | 4 | alone |" in rendered
    assert "| 2 `x86x/1/baseline` | 90.0% | 90.0% | 90.0% | 90.0% | 1.0% |" in rendered
    assert "> ⚠️ `x86x`: finding x" in rendered
    assert "same top token" in with_agreement(kind="same top token", models=3, alone=[])
    distances = with_agreement(kind="relative distance", matrix=[[0.0, 0.0123]] * 2, models=2, alone=[])
    assert "| 1 `x86x/0/baseline` | 0 | 0.012 |" in distances


def test_of_many_models_the_baselines_are_the_columns() -> None:
    names = ["x/a/baseline", *(f"x/a/{i}" for i in range(18)), "x/b/baseline"]
    rendered = with_agreement(models=20, names=names)
    assert "|  | 1 | 20 | alone |" in rendered
    assert "| 19 `x/a/17` | 90.0% | 90.0% | 1.0% |" in rendered


@pytest.mark.parametrize(
    "changes",
    [{"matrix": []}, {"matrix": [[1.0]] * 4}, {"alone": [0.1]}, {"names": ["x"]}, {"names": [], "matrix": [], "alone": []}],
    ids=repr,
)
def test_a_strangers_agreement_that_does_not_fit_is_not_shown(changes: dict[str, Any]) -> None:
    assert "Agreement on" not in with_agreement(**changes)
