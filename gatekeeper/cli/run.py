"""`gatekeeper run`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli import _options
from gatekeeper.reports._folder import cleared

if TYPE_CHECKING:
    from gatekeeper.pipeline import Options


@click.command(cls=_options.Reporting, short_help="Optimize, measure and judge; write the reports.")
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
@_options.policy_ref
@_options.policy
@_options.baseline_report
@click.option(
    "--base", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR",
    help="A checkout of the branch the change is made against; its model is what `{git: base}` means [default: by git].",
)  # fmt: skip
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
    policy_ref: str | None,
    policy: Path | None,
    baseline_report: Path | None,
    base: Path | None,
    quiet: bool,
) -> int:
    """Run FILE's pipeline on this machine.

    Optimizes the model, measures every variant against the original in fresh processes, judges each gate and writes the
    reports. Progress goes to standard error, the result to standard output. A target this machine is not is reported as
    not measured: name the ones it is with --target.

    Waivers in gatekeeper-waivers.yml beside FILE are applied; with a policy, those beside the policy; with
    --defer-verdict none, as the merged report decides.
    """
    with cleared(output, [baseline_report] if baseline_report else []):  # before all that may fail or take time
        import os

        from gatekeeper.making.cache import default_folder
        from gatekeeper.pipeline import Options, attempt_from
        from gatekeeper.planning.plan import commit_from

        options = Options(
            output=output,
            cache=cache_dir or default_folder(),
            target=target,
            framework=framework,
            attempt=attempt_from(os.environ, attempt),
            commit=commit_from(os.environ),
            reproduce=_reproduce(file, model, target, framework),
            base=base,
        )
        return execute(file, model, options, quiet, HeldTo(policy_ref, policy, baseline_report, defer_verdict))


@dataclass(frozen=True)
class HeldTo:
    """What a run's report is held against, and whether its own verdict counts."""

    policy_ref: str | None = None
    policy: Path | None = None
    baseline_report: Path | None = None
    deferred: bool = False


def execute(file: Path, model: Path | None, options: Options, quiet: bool, held: HeldTo) -> int:
    """Run a pipeline file, write its reports and show the result."""
    from dataclasses import replace
    from datetime import UTC, datetime

    from gatekeeper.cli._terminal import printing, show, watching
    from gatekeeper.cli.repair import after_run, asks_for_repair
    from gatekeeper.config.load import load
    from gatekeeper.config.policy import chosen_policy
    from gatekeeper.config.waivers import waivers_for
    from gatekeeper.errors import ExitCode
    from gatekeeper.pipeline import deferred, run
    from gatekeeper.planning.plan import make_plan, model_of
    from gatekeeper.records.base import Verdict
    from gatekeeper.reports._read import read_report
    from gatekeeper.reports._write import write_reports
    from gatekeeper.verdicts.compare import compared
    from gatekeeper.verdicts.judge import exit_code
    from gatekeeper.verdicts.waivers import waive

    loaded = load(file, model)
    loaded = replace(loaded, policy=chosen_policy(file, held.policy_ref, held.policy, loaded.model_path()))
    base = read_report(held.baseline_report) if held.baseline_report else None
    waivers = waivers_for(loaded, lambda: make_plan(loaded, model_of(loaded)[1]).variant_ids())
    with watching(quiet) as progress:
        report = measured = run(loaded, options, progress)
    if waivers and not held.deferred:
        report = waive(report, waivers.entries, datetime.now(UTC).date())
    if base is not None:
        report = compared(report, base)
    written = write_reports(report, options.output)
    with printing(kept=True):
        show(report)
        click.echo(f"\nreports: {', '.join(str(path) for path in written)}")
    if measured.verdict is not Verdict.PASS and asks_for_repair(loaded, measured):
        after_run(loaded, options, measured, quiet)
    if held.deferred and exit_code(deferred(report)) in (ExitCode.PASS, ExitCode.FAILED, ExitCode.INCONCLUSIVE):
        return int(ExitCode.PASS)
    return int(exit_code(report))


def _reproduce(file: Path, model: Path | None, target: str | None, framework: str | None) -> str:
    import shlex

    words = ["gatekeeper", "run", str(file)]
    for flag, value in (("--model", model), ("--target", target), ("--framework", framework)):
        words += [flag, str(value)] if value is not None else []
    return shlex.join(words)
