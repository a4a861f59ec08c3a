"""report.md: what a reviewer reads on the pull request. The verdict first, a row per variant, details folded.

`fit` makes it as long as a place allows, from everything down to the verdict and a link. A part is there whole or not
at all: no table, block of code or folded part is ever cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Report, TargetReport, VariantReport
from gatekeeper.reports._basis import lines as basis_lines
from gatekeeper.reports._choice import lines as choice_lines
from gatekeeper.reports._data import lines as data_lines
from gatekeeper.reports._markdown_chart import Point, chart, letters, points
from gatekeeper.reports._markdown_checklist import checklist
from gatekeeper.reports._markdown_classes import classes
from gatekeeper.reports._markdown_compliance import compliance
from gatekeeper.reports._markdown_details import agreement, measurements, stages
from gatekeeper.reports._markdown_failures import against_base, failures, warnings
from gatekeeper.reports._markdown_table import WARNING, legend, overview
from gatekeeper.reports._markdown_testing import testing
from gatekeeper.reports._markdown_text import code, fence, size, some, text
from gatekeeper.reports._markdown_worse import worse
from gatekeeper.reports._plain import plain
from gatekeeper.reports._verdict import MARKS, WORDS, counts, headline, waived

FILE_NAME = "report.md"

COMMENT_BYTES = 60_000
"""GitHub refuses a comment of more than 65,536 characters; mail and the API's own wrapping want some of them."""

SUMMARY_BYTES = 1 << 20
"""GitHub drops a step's summary that is larger, with what earlier commands of the step wrote."""

SMALLEST_BYTES = 1_000
"""No place is smaller: the verdict, the counts and a link want this much."""

FOLDED = "the chart, the measurements, the classes, the answers that got worse, stages, checklist and the evidence on compliance"

_LINK = re.compile(r"https?://[\w.:-]+(/[\w./%?=&#+~:-]*)?", re.ASCII)


def render(report: Report) -> str:
    """GitHub-flavoured Markdown."""
    return _whole(report)


def fit(report: Report, limit_bytes: int, link: str = "", marker: str = "") -> str:
    """The report in at most so many bytes of UTF-8; `link` is where the whole is, `marker` a hidden line at its end."""
    end = f"{marker}\n" if marker else ""
    room = limit_bytes - size(end)
    if room < SMALLEST_BYTES:
        raise ValueError(f"{limit_bytes} bytes are too few for a report: give at least {SMALLEST_BYTES + size(end)}")
    linked = len(link) <= 300 and _LINK.fullmatch(link)
    whole = f"See [the whole report]({link})." if linked else "The whole report is in the run's artifacts."
    see = f"[This run]({link})" if linked else ""
    brief = limit_bytes <= COMMENT_BYTES and any(v.tested and v.tested.checks for t in report.targets for v in t.variants)
    ladder: list[Callable[[], str]] = [
        lambda: _whole(report, f"Of the checks, only those that did not pass are listed. {whole}" if brief else see, brief),
        lambda: _join([*_upper(report, []), _left_out([FOLDED], whole), _footer(report)]),
        lambda: _failures_only(report, room, whole),
    ]
    for rung in ladder:
        if size(shown := rung()) <= room:
            return shown + end
    return _join([_title(report), text(counts(report)), _left_out(["all but the verdict"], whole)]) + end


def without_report(message: str, link: str = "") -> str:
    """What is shown where there is no report: the verdict of one stands until something takes its place."""
    see = f"See [the run]({link})." if _LINK.fullmatch(link) else "See the log of the run."
    return _join([f"## {MARKS[Verdict.ERROR]} gatekeeper: {WORDS[Verdict.ERROR]}", text(plain(message, 2000)), see])


def _whole(report: Report, see: str = "", brief: bool = False) -> str:
    drawn = points(report)
    return _join([*_upper(report, drawn), chart(report, drawn), *_folded(report, brief), see, _footer(report)])


def _upper(report: Report, drawn: Sequence[Point]) -> list[str]:
    """What everyone reads."""
    rows = [(t, v) for t in report.targets for v in t.variants]
    return [
        _title(report),
        text(headline(report)),
        "\n>\n".join(f"> {WARNING} **{text(line, 2000)}**" for line in data_lines(report)),
        "\n".join(overview(report, rows, letters(drawn))),
        legend(report, rows),
        *(text(line, 2000) for line in choice_lines(report)),
        *(text(line, 2000) for line in basis_lines(report)),
        _listed(_heading(report), failures(report)),
        "\n>\n".join([*against_base(report), *warnings(report)]),
        _reproduce(report),
    ]


def _folded(report: Report, brief: bool) -> list[str]:
    parts = [(measurements(report, t), classes(t), worse(t), testing(t, brief), agreement(t)) for t in report.targets]
    return [*(part for of_target in parts for part in of_target), stages(report), checklist(report), compliance(report)]


def _failures_only(report: Report, room: int, whole: str) -> str:
    """The verdict, and as much of what did not pass as there is room for, the most important first."""
    data = "\n>\n".join(f"> {WARNING} **{text(line, 500)}**" for line in data_lines(report)[:3])
    head = [_title(report), text(headline(report)), *filter(None, [data]), f"**{text(counts(report))}**"]
    foot, said = [_reproduce(report), _footer(report)], []
    room -= sum(size(part) + 2 for part in [*head, *foot, whole]) + 500  # what is left out, and the headings
    rests, _ = some([text(line, 2000) for line in basis_lines(report)], room // 10)
    room -= sum(size(line) + 2 for line in rests)
    lines, without = some(failures(report), room * 6 // 10)
    if without:
        said.append(f"{without} of {without + len(lines)} lines of what did not pass")
    room -= sum(size(line) + 1 for line in lines)
    base, without_base = some([f"{line}\n>" for line in against_base(report)], room // 2)
    if without_base:
        said.append("what else changed since base")
    room -= sum(size(line) + 1 for line in base)
    rows = _worst_first(report)
    if warnings(report):
        said.append("notes on the machines")
    table = overview(report, rows, {})
    shown, without_rows = some(table, room)
    if len(shown) < 3:
        shown, without_rows = [], len(rows)
    passed = sum(len(t.variants) for t in report.targets) - len(rows)
    said += [f"{n} {what}" for n, what in ((without_rows, "more rows of the table"), (passed, "variants that pass")) if n]
    return _join(
        [
            *head,
            _listed(_heading(report), lines),
            "\n".join(base).removesuffix("\n>"),
            "\n".join(shown),
            *rests,
            foot[0],
            _left_out([*said, FOLDED], whole),
            foot[1],
        ]
    )


def _worst_first(report: Report) -> list[tuple[TargetReport, VariantReport]]:
    """The variants that did not pass; those first whose target did not either."""
    rows = [(t, v) for t in report.targets for v in t.variants if v.verdict is not Verdict.PASS]
    order = list(Verdict)
    return sorted(rows, key=lambda row: (row[0].verdict is Verdict.PASS, order.index(row[1].verdict)))


def _title(report: Report) -> str:
    return f"## {MARKS[report.verdict]} gatekeeper: {WORDS[report.verdict]}{_but(report)}"


def _but(report: Report) -> str:
    """What the verdict alone would hide."""
    if report.verdict is Verdict.INCONCLUSIVE and report.pipeline.on_inconclusive == "warn":
        return ", which only warns"
    chosen = [v for t in report.targets for v in t.variants if v.id == t.selected]
    count = sum(waived(g) for v in chosen for g in v.gates)
    if report.verdict is not Verdict.PASS or not count:
        return ""
    return f", {count} failure{'s' if count > 1 else ''} waived"


def _heading(report: Report) -> str:
    return "### What did not pass, and does not block" if report.verdict is Verdict.PASS else "### What did not pass"


def _listed(title: str, lines: list[str]) -> str:
    return "\n".join([title, *lines]) if lines else ""


def _left_out(what: list[str], whole: str) -> str:
    return f"Left out here: {'; '.join(what)}. {whole}"


def _reproduce(report: Report) -> str:
    command = plain(report.reproduce)
    return f"Measure it again:\n{fence(command)}" if command else ""


def _footer(report: Report) -> str:
    policy = f"· limits of {code(report.pipeline.policy)} " if report.pipeline.policy else ""
    return (
        f"<sub>model {code(report.model.sha256[:12])} · pipeline {code(report.pipeline.sha256[:12])} {policy}"
        f"· gatekeeper {text(report.version)} · a gate passes a variant exactly at its limit at most 5 % of the time</sub>"
    )


def _join(parts: list[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"
