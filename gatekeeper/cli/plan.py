"""`gatekeeper plan`."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.cli import _options


@click.command(short_help="List the legs a pipeline file asks for.")
@_options.pipeline_file
@_options.model
@_options.target
@_options.framework
@_options.policy_ref
@_options.policy
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "github", "support"]), default="table", show_default=True,
    help="`github` prints the matrix for fromJSON; `json` is what `report --plan` reads; `support` asks every framework about "
    "this model on every device.",
)  # fmt: skip
def command(
    file: Path,
    model: Path | None,
    target: str | None,
    framework: str | None,
    policy_ref: str | None,
    policy: Path | None,
    form: str,
) -> None:
    """List every leg (target x framework) and its variants, and why one is left out. Nothing is run."""
    import os
    from dataclasses import replace

    import msgspec

    from gatekeeper.config.load import load
    from gatekeeper.config.policy import chosen_policy, loosened, unheld
    from gatekeeper.config.waivers import waivers_for
    from gatekeeper.frameworks._base import untold
    from gatekeeper.planning.plan import choose_legs, commit_from, github_matrix, make_plan, model_of

    loaded = load(file, model)
    loaded = replace(loaded, policy=chosen_policy(file, policy_ref, policy, loaded.model_path()))
    assessment = model_of(loaded)[1]
    plan = make_plan(loaded, assessment, commit_from(os.environ))
    waivers_for(loaded, plan.variant_ids)
    plan = msgspec.structs.replace(plan, legs=choose_legs(plan, target, framework))
    for said in (*(f"not applied: {each}" for each in loosened(loaded)), *(f"refused: {each}" for each, _ in unheld(loaded))):
        click.echo(said, err=True)
    if form == "support":
        _print_support(assessment.format)
    elif form == "github":
        click.echo(github_matrix(plan))
    elif form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(plan), indent=2).decode())
    else:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Column, Table

        from gatekeeper.reports._plain import plain

        def shown(text: str) -> str:
            return escape(plain(text))

        columns = ["leg", "hardware", "runs on", "variant", ""]
        rows: list[list[str]] = []
        for leg in plan.legs:
            runs_on = leg.runs_on if isinstance(leg.runs_on, str) else ", ".join(leg.runs_on)
            if leg.error or leg.skip:
                why = f"cannot run: {leg.error}" if leg.error else f"left out: {leg.skip}"
                rows.append([leg.id, leg.hardware, shown(runs_on), "", shown(why)])
            for i, variant in enumerate(leg.variants):
                first = (leg.id, leg.hardware, shown(runs_on)) if i == 0 and not leg.error else ("", "", "")
                note = f"cannot apply: {variant.error}" if variant.error else f"left out: {variant.skip}" if variant.skip else ""
                about = f"your own: {variant.path}" if variant.path else ""
                about = about or untold(leg.framework, variant.technique, variant.method, variant.options)
                rows.append([*first, variant.technique, shown(note or about)])
        width = len(columns) if any(row[-1] for row in rows) else len(columns) - 1
        table = Table(*(Column(name, no_wrap=name in ("leg", "variant")) for name in columns[:width]), highlight=False)
        for row in rows:
            table.add_row(*row[:width])
        Console(highlight=False).print(table)
        extras = {leg.framework: leg.extra for leg in plan.legs if leg.extra and not leg.skip}
        click.echo("extras: " + "; ".join(f"{name} needs [{extra}]" for name, extra in extras.items()))


def _print_support(model_format: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from gatekeeper.planning.support import support

    by_framework = support(model_format)
    columns = list(next(iter(by_framework.values())))
    table = Table("framework", *columns, "why not", highlight=False)
    for name, answers in by_framework.items():
        reasons = [reason for reason in answers.values() if reason]
        why = reasons[0] if reasons else ""
        table.add_row(name, *("yes" if answers[device] is None else "-" for device in columns), escape(why))
    Console(highlight=False).print(table)
