"""Workflow commands that put what did not pass on the lines of the pipeline file. Pure."""

import re

from gatekeeper.records.report import Report
from gatekeeper.reports._findings import findings
from gatekeeper.reports._place import place
from gatekeeper.reports._plain import plain
from gatekeeper.reports._sentences import loosened

MOST_PER_KIND = 10
"""GitHub shows so many errors, warnings and notices of a step, and drops the others without a word."""

KINDS = ("error", "warning", "notice")

_CONTROL = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


def annotations(report: Report) -> list[str]:
    """One line each, to be printed by a step: `::error file=..,line=..,title=..::message`.

    An error blocks; a warning does not: a gate that only warns or is waived, one that is undecided where the policy is to
    warn, a limit that was loosened. A notice is what a reader should know of the machines and the answers.
    """
    by_kind: dict[str, list[tuple[str, str, str]]] = {kind: [] for kind in KINDS}  # title, message, where
    by_kind["warning"] += [("a limit is looser", plain(said), "") for said in loosened(report)]
    for finding in findings(report):
        by_kind[finding.level].append((finding.title, finding.message, finding.where))
    for target in report.targets:
        by_kind["notice"] += [(plain(leg.id, 120), plain(note), "") for leg in target.legs for note in leg.notes]
        noted = target.agreement.findings if target.agreement else []
        by_kind["notice"] += [(plain(target.name, 120), plain(note), "") for note in noted]
    by_kind["notice"] += [("gatekeeper", plain(note), "") for note in report.notes]
    lines = []
    for kind in KINDS:
        said = list(dict.fromkeys(by_kind[kind]))
        kept = said if len(said) <= MOST_PER_KIND else said[: MOST_PER_KIND - 1]
        if len(kept) < len(said):
            kept.append(("gatekeeper", f"{len(said) - len(kept)} more of this kind are in the report", ""))
        lines += [_on_its_line(report, kind, *one) for one in kept]
    return lines


def command(name: str, message: str, **properties: str) -> str:
    """A workflow command. Its reader takes the line apart at `::`, `,` and `=`, so a property must hold none of them raw.

    The rules are those of `escapeData` and `escapeProperty` in actions/toolkit, packages/core/src/command.ts; undone by
    `ActionCommand.TryParseV2` in actions/runner, src/Runner.Common/ActionCommand.cs.
    """
    said = ",".join(f"{key}={_property(text)}" for key, text in properties.items() if text)
    return f"::{name}{' ' if said else ''}{said}::{_data(message)}"


def _on_its_line(report: Report, kind: str, title: str, message: str, where: str) -> str:
    file, line = place(where, report.pipeline.path, report.pipeline.under)
    return command(kind, message, file=file, line=str(line or ""), title=title)


def _data(text: str) -> str:
    """`%` first, so that what follows is not escaped twice. The older `##[command]` is one anywhere in a line: it is parted."""
    shown = _CONTROL.sub("", text).replace("##[", "#\u2060#[")
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
