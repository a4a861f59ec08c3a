"""`gatekeeper serve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""What opens a format where nothing else is said."""


@click.command(short_help="Serve a model over HTTP (Open Inference Protocol v2).")
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--framework", help="What runs it [default: as in a report's file name, else by its format].")
@click.option(
    "--model", "original", type=click.Path(path_type=Path), metavar="ORIGINAL",
    help="The original model, for what an artifact does not say of itself: its inputs, its tokenizer.",
)  # fmt: skip
@click.option("--name", help="Name in the URLs [default: the file's].")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on. There is no authentication.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes any free one.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of a session [default: the machine's cores].")
@click.option("--device", default="cpu", show_default=True, help="What sessions are opened on, e.g. cpu or cuda.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes with a session each.")
@click.option("--queue", type=click.IntRange(1, 65536), default=64, show_default=True, help="Requests that may wait.")
@click.option("--batch", type=click.IntRange(1, 4096), default=1, show_default=True, help="Examples answered together.")
@click.option(
    "--batch-delay", type=click.FloatRange(0, 1000), default=2.0, show_default=True, help="Milliseconds to wait for them."
)
@click.option(
    "--cache", type=click.IntRange(0, 1 << 20), default=0, show_default=True,
    help="Answers to keep for questions that come again; 0: none.",
)  # fmt: skip
@click.option("--timeout", default="30s", show_default=True, help="Longest time for one request.")
@click.option("--drain", default="30s", show_default=True, help="Longest time to finish accepted requests when stopped.")
@click.option("--max-body", default="64MiB", show_default=True, help="Largest request.")
@click.option("--task", help="What the model does, as in the pipeline file; classifications count their confidence.")
def command(
    artifact: Path,
    framework: str | None,
    original: Path | None,
    name: str | None,
    host: str,
    port: int,
    threads: int | None,
    device: str,
    workers: int,
    queue: int,
    batch: int,
    batch_delay: float,
    cache: int,
    timeout: str,
    drain: str,
    max_body: str,
    task: str | None,
) -> None:
    """Serve one model: an .onnx, .xml or .gguf file, or a folder, such as those in a report's `artifacts`.

    Speaks the Open Inference Protocol v2 (KServe, Triton clients): health, metadata, `infer` with JSON or binary tensors,
    `generate` and `generate_stream` for text models; Prometheus metrics at /metrics. It stands in for production on one
    machine; it does not try to be Triton. SIGTERM stops it after what it accepted is answered.

    \b
    gatekeeper serve gatekeeper-report/artifacts/edge-cpu__onnx_runtime__int8_dynamic.onnx --name digits
    curl http://127.0.0.1:8000/v2/models/digits
    """
    import os

    from gatekeeper.errors import NotMeasured, UsageError
    from gatekeeper.units import parse_duration, parse_size
    from gatekeeper.version import install_hint

    about = _about(artifact, original)
    chosen = _framework(artifact, about, framework)
    try:
        from gatekeeper.frameworks._spec import ModelSpec, text_spec
        from gatekeeper.serve.config import Served
        from gatekeeper.serve.server import serve
    except ModuleNotFoundError as error:
        raise UsageError(f"the package '{error.name}' is not installed. {install_hint('serve')}") from None
    try:
        served = Served(
            name=name or artifact.stem,
            spec=ModelSpec(
                framework=chosen,
                artifact=str(artifact.resolve()),
                threads=threads or os.cpu_count() or 1,
                device=device,
                text=text_spec(about, original or artifact, chosen),
            ),
            model=about,
            task=task,
            host=host,
            port=port,
            workers=workers,
            queue=queue,
            max_batch=batch,
            batch_delay_ms=batch_delay,
            cache=cache,
            max_body_bytes=parse_size(max_body),
            request_timeout_s=parse_duration(timeout),
            drain_s=parse_duration(drain),
        )
    except ValueError as error:
        raise UsageError(f"{error}. Durations are written 90s or 2m, sizes 64MiB.") from None
    if host not in LOOPBACK:
        click.echo(f"anyone who reaches {host} can use this server: it asks for no password.", err=True)
    try:
        serve(served, lambda url: click.echo(f"serving {served.name} at {url}"))
    except NotMeasured as error:
        raise UsageError(f"{artifact}: {error}") from None


def _about(artifact: Path, original: Path | None) -> Assessment:
    """What the model takes and gives, by its own word or the original's."""
    from gatekeeper.errors import NotMeasured, UsageError
    from gatekeeper.models.files import assess

    if not artifact.exists():
        raise UsageError(f"{artifact}: no such file or folder. Artifacts of a run are in gatekeeper-report/artifacts.")
    try:
        return assess(original or artifact)
    except NotMeasured as error:
        hint = "" if original else " If it was made from another model, name that with --model."
        raise UsageError(f"{error}{hint}") from None


def _framework(artifact: Path, about: Assessment, stated: str | None) -> str:
    """As stated, as a report's file name says (target__framework__technique), or by the format."""
    from gatekeeper.errors import UsageError, nearest
    from gatekeeper.frameworks._base import REGISTRY, opener

    if stated is not None and stated not in REGISTRY.names:
        hint = nearest(stated, REGISTRY.names) or "."
        raise UsageError(f"--framework '{stated}' is not known{hint} It is one of {', '.join(REGISTRY.names)}.")
    named = [part for part in artifact.name.split("__")[1:2] if part in REGISTRY.names]
    return stated or (named[0] if named else opener(about.format) or "onnx_runtime")
