"""`gatekeeper run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli import _options

if TYPE_CHECKING:
    from gatekeeper.errors import ExitCode
    from gatekeeper.pipeline import Options


@click.command(short_help="Optimize, measure and judge; write the reports.")
@_options.pipeline_file
@_options.model
@_options.target
@_options.framework
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("gatekeeper-report"), show_default=True,
    help="Folder for report.json, junit.xml, report.md and the artifacts.",
)  # fmt: skip
@_options.cache_dir
@click.option(
    "--attempt", type=click.IntRange(1, 10**9),
    help="Which attempt at this commit this is; all together share one error budget [default: GITHUB_RUN_ATTEMPT, else 1].",
)  # fmt: skip
@click.option("--defer-verdict", is_flag=True, help="Exit 0 when a gate fails or is undecided: a merged report decides.")
@_options.quiet
def command(
    file: Path,
    model: Path | None,
    target: str | None,
    framework: str | None,
    output: Path,
    cache_dir: Path | None,
    attempt: int | None,
    defer_verdict: bool,
    quiet: bool,
) -> int:
    """Run FILE's pipeline on this machine.

    Optimizes the model, measures every variant against the original in fresh processes, judges each gate and writes the
    reports. Progress goes to standard error, the result to standard output. A target this machine is not is reported as
    not measured: name the ones it is with --target.
    """
    import os

    from gatekeeper.cache import default_folder
    from gatekeeper.errors import ExitCode
    from gatekeeper.pipeline import Options, attempt_from

    options = Options(
        output=output,
        cache=cache_dir or default_folder(),
        target=target,
        framework=framework,
        attempt=attempt_from(os.environ, attempt),
        reproduce=_reproduce(file, model, target, framework),
    )
    code = execute(file, model, options, quiet)
    return 0 if defer_verdict and code in (ExitCode.FAILED, ExitCode.INCONCLUSIVE) else int(code)


def execute(file: Path, model: Path | None, options: Options, quiet: bool) -> ExitCode:
    """Run a pipeline file, write its reports and show the result."""
    from gatekeeper.cli._terminal import show, watching
    from gatekeeper.config.load import load
    from gatekeeper.judge import exit_code
    from gatekeeper.pipeline import run
    from gatekeeper.reports._write import write_reports

    loaded = load(file, model)
    with watching(quiet) as progress:
        report = run(loaded, options, progress)
    written = write_reports(report, options.output)
    show(report)
    click.echo(f"\nreports: {', '.join(str(path) for path in written)}")
    return exit_code(report)


def _reproduce(file: Path, model: Path | None, target: str | None, framework: str | None) -> str:
    import shlex

    words = ["gatekeeper", "run", str(file)]
    for flag, value in (("--model", model), ("--target", target), ("--framework", framework)):
        words += [flag, str(value)] if value is not None else []
    return shlex.join(words)
