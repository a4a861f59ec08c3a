"""`gatekeeper compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gatekeeper.cli import _options
from gatekeeper.ids import BASELINE
from gatekeeper.reports._folder import cleared

FILE_NAME = "edge_ai_pipeline.yaml"
OFF = ("off", "disabled")


@click.command(cls=_options.Reporting, short_help="Judge a variant that you have, without a pipeline file.")
@click.argument("base", type=click.Path(path_type=Path, exists=True))
@click.argument("variant", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--data", type=click.Path(path_type=Path, exists=True),
    help="Evaluation set, as `dataset.path` takes it; with labels, accuracy is compared, without them the answers are.",
)  # fmt: skip
@click.option("--task", help="What the model does, as `model.task`; decides the metric.")
@click.option("--metric", help="Metric, as `dataset.metric`.")
@click.option("--framework", help="What runs VARIANT [default: the runtime its format belongs to].")
@click.option(
    "--gate", "gates", multiple=True, metavar="NAME=LIMIT",
    help="A limit of your own, such as accuracy=0.98 or speedup=1.5; speedup=off leaves a gate out. May be repeated.",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of both models [default: one per core].")
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("gatekeeper-report"), show_default=True,
    help="Folder for the reports, and for the pipeline file that says the same.",
)  # fmt: skip
@_options.cache_dir
@_options.quiet
def command(
    base: Path,
    variant: Path,
    data: Path | None,
    task: str | None,
    metric: str | None,
    framework: str | None,
    gates: tuple[str, ...],
    threads: int | None,
    output: Path,
    cache_dir: Path | None,
    quiet: bool,
) -> int:
    """Judge VARIANT, a model that you have optimized, against BASE, the model it was made from.

    Both are measured on this machine, in the same rounds. Without --data their answers are not compared, and nothing passes.
    The pipeline file that is written beside the reports says the same, to be edited and kept.

    \b
      gatekeeper compare model.onnx model_int8.onnx --data eval.npz
      gatekeeper compare model.onnx model.xml --data eval.npz --gate memory=off --gate speedup=1.3
    """
    with cleared(output, [data] if data else []):
        from gatekeeper.cli.run import HeldTo, execute
        from gatekeeper.errors import ExitCode
        from gatekeeper.files import make_folder, write_atomic
        from gatekeeper.making.cache import default_folder
        from gatekeeper.pipeline import Options

        dataset = {"path": data, "metric": metric} if data else None
        own = {"name": _name(variant), "path": variant, "framework": framework}
        said = {
            "stages": ["model_validation", "optimization"],
            "model": {"path": base, "task": task},
            "dataset": dataset,
            "targets": [{"name": "local", "hardware": "cpu", "threads": threads}],
            "optimization": {"frameworks": [], "variants": [own]},
            "gates": dict(map(_limit, gates)) or None,
        }
        make_folder(output)
        file = output / FILE_NAME
        write_atomic(file, _yaml(said, output))
        if not data:
            click.echo("no --data is given: what both answer is not compared, so that this cannot pass", err=True)
        options = Options(output=output, cache=cache_dir or default_folder(), reproduce=f"gatekeeper run {file}")
        code = execute(file, None, options, quiet, HeldTo())
        if code == ExitCode.NOT_MEASURED and data and _before_any_variant(output):
            click.echo(f"what has no option here, such as `model.symbols` or `inputs`, can be said in a copy of {file}", err=True)
        return code


def _before_any_variant(output: Path) -> bool:
    """Whether the model or the data were at fault, of which `compare` has fewer words than a file."""
    import json

    report = json.loads((output / "report.json").read_bytes())
    return not any(target["variants"] for target in report["targets"])


def _yaml(said: dict[str, Any], folder: Path) -> bytes:
    """As a pipeline file in `folder`, with paths from there."""
    import os

    import yaml

    def plain(value: Any) -> Any:
        if isinstance(value, Path):
            return os.path.relpath(value, folder)
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items() if each is not None}
        return [plain(each) for each in value] if isinstance(value, list) else value

    text = yaml.safe_dump({"edge_ai_pipeline": plain(said)}, sort_keys=False, allow_unicode=True)
    return f"# Written by `gatekeeper compare`, anew each time: edit and keep a copy in this folder.\n{text}".encode()


def _name(variant: Path) -> str:
    """What a variant is called: its file, as far as a name may hold it."""
    import re

    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", variant.resolve().stem).lstrip("_.-")[:80]
    return "variant" if name.casefold() in ("", BASELINE) else name


def _limit(said: str) -> tuple[str, Any]:
    from gatekeeper.errors import UsageError, nearest
    from gatekeeper.gates._base import gate, names

    name, _, value = said.partition("=")
    if name not in names():
        raise UsageError(f"--gate {said}: there is no gate '{name}'{nearest(name, names()) or '.'} It has {', '.join(names())}.")
    if value in OFF:
        return name, "disabled"
    if not value:
        raise UsageError(f"--gate {said}: names no limit. Write {name}=0.9 or what else it takes, or {name}=off.")
    try:
        number = float(value)
    except ValueError:  # a size, such as 50MB; what is neither is refused with its place in the file
        return name, {gate(name).limit_key: value}
    return name, {gate(name).limit_key: int(number) if number.is_integer() else number}
