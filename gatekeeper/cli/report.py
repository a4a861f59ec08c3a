"""`gatekeeper report`."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.registry import Registry

FORMATS = Registry("reports")


@click.command(short_help="Render saved reports again, or merge several.")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--plan", type=click.Path(path_type=Path), help="A plan (`plan --format json`): every leg of it must be there.")
@click.option("--format", "form", metavar="|".join(FORMATS.builtin), default="terminal", show_default=True)
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Write every format into this folder too.")
def command(results: tuple[Path, ...], plan: Path | None, form: str, output: Path | None) -> int:
    """Merge RESULTS (report.json files, or folders that hold one) and print the verdict.

    Nothing is measured. The results must come from one model and one pipeline file; a leg that is missing is an error,
    a leg that comes twice is refused. The exit code is the merged verdict's.
    """
    import gc

    from gatekeeper.answers import FILE_NAME as ANSWERS
    from gatekeeper.answers import read_answers
    from gatekeeper.cli._terminal import show
    from gatekeeper.judge import exit_code
    from gatekeeper.merge import merge
    from gatekeeper.plan import read_plan
    from gatekeeper.reports._base import read_report, reporter
    from gatekeeper.reports._write import write_reports

    gc.disable()  # a thousand reports are a million objects, none of them garbage until the process ends
    files = [file for path in results for file in _files(path)]
    reports, planned = [read_report(file) for file in files], read_plan(plan) if plan else None
    report = merge(reports, planned, lambda index: read_answers(files[index].with_name(ANSWERS)))
    if output is not None:
        write_reports(report, output)
    if form == "terminal":
        show(report)
    else:
        module = reporter(form)
        written = output / module.FILE_NAME if output is not None and module.FILE_NAME else None
        click.echo(written.read_text(encoding="utf-8") if written else module.render(report), nl=False)
    return int(exit_code(report))


def _files(path: Path) -> list[Path]:
    """The reports a path stands for."""
    from gatekeeper.errors import UsageError

    if not path.is_dir():
        return [path]
    found = sorted(path.rglob("report.json"))
    if not found:
        raise UsageError(f"{path}: no report.json in it. Name a folder that `gatekeeper run --output` wrote.")
    return found
