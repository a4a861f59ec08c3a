"""`gatekeeper scan`."""

from __future__ import annotations

from pathlib import Path

import click

EPILOG = """\b
Exit codes: 0 clean, 1 something hostile was found, 2 usage, 4 something could not
be scanned, which is never clean.

\b
Examples:
  gatekeeper scan model.onnx
  gatekeeper scan ./llama --format sarif > scan.sarif
  gatekeeper scan model.onnx --allow-domain ai.onnx.contrib
"""


@click.command(short_help="Look for hostile content in a model's files.", epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["terminal", "json", "sarif"]), default="terminal", show_default=True)
@click.option(
    "--allow-domain", "domains", metavar="DOMAIN", multiple=True,
    help="A domain of ONNX operators, or a set of OpenVINO's, whose library you trust. May be given several times.",
)  # fmt: skip
@click.option("--timeout", default="5m", show_default=True, metavar="DURATION", help="Most time for one look at one file.")
def command(model: Path, form: str, domains: tuple[str, ...], timeout: str) -> int:
    """Look through MODEL for what no model needs and what harms whoever loads it.

    MODEL is a file, or a folder of which every file is looked at. Nothing is loaded or run: headers are read, with limits, in a
    process of its own. ONNX with its external data, GGUF, OpenVINO IR, safetensors, NumPy and Hugging Face folders are read by
    gatekeeper itself; pickles and their kin (.pt, .bin, .pkl, .keras, .h5, archives) by modelaudit, of the extra `scan`.

    A finding says the rule, the file, where in it, and what to do. What cannot be read, times out, or needs what is not installed
    could not be scanned. docs/scan.md has every rule.
    """
    import re

    import msgspec

    from gatekeeper.errors import ExitCode, UsageError
    from gatekeeper.files import check_name
    from gatekeeper.models.files import there
    from gatekeeper.models.submodules import left_out
    from gatekeeper.process.scratch import scratch_folder
    from gatekeeper.reports import _scan
    from gatekeeper.scans._base import rules
    from gatekeeper.scans._scanning import scan_model, workers
    from gatekeeper.units import DURATION_PATTERN, parse_duration

    if not re.fullmatch(DURATION_PATTERN, timeout) or parse_duration(timeout) <= 0:
        raise UsageError(f"--timeout '{timeout}' is no duration. Give one such as 90s or 5m.")
    if not there(model):
        raise UsageError(left_out(model) or f"{model}: no such model. Check the path.")
    if not (model.is_file() or model.is_dir()):
        raise UsageError(f"{model}: is neither a file nor a folder, and would be waited for. Name the model's file.")
    check_name(model)
    with scratch_folder() as scratch, workers(scratch, parse_duration(timeout)) as ask:
        scan = scan_model(model, ask, domains)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(scan), indent=2).decode())
    elif form == "sarif":
        click.echo(_scan.sarif(scan, rules()))
    else:
        click.echo(_scan.text(scan))
    return {"clean": ExitCode.PASS, "hostile": ExitCode.FAILED}.get(scan.verdict, ExitCode.NOT_MEASURED)
