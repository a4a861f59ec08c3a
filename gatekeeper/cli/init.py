"""`gatekeeper init`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Write a commented pipeline file and workflow for your model.")
@click.option("--model", type=click.Path(path_type=Path), help="Model file or folder [default: the one found here].")
@click.option("--output", type=click.Path(path_type=Path), default=Path("edge_ai_pipeline.yaml"), show_default=True)
@click.option("--workflow/--no-workflow", default=True, show_default=True, help="Also write .github/workflows/gatekeeper.yml.")
@click.option("--schema/--no-schema", default=True, show_default=True, help="Also write the schema, for completion in editors.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def command(model: Path | None, output: Path, workflow: bool, schema: bool, force: bool) -> None:
    """Look at the model in this folder and write a pipeline file that fits it.

    Finds the model and an evaluation set (.npz, .csv or a folder of images; for a model that writes text .txt or .jsonl),
    assesses the model, and writes edge_ai_pipeline.yaml with the techniques that apply, each line explained. Nothing that
    exists is overwritten without --force.
    """
    from gatekeeper.config.load import load
    from gatekeeper.config.schema import pipeline_schema, render
    from gatekeeper.errors import ConfigError, UsageError
    from gatekeeper.files import make_folder, write_atomic
    from gatekeeper.init import SCHEMA_NAME, extra_for, find_model, pipeline_text, workflow_text

    path = model or find_model(Path.cwd())
    files = {output: pipeline_text(path, output.parent, schema=SCHEMA_NAME if schema else None)}
    if schema:
        files[output.parent / SCHEMA_NAME] = render(pipeline_schema())
    if workflow:
        files[Path(".github/workflows/gatekeeper.yml")] = workflow_text(output, extra_for(path))
    for file in files:
        if file.exists() and not force and file.name != SCHEMA_NAME:
            raise UsageError(f"{file}: exists already. Pass --force to overwrite it, or --output for another name.")
    for file, text in files.items():
        make_folder(file.parent)
        write_atomic(file, text)
        click.echo(f"wrote {file}")
    try:
        load(output)
        click.echo(f"next: gatekeeper run {output}")
    except ConfigError as error:
        click.echo(f"next: complete what is marked CHANGE in {output}:\n{error}")
