"""`gatekeeper demo`."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.cli import _options
from gatekeeper.reports._folder import cleared

FRAMEWORK = "onnx_runtime"  # the example names more; the demo installs one


@click.command(short_help="Train a small real model here, gate it, show the report.")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=Path("gatekeeper-demo"), show_default=True,
    help="Where the model, its data and the report go.",
)  # fmt: skip
@_options.cache_dir
def command(folder: Path, cache_dir: Path | None) -> int:
    """Train a digit classifier (scikit-learn, some seconds), quantize it three ways and judge it.

    Everything is real and measured here: nothing is downloaded and no result is prepared. The files stay in the folder;
    edit its edge_ai_pipeline.yaml and run it again with `gatekeeper run`; it names more frameworks than the demo runs.
    """
    with cleared(folder / "report"):
        return _run(folder, cache_dir)


def _run(folder: Path, cache_dir: Path | None) -> int:
    import subprocess
    import sys

    from gatekeeper.cli.run import HeldTo, execute
    from gatekeeper.errors import NotMeasured
    from gatekeeper.files import make_folder, write_atomic
    from gatekeeper.hardware.machine import installed
    from gatekeeper.making.cache import default_folder
    from gatekeeper.pipeline import Options
    from gatekeeper.version import install_hint

    if lacking := [name for name in ("scikit-learn", "skl2onnx", "onnxruntime") if installed(name) is None]:
        raise NotMeasured("unsupported", f"the demo needs {', '.join(lacking)}. {install_hint('demo')}")
    source = _source()
    make_folder(folder)
    for name in ("make_model.py", "edge_ai_pipeline.yaml"):
        if not (folder / name).exists():
            write_atomic(folder / name, (source / name).read_bytes())
    if not all((folder / name).exists() for name in ("model.onnx", "eval.npz", "calib.npz")):
        click.echo("training a digit classifier ...", err=True)
        result = subprocess.run([sys.executable, str(folder / "make_model.py")], check=False)
        if result.returncode:
            raise NotMeasured("crash", f"the demo model could not be trained; see above. {install_hint('demo')}")
    pipeline = folder / "edge_ai_pipeline.yaml"
    again = f"gatekeeper run {pipeline} --framework {FRAMEWORK}"
    click.echo(f"{again} --output {folder / 'report'}", err=True)
    options = Options(output=folder / "report", cache=cache_dir or default_folder(), framework=FRAMEWORK, reproduce=again)
    return execute(pipeline, None, options, False, HeldTo())


def _source() -> Path:
    """The example's files: inside the installed package, or in the repository this runs from."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_demo"
    return installed if installed.is_dir() else package.parent / "examples" / "digits-mlp"
