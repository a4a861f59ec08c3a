"""A report where GitHub shows it: step summary, annotations, the comment on the pull request.

What cannot be shown becomes a warning; it never changes a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import msgspec

from gatekeeper.errors import ExitCode
from gatekeeper.github.annotations import annotations as annotated
from gatekeeper.github.annotations import command
from gatekeeper.github.comment import Mode, Published, publish
from gatekeeper.github.context import read_event
from gatekeeper.github.outputs import append_summary, write_outputs
from gatekeeper.records.base import Verdict
from gatekeeper.reports.markdown import COMMENT_BYTES, fit, without_report

if TYPE_CHECKING:
    from gatekeeper.github.context import Event
    from gatekeeper.records.report import Report


STRANGERS = "this report was made by the run of a pull request from another repository: its check decides, not this comment"


def show(environ: Mapping[str, str], report: Report | None, message: str, mode: str, quiet: bool) -> int:
    """Show a report, or why there is none. An exit code where showing found a reason to fail, else 0.

    `quiet` is for a leg of a matrix, of which a later report speaks: only what keeps it from being measured is said.
    """
    event = read_event(environ)
    if report is None:
        print(command("error", message, title="gatekeeper: no verdict"), flush=True)
    if quiet:
        return 0
    forged = _contradicts(event, report)
    if forged:
        report, message = None, forged
        print(command("error", forged, title="gatekeeper"), flush=True)
    foreign = event.measured is not None  # its lines are of another commit than this run's
    if report and foreign:
        report = msgspec.structs.replace(report, notes=[STRANGERS, *report.notes])
    for line in annotated(report) if report and not foreign else []:
        print(line, flush=True)
    link = event.measured_url or event.run_url
    append_summary(report if report else without_report(message), link, environ)
    body = fit(report, COMMENT_BYTES, link) if report else without_report(message, link)
    verdict = report.verdict if report else Verdict.ERROR
    changed = report.base.changed if report and report.base else True
    done = publish(
        event, environ.get("TOKEN", ""), body, environ.get("COMMENT_ID", ""), cast(Mode, mode), verdict=verdict, changed=changed
    )
    _told(environ, done)
    return ExitCode.NOT_MEASURED if forged else 0


def _contradicts(event: Event, report: Report | None) -> str:
    """A stranger's report may claim anything; GitHub knows how its run ended."""
    if report is None or event.measured is None or event.measured.conclusion == "success":
        return ""
    warns = report.verdict is Verdict.INCONCLUSIVE and report.pipeline.on_inconclusive == "warn"
    if report.verdict is Verdict.PASS or warns:
        return f"the report says that it passed, and the run that made it ended in '{event.measured.conclusion}'"
    return ""


def _told(environ: Mapping[str, str], done: Published) -> None:
    if done.warning:
        print(command("warning", done.warning, title="gatekeeper: comment"), flush=True)
    if done.url:
        print(f"comment {done.action}: {done.url}", flush=True)
    write_outputs({"comment-url": done.url}, environ)
