"""`gatekeeper report`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli import _options
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.records.report import Report

FORMATS = Registry("reports")


@click.command(cls=_options.Reporting, short_help="Render saved reports again, or merge several.")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--plan", type=click.Path(path_type=Path), help="A plan (`plan --format json`): every leg of it must be there.")
@click.option("--format", "form", metavar="|".join(FORMATS.builtin), default="terminal", show_default=True)
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Write every format into this folder too.")
@click.option("--waivers", type=click.Path(path_type=Path), help="gatekeeper-waivers.yml to apply; no other waiver counts.")
@click.option("--policy", type=click.Path(path_type=Path), help="Pipeline file to whose limits every result must have been held.")
@_options.baseline_report
def command(
    results: tuple[Path, ...],
    plan: Path | None,
    form: str,
    output: Path | None,
    waivers: Path | None,
    policy: Path | None,
    baseline_report: Path | None,
) -> int:
    """Merge RESULTS (report.json files, or folders that hold one) and print the verdict.

    Nothing is measured, and everything is judged again: by the limits of --policy, of the pipeline file where it is at
    hand, or else of the results, and on what they measured. The results must come from one model, pipeline file, policy,
    commit and data; a leg or variant that is missing is an error, one that comes twice is refused. The exit code is the
    merged verdict's.
    """
    from contextlib import nullcontext

    from gatekeeper.reports._folder import cleared

    read_now = [*results, *([baseline_report] if baseline_report else [])]
    with cleared(output, read_now) if output else nullcontext():
        return _report(results, _Against(plan, waivers, baseline_report), policy, form, output)


def _report(results: tuple[Path, ...], against: _Against, policy: Path | None, form: str, output: Path | None) -> int:
    """Read, merge, write and show; the exit code."""
    import gc

    from gatekeeper.cli._terminal import printing, show
    from gatekeeper.records.answers import FILE_NAME as ANSWERS
    from gatekeeper.records.answers import read_answers
    from gatekeeper.reports._base import reporter
    from gatekeeper.reports._read import read_report
    from gatekeeper.reports._write import write_reports
    from gatekeeper.verdicts.headers import check_headers
    from gatekeeper.verdicts.judge import exit_code
    from gatekeeper.verdicts.results import merged
    from gatekeeper.verdicts.written import rules_of

    gc.disable()  # a thousand reports are a million objects, none of them garbage until the process ends
    files = [file for path in results for file in _files(path)]
    reports = [read_report(file) for file in files]
    check_headers(reports, against.plan)
    rules = rules_of(reports, against.plan, policy)
    names = [file.as_posix() for file in files]
    report = merged(reports, names, rules, lambda index: read_answers(files[index].with_name(ANSWERS)))
    report = against.held(report)
    if output is not None:
        write_reports(report, output)
    with printing(kept=output is not None):
        if form == "terminal":
            show(report)
        else:
            module = reporter(form)
            written = output / module.FILE_NAME if output is not None and module.FILE_NAME else None
            click.echo(written.read_bytes() if written else module.render(report), nl=False)
    return int(exit_code(report))


class _Against:
    """What the results are held against: each read, before anything is merged, only where it is named."""

    def __init__(self, plan: Path | None, waivers: Path | None, baseline_report: Path | None):
        self.plan, self.waivers, self.base = None, None, None
        if plan:
            from gatekeeper.planning.plan import read_plan

            self.plan = read_plan(plan)
        if baseline_report:
            from gatekeeper.reports._read import read_report

            self.base = read_report(baseline_report)
        if waivers:
            from gatekeeper.config.waivers import read_waivers

            self.waivers = read_waivers(waivers).entries

    def held(self, report: Report) -> Report:
        """The report with waivers applied, beside that of the base branch."""
        if self.waivers is not None:
            from datetime import UTC, datetime

            from gatekeeper.verdicts.waivers import waive

            report = waive(report, self.waivers, datetime.now(UTC).date())
        if self.base is not None:
            from gatekeeper.verdicts.compare import compared

            report = compared(report, self.base)
        return report


def _files(path: Path) -> list[Path]:
    """The reports a path stands for."""
    from gatekeeper.errors import UsageError

    if not path.is_dir():
        return [path]
    reports = sorted(Path(folder, "report.json") for folder, _, names in os.walk(path) if "report.json" in names)
    if not reports:
        raise UsageError(f"{path}: no report.json in it. Name a folder that `gatekeeper run --output` wrote.")
    return reports
