"""A report where GitHub shows it: step summary, annotations, the comment on the pull request.

What cannot be shown becomes a warning; it never changes a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from gatekeeper.errors import ExitCode
from gatekeeper.files import open_itself
from gatekeeper.github.annotations import annotations as annotated
from gatekeeper.github.annotations import command
from gatekeeper.github.comment import Mode, Published, publish
from gatekeeper.github.context import read_event
from gatekeeper.github.outputs import append_summary, write_outputs
from gatekeeper.github.suggestion import suggest
from gatekeeper.records.base import Verdict
from gatekeeper.records.repaired import Repair
from gatekeeper.repair.shown import untrue
from gatekeeper.reports._folder import REPAIR
from gatekeeper.reports._markdown_text import size
from gatekeeper.reports._repair import markdown
from gatekeeper.reports.markdown import COMMENT_BYTES, fit, without_report

if TYPE_CHECKING:
    from gatekeeper.github.context import Event
    from gatekeeper.records.report import Report


"""Where a run leaves its repair, beside the report."""
MAX_REPAIR_BYTES = 1 << 20
MOST_REPAIR = 20_000
"""Bytes of a comment that are the repair's: the report comes first."""

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
    found = repair_of(environ, report) if report and not foreign else None
    append_summary(report if report else without_report(message), link, environ, markdown(found) if found else "")
    token, name = environ.get("TOKEN", ""), environ.get("COMMENT_ID", "")
    suggested = suggest(event, token, found, name) if found and mode != "off" else None
    if suggested and suggested.warning:
        print(command("warning", suggested.warning, title="gatekeeper: suggestion"), flush=True)
    below = markdown(found, bool(suggested and suggested.url)) if found else ""
    if size(below) > MOST_REPAIR:
        below = f"A change that passes is in the run's artifacts ({REPAIR}).\n"
    body = without_report(message, link)
    if report:
        body = fit(report, COMMENT_BYTES - size(below), link) + (f"\n{below}" if below else "")
    verdict = report.verdict if report else Verdict.ERROR
    changed = report.base.changed if report and report.base else True
    done = publish(event, token, body, name, cast(Mode, mode), verdict=verdict, changed=changed)
    _told(environ, done)
    return ExitCode.NOT_MEASURED if forged else 0


def repair_of(environ: Mapping[str, str], report: Report) -> Repair | None:
    """What a run left of a repair beside its report; None where there is none of this report's very pipeline file and model, or
    where it is not what that file, at hand here, becomes by what a remedy may change.
    """
    try:
        with open_itself(Path(environ.get("OUTPUT", "") or "gatekeeper-report") / REPAIR) as file:
            data = file.read(MAX_REPAIR_BYTES + 1)
        found = msgspec.json.decode(data, type=Repair)
    except (OSError, ValueError, RecursionError, msgspec.DecodeError):
        return None
    same = (found.file_sha256, found.model_sha256) == (report.pipeline.sha256, report.model.sha256)
    return found if same and len(data) <= MAX_REPAIR_BYTES and _at_hand(environ, found) else None


def _at_hand(environ: Mapping[str, str], found: Repair) -> bool:
    """Whether it holds for the file in the checkout."""
    if found.outcome != "repaired":
        return True
    root = Path(environ.get("GITHUB_WORKSPACE", "") or ".").resolve()
    place = root / found.file
    try:
        if not place.resolve().is_relative_to(root):
            return False
        with open_itself(place) as file:
            return not untrue(found, file.read(MAX_REPAIR_BYTES))
    except (OSError, ValueError):
        return False


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
