"""`gatekeeper init`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click


@click.command(short_help="Write a commented pipeline file and workflow for your model.")
@click.option("--model", type=click.Path(path_type=Path), help="Model file or folder [default: the one found here].")
@click.option("--task", help="What the model does [default: what shapes, names and labels tell; else it is asked].")
@click.option("--output", type=click.Path(path_type=Path), default=Path("edge_ai_pipeline.yaml"), show_default=True)
@click.option("--workflow/--no-workflow", default=True, show_default=True, help="Also write .github/workflows/gatekeeper.yml.")
@click.option("--forks", is_flag=True, help="Also write the workflow that comments on pull requests from forks.")
@click.option(
    "--release", is_flag=True, help="Also write the workflow that certifies and verifies a release, and its trust file."
)
@click.option("--action", metavar="OWNER/REPO@REF", help="gatekeeper's repository [default: where this installation came from].")
@click.option("--schema/--no-schema", default=True, show_default=True, help="Also write the schema, for completion in editors.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def command(
    model: Path | None,
    task: str | None,
    output: Path,
    workflow: bool,
    forks: bool,
    release: bool,
    action: str | None,
    schema: bool,
    force: bool,
) -> None:
    """Look at the model in this folder and write a pipeline file that fits it.

    Finds the model and an evaluation set (.npz, .csv or a folder of images; for a model that writes text .txt or .jsonl),
    assesses the model, and writes edge_ai_pipeline.yaml with the techniques that apply, each line explained, and a workflow
    that measures every pull request. Nothing that exists is overwritten without --force, and a trust file never. Where there is
    a pipeline file already, --release adds the files of a release to it.
    """
    from gatekeeper.config.load import load
    from gatekeeper.config.schema import pipeline_schema, render
    from gatekeeper.errors import ConfigError
    from gatekeeper.starting.init import SCHEMA_NAME, find_model, pipeline_text

    if release and output.exists() and not force:
        return _add_release(model, output, action, forks)
    path = model or find_model(Path.cwd())
    _check_free(output, force)
    task = _task(path, task)
    files = {output: pipeline_text(path, output.parent, SCHEMA_NAME if schema else None, task)}
    if schema:
        files[output.parent / SCHEMA_NAME] = render(pipeline_schema())
    if workflow or forks or release:
        files |= _workflows(path, output, action, forks, release)
    for file in files:
        _check_free(file, force or file.name == SCHEMA_NAME)
    _write(files | (_trust(output) if release else {}))
    try:
        load(output)
        click.echo(f"next: gatekeeper run {output}")
    except ConfigError as error:
        click.echo(f"next: complete what is marked CHANGE in {output}:\n{error}")


def _add_release(model: Path | None, config: Path, action: str | None, forks: bool) -> None:
    """The files of a release for a pipeline file that is there, and stays as it is."""
    from gatekeeper.config.load import load
    from gatekeeper.errors import UsageError
    from gatekeeper.starting import release, workflows

    path = model or load(config).model_path() or config
    files = {
        file: text for file, text in _workflows(path, config, action, forks, True).items() if file.name != workflows.GATE.name
    }
    if there := [file for file in files if file.exists()]:
        raise UsageError(f"{there[0]}: exists already. To have it written anew, move it away first.")
    _write(files | _trust(config))
    click.echo(f"kept {config}; next: make a key pair, as {workflows.top(Path.cwd()) / release.RELEASE} says")


def _trust(config: Path) -> dict[Path, str]:
    """The trust file, unless there is one: it says whom somebody trusts."""
    from gatekeeper.starting import release

    file = config.parent / release.TRUST
    if file.exists():
        click.echo(f"kept {file}")
        return {}
    return {file: release.trust_text()}


def _write(files: dict[Path, str]) -> None:
    from gatekeeper.files import make_folder, write_atomic

    for file, text in files.items():
        make_folder(file.parent)
        write_atomic(file, text)
        click.echo(f"wrote {file}")


def _check_free(file: Path, force: bool) -> None:
    from gatekeeper.errors import UsageError

    if file.exists() and not force:
        raise UsageError(f"{file}: exists already. Pass --force to overwrite it, or --output for another name.")


def _task(model: Path, stated: str | None) -> str | None:
    """What the model does, where it is said, or asked as nothing tells it and somebody can answer."""
    from gatekeeper.errors import UsageError, nearest
    from gatekeeper.evaluate.tasks._base import REGISTRY
    from gatekeeper.starting.init import task_of

    if stated is not None:
        if stated not in REGISTRY.names:
            allowed = ", ".join(REGISTRY.names)
            raise UsageError(f"--task: '{stated}' is none{nearest(stated, REGISTRY.names) or '.'} Allowed: {allowed}.")
        return stated
    if sys.stdin.isatty() and sys.stderr.isatty() and task_of(model) is None:
        return str(click.prompt("What does the model do?", type=click.Choice(REGISTRY.names), err=True))
    return None


def _workflows(model: Path, config: Path, action: str | None, forks: bool, release: bool) -> dict[Path, str]:
    """The workflow files, with what can be found out of the repository they are for."""
    from gatekeeper.starting import release as releases
    from gatekeeper.starting import workflows

    named = workflows.parse_action(action) if action else workflows.find_action() or workflows.UNKNOWN
    lfs, root = workflows.in_lfs(model), Path(os.path.relpath(workflows.top(Path.cwd())))
    shown = Path(os.path.relpath(config, root)).as_posix()
    files = {root / workflows.GATE: workflows.gate_text(shown, named, workflows.default_branch(root), lfs, forks)}
    if forks:
        files[root / workflows.COMMENT] = workflows.comment_text(named)
    if release:
        files[root / releases.RELEASE] = releases.release_text(shown, named, lfs)
    if named == workflows.UNKNOWN:
        click.echo(f"note: complete what is marked CHANGE in {workflows.GATE.parent}, or pass --action OWNER/REPO@REF")
    if workflows.ignored(model):
        click.echo(f"note: git ignores {model}; a workflow will not find it. Commit it, or pass it on with `model-artifact`.")
    return files
