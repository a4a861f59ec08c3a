"""`gatekeeper repair`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli import _options

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.pipeline import Options
    from gatekeeper.records.repaired import Repair
    from gatekeeper.records.report import Report


@click.command(short_help="Find the smallest change of a pipeline file that passes.")
@_options.pipeline_file
@_options.model
@_options.target
@_options.framework
@click.option(
    "--budget", default="10m", show_default=True, metavar="TIME",
    help="How long to look. A step begins where it is likely to end in time.",
)  # fmt: skip
@click.option("--apply", "write", is_flag=True, help="Write the change into FILE, where one was found.")
@click.option(
    "--report", "known", type=click.Path(path_type=Path), metavar="REPORT",
    help="report.json of FILE as it stands, or its folder [default: FILE is measured first].",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("gatekeeper-repair"), show_default=True,
    help="Folder for repair.json, the journal and the reports of what was measured.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["text", "diff", "json"]), default="text", show_default=True,
    help="`diff` prints the patch alone, for `git apply`.",
)  # fmt: skip
@click.option(
    "--attempt", type=click.IntRange(1, 10**9),
    help="Which attempt at this commit FILE as it stands is; others follow [default: GITHUB_RUN_ATTEMPT, else 1].",
)  # fmt: skip
@_options.policy_ref
@_options.policy
@_options.cache_dir
@_options.quiet
def command(
    file: Path,
    model: Path | None,
    target: str | None,
    framework: str | None,
    budget: str,
    write: bool,
    known: Path | None,
    output: Path,
    form: str,
    attempt: int | None,
    policy_ref: str | None,
    policy: Path | None,
    cache_dir: Path | None,
    quiet: bool,
) -> int:
    """Look for the smallest change of FILE that passes.

    Remedies are tried from the cheapest to the dearest: on calibration data and two rounds each, and the best of them measured
    and judged as `gatekeeper run` does. Limits and data are never touched. Interrupted and started again, it goes on where it
    was.

    Exit codes: 0 it passes, as it stands or with the patch; 1 nothing that was tried passes; 3 not everything was tried in time;
    4 FILE itself could not be measured.
    """
    import os
    from dataclasses import replace

    import msgspec

    from gatekeeper.cli._terminal import watching
    from gatekeeper.config.load import load
    from gatekeeper.config.policy import chosen_policy
    from gatekeeper.making.cache import default_folder
    from gatekeeper.pipeline import Options, attempt_from
    from gatekeeper.planning.plan import commit_from
    from gatekeeper.repair.repair import apply, repair

    seconds = _seconds(budget)
    loaded = load(file, model)
    loaded = replace(loaded, policy=chosen_policy(file, policy_ref, policy, loaded.model_path()))
    if write:
        _check_writable(file)
    report = _known(known, loaded, target, framework) if known else None
    options = Options(
        output=output,
        cache=cache_dir or default_folder(),
        target=target,
        framework=framework,
        attempt=max([attempt_from(os.environ, attempt), *_attempts(report)]),
        commit=commit_from(os.environ),
    )
    with watching(quiet) as progress:
        found = repair(loaded, options, seconds, progress, report)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    elif form == "diff":
        click.echo(found.patch, nl=False)
    else:
        from gatekeeper.reports._repair import lines

        click.echo("\n".join(lines(found)))
    if write and found.outcome == "repaired":
        apply(found, loaded)
        click.echo(f"\n{file} was changed.", err=True)
    return _code(found)


REPAIR = "repair"
"""Where a run leaves its repair, beside its reports."""


def asks_for_repair(loaded: Loaded, report: Report) -> bool:
    """Whether a gate that says `on_fail: repair` does not pass."""
    from gatekeeper.config.limits import limits
    from gatekeeper.records.base import Verdict
    from gatekeeper.verdicts.sound import owner_of

    for target in report.targets:
        asked = {
            limit.name for limit in limits(loaded, loaded.target(target.name)) if limit.config and limit.config.on_fail == REPAIR
        }
        for gate in (gate for variant in target.variants for gate in variant.gates if target.verdict is not Verdict.PASS):
            if gate.verdict not in (Verdict.PASS, Verdict.SKIP) and {gate.gate, owner_of(gate.gate)} & asked:
                return True
    return False


def after_run(loaded: Loaded, options: Options, report: Report, quiet: bool) -> None:
    """Repair what a run found wanting; whatever comes of it, the run's verdict stands."""
    from dataclasses import replace

    from gatekeeper.cli._terminal import printing, watching
    from gatekeeper.errors import GatekeeperError
    from gatekeeper.repair.repair import repair
    from gatekeeper.reports._repair import lines
    from gatekeeper.units import parse_duration

    budget = parse_duration(loaded.section("optimization").repair.budget)
    try:
        with watching(quiet) as progress:
            found = repair(loaded, replace(options, output=options.output / REPAIR), budget, progress, report, reports=False)
    except GatekeeperError as error:
        click.echo(f"\nno repair was looked for: {error}", err=True)
        return
    with printing(kept=True):
        click.echo("\n" + "\n".join(lines(found)))


def _code(found: Repair) -> int:
    from gatekeeper.errors import ExitCode
    from gatekeeper.repair.climb import OUT_OF_TIME, TOO_LONG

    if found.outcome != "no":
        return ExitCode.PASS
    if not (found.failed or found.tried):
        return ExitCode.NOT_MEASURED
    late = any(each.word == "not_tried" and each.reason.startswith((OUT_OF_TIME, TOO_LONG)) for each in found.no)
    return ExitCode.INCONCLUSIVE if late else ExitCode.FAILED


def _seconds(budget: str) -> float:
    from gatekeeper.errors import UsageError
    from gatekeeper.units import parse_duration

    try:
        return parse_duration(budget)
    except ValueError as error:
        raise UsageError(f"--budget {budget}: {error}. Write 90s, 10m or 1h.") from None


def _check_writable(file: Path) -> None:
    """Before minutes are spent on what could not be written."""
    from gatekeeper.errors import UsageError

    if not file.resolve().stat().st_mode & 0o222:
        raise UsageError(f"{file}: is read-only, so --apply cannot change it. Make it writable, or leave --apply away.")


def _known(path: Path, loaded: Loaded, target: str | None, framework: str | None) -> Report:
    from gatekeeper.errors import UsageError
    from gatekeeper.repair.known import unusable
    from gatekeeper.reports._read import read_report

    report = read_report(path / "report.json" if path.is_dir() else path)
    if why := unusable(report, loaded, target, framework):
        raise UsageError(f"--report {path}: {why}. Leave it away, and the file is measured first.")
    return report


def _attempts(report: Report | None) -> list[int]:
    return [leg.attempt for target in report.targets for leg in target.legs] if report else []
