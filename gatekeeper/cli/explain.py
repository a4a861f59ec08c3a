"""`gatekeeper explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli import _options
from gatekeeper.units import format_duration, parse_duration

if TYPE_CHECKING:
    from gatekeeper.explain.explain import Options
    from gatekeeper.progress import Progress
    from gatekeeper.records.explained import Explanation

BUDGET = 120.0


def _seconds(context: click.Context, parameter: click.Parameter, value: str) -> float:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


@click.command(short_help="Say why gates failed: operators, layers, bottlenecks, remedies.")
@click.argument("path", metavar="RESULT_OR_FILE", type=click.Path(path_type=Path))
@_options.model
@_options.target
@_options.framework
@click.option("--variant", "variants", multiple=True, metavar="ID", help="Only this variant [default: those that failed].")
@click.option("--json", "as_json", is_flag=True, help="The explanation as JSON.")
@click.option("--no-measure", is_flag=True, help="Only what the report knows: nothing is profiled, no layer is ranked.")
@click.option(
    "--budget", default=format_duration(BUDGET), show_default=True, callback=_seconds, metavar="TIME",
    help="Time to rank the layers of a variant in.",
)  # fmt: skip
@_options.cache_dir
@_options.quiet
def command(
    path: Path,
    model: Path | None,
    target: str | None,
    framework: str | None,
    variants: tuple[str, ...],
    as_json: bool,
    no_measure: bool,
    budget: float,
    cache_dir: Path | None,
    quiet: bool,
) -> int:
    """Say why gates of a run failed, and what may be done.

    RESULT_OR_FILE is a report.json, the folder it is in, or a pipeline file, whose variants are then made and timed. Of each
    variant: where its time goes, by the framework's own profiler; what limits it; which of its layers lose the answers, by
    quantizing one alone, on calibration data; and causes with their evidence and remedies. What cannot be said is said to be so.
    No verdict changes: the exit code is 0.

    \b
      gatekeeper explain gatekeeper-report
      gatekeeper explain gatekeeper-report --variant edge-cpu/onnx_runtime/int8_dynamic --json
      gatekeeper explain edge_ai_pipeline.yaml
    """
    from gatekeeper.cli._terminal import printing, watching
    from gatekeeper.errors import ExitCode
    from gatekeeper.explain.explain import Options
    from gatekeeper.making.cache import default_folder

    options = Options(
        cache=cache_dir or default_folder(),
        target=target,
        framework=framework,
        variants=variants,
        measure=not no_measure,
        budget_s=budget,
    )
    with watching(quiet) as progress:
        explanation = _explained(path, model, options, progress)
    with printing(kept=False):
        if as_json:
            import msgspec

            click.echo(msgspec.json.format(msgspec.json.encode(explanation), indent=2).decode())
        else:
            from gatekeeper.explain.shown import shown

            click.echo(shown(explanation))
    return ExitCode.PASS


def _explained(path: Path, model: Path | None, options: Options, progress: Progress) -> Explanation:
    """Of a report, or of a pipeline file: what ends in .json is a report."""
    from gatekeeper.errors import UsageError
    from gatekeeper.explain.explain import explain_file, explain_report

    report = path / "report.json" if path.is_dir() else path
    if path.is_dir() and not report.is_file():
        raise UsageError(f"{path}: no report.json in it. Name a folder that `gatekeeper run --output` wrote, or a pipeline file.")
    if report.suffix == ".json":
        from gatekeeper.reports._read import read_report

        if model is not None:
            raise UsageError("--model: a report names its own model. Leave it out, or explain the pipeline file.")
        return explain_report(read_report(report), report, options, progress)
    from gatekeeper.config.load import load

    if not options.measure:
        raise UsageError("--no-measure: a pipeline file has no measurements of its own. Name a report, or leave it out.")
    return explain_file(load(path, model), options, progress)
