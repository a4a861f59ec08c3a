"""`gatekeeper calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli import _options

if TYPE_CHECKING:
    from gatekeeper.advice.calibrate import Calibration


@click.command(short_help="Measure this runner's noise: which limits it can decide, in how many rounds.")
@_options.pipeline_file
@_options.model
@_options.target
@_options.framework
@click.option("--rounds", type=click.IntRange(3, 200), default=16, show_default=True, help="Rounds to measure.")
@click.option(
    "--effect", type=click.FloatRange(0, 1, min_open=True), default=0.1, show_default=True,
    callback=lambda context, parameter, value: _finite(context, parameter, value),
    help="Distance from a limit that shall be decided: 0.1 is a true 2.2x against a limit of 2x.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["table", "yaml", "json"]), default="table", show_default=True,
    help="`yaml` prints only the `measure` block to paste.",
)  # fmt: skip
@_options.cache_dir
@_options.quiet
def command(
    file: Path,
    model: Path | None,
    target: str | None,
    framework: str | None,
    rounds: int,
    effect: float,
    form: str,
    cache_dir: Path | None,
    quiet: bool,
) -> int:
    """Measure identical copies of FILE's model on this machine.

    Whatever differs between them is this runner's noise. From it follows how many rounds each limit needs, how close to a
    limit a model may be and still be decided, and a `measure` block for the pipeline file.

    Exit codes: 0; 3 when a blocking limit cannot be decided on this runner.
    """
    import msgspec

    from gatekeeper.advice.calibrate import calibrate
    from gatekeeper.cli._terminal import watching
    from gatekeeper.config.load import load
    from gatekeeper.errors import ExitCode
    from gatekeeper.making.cache import Cache, default_folder

    with watching(quiet) as progress:
        calibration = calibrate(
            load(file, model), Cache(cache_dir or default_folder()), target, framework, rounds, effect, progress
        )
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(calibration), indent=2).decode())
    else:
        if form == "table":
            _show(calibration)
        click.echo(_yaml(calibration))
    return ExitCode.PASS if calibration.resolved() else ExitCode.INCONCLUSIVE


def _show(calibration: Calibration) -> None:
    import sys

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from gatekeeper.records.base import Verdict
    from gatekeeper.records.gates import GateResult
    from gatekeeper.reports._numbers import limit, value
    from gatekeeper.reports._plain import plain
    from gatekeeper.stats.looks import LOOKS

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    machine = f"{calibration.environment.cpu}, {calibration.environment.threads} threads"
    console.print(Text(plain(f"{calibration.leg} on {machine}: {calibration.rounds} rounds of {calibration.round_s:.1f} s")))
    table = Table("gate", "limit", "noise a round", "", "rounds", highlight=False)
    table.columns[3].header = f"passes 4 times in 5 from\n{LOOKS[0]} rounds | {LOOKS[-1]} rounds"
    table.columns[4].header = f"rounds to decide a\ntruth {calibration.effect:.0%} beyond"
    for r in calibration.resolutions:
        shown = GateResult(gate=r.gate, verdict=Verdict.PASS, limit=r.limit, bound=r.bound, unit=r.unit)
        nearest = " | ".join("never" if number < 0 else value(shown, number) for number in r.told_apart.values())
        last = r.remark or ("more than 200: use a quieter runner" if r.rounds is None else str(r.rounds))
        table.add_row(r.gate, limit(shown), f"{r.noise:.1%}", nearest, last + ("" if r.blocking else " (warning only)"))
    console.print(table)
    control = calibration.control
    if control and control.lower and control.upper and not control.lower <= 1 <= control.upper:
        apart = f"{control.lower:.3f}x to {control.upper:.3f}x"
        console.print(f"This runner tells two copies of one model apart: {apart}. Close calls will be inconclusive.")
    for note in calibration.notes:
        console.print(Text(f"Note: {plain(note)}"))
    console.print("\nFor the pipeline file, inside edge_ai_pipeline:")


def _yaml(calibration: Calibration) -> str:
    """The block as it stands inside `edge_ai_pipeline:`."""
    import textwrap

    import yaml

    said = f"decides a truth {calibration.effect:.0%} beyond a limit, by {calibration.rounds} rounds measured here"
    lines = [f"# {calibration.leg}: {said}"]
    if undecided := calibration.unresolved():
        lines.append(f"# but not that of {', '.join(undecided)}: this runner is too noisy for it")
    text = yaml.safe_dump({"measure": calibration.measure}, sort_keys=False)
    return textwrap.indent("\n".join([*lines, text]), "  ").rstrip()


def _finite(context: click.Context, parameter: click.Parameter, value: float) -> float:
    import math

    if math.isnan(value):  # which is within every range
        raise click.BadParameter("nan is not a distance.")
    return value
