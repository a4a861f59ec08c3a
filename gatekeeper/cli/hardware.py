"""`gatekeeper hardware`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gatekeeper.advice.hardware import Hardware


@click.command(short_help="What this machine has, and which framework runs on what of it.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option(
    "--time-limit", type=click.FloatRange(0.1, 600), default=5.0, show_default=True, help="Seconds that a probe may take."
)
def command(as_json: bool, time_limit: float) -> None:
    """Look at this machine: processor, GPUs, NPUs and other accelerators.

    Prints what each framework would run on, what is missing for it and how to get it, and which kinds of hardware a pipeline
    file may name as a target here. Each probe runs in a process of its own: one that hangs or breaks is named, and the rest is
    reported. Nothing is installed, and no framework is imported.
    """
    import math

    import msgspec

    from gatekeeper.hardware.probing import Looking

    if math.isnan(time_limit):  # which is within every range
        raise click.BadParameter("nan is no time.", param_hint="--time-limit")
    looking = Looking(time_limit)  # they work while this imports the rest

    from gatekeeper.advice.hardware import survey

    found = survey(looking)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        _print(found)


def _print(found: Hardware) -> None:
    """Text that needs no colour, to be quick: a section for hardware, frameworks and targets."""
    from gatekeeper.reports._plain import plain

    click.echo("hardware")
    for each in sorted(found.probes, key=lambda p: p.state in ("failed", "hung")):
        if each.state in ("failed", "hung"):
            said = "hangs" if each.state == "hung" else "failed"
            click.echo(f"  probe {plain(each.probe)} {said}: {plain(each.reason)}")
        for thing in each.found:
            facts = "; ".join(f"{key} {value}" for key, value in thing.facts.items())
            click.echo(f"  {thing.device:6} {plain(thing.name)}{f' ({plain(facts)})' if facts else ''}")
            for lack in thing.missing:
                click.echo(f"         missing: {plain(lack.what)}. {plain(lack.how)}.")
    if nothing := [plain(each.probe) for each in found.probes if each.state == "nothing"]:
        click.echo(f"  looked for and not found: {', '.join(nothing)}")
    click.echo("frameworks")
    for row in found.frameworks:
        click.echo(
            f"  {row.framework} on {row.device}: {'ready' if not row.missing else 'not yet'}, for {', '.join(row.formats)}"
        )
        for lack in row.missing:
            click.echo(f"         missing: {plain(lack.what)}. {plain(lack.how)}.")
    for device in found.undriven:
        click.echo(f"  {plain(device)}: no framework runs on it. A target runs on the CPU where it says `fallback: cpu`.")
    click.echo("targets")
    if found.targets_unknown:
        click.echo(f"  not known: {plain(found.targets_unknown)}")
    here = [plain(name) for name, why in found.targets.items() if why is None]
    click.echo(f"  here: {', '.join(here) or 'none'}")
    for name, why in found.targets.items():
        if why is not None:
            click.echo(f"  not {plain(name)}: {plain(why)}")
