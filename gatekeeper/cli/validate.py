"""`gatekeeper validate`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Check a pipeline file; list every problem.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", type=click.Path(path_type=Path), help="Model to use instead of the one in the file.")
def command(file: Path, model: Path | None) -> None:
    """Check FILE's structure and meaning.

    Every problem is printed as `file:line:column: message`, with the nearest valid name. Nothing is run. Exit code 2 if
    there is a problem.
    """
    from gatekeeper.config.load import load

    loaded = load(file, model)
    targets, frameworks = loaded.targets, loaded.pipeline.optimization.frameworks
    click.echo(
        f"{file}: valid. {len(loaded.pipeline.stages)} stages, {len(targets)} target{'s' * (len(targets) != 1)} "
        f"({', '.join(t.name for t in targets)}), frameworks {', '.join(frameworks)}."
    )
