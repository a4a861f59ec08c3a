"""`gatekeeper assess`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment, TextInfo
    from gatekeeper.planning.selection.strategy import Strategy


@click.command(short_help="Describe a model and recommend a strategy.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--target", default="cpu", show_default=True, help="Hardware to recommend for, as in the pipeline file.")
@click.option(
    "--goal", type=click.Choice(["prototyping", "enterprise"]), default=None,
    help="What it is for: the order of priorities, and whether it is enterprise production.",
)  # fmt: skip
@click.option(
    "--need", "needs", multiple=True,
    type=click.Choice(["cross_platform", "enterprise", "mobile", "real_time", "model_variety", "ease"]),
    help="What matters most: frameworks that meet it best come first. May be given several times.",
)  # fmt: skip
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(model: Path, target: str, goal: str | None, needs: tuple[str, ...], form: str) -> None:
    """Read MODEL's structure without loading its weights.

    MODEL is a file, or the folder of a Hugging Face model. Prints its size, parameters, architecture, operators, inputs and
    outputs, which techniques apply (and why the others do not), and the frameworks in the order in which to try them on the
    target hardware, each with the reason, what to ask it for, or why it cannot.
    """
    import msgspec

    from gatekeeper.errors import NotMeasured, UsageError
    from gatekeeper.hardware.selection import hardware
    from gatekeeper.models.files import assess
    from gatekeeper.planning.selection.strategy import strategy

    hardware(target)
    try:
        assessment = assess(model)
    except NotMeasured as error:
        raise UsageError(str(error)) from None
    techniques = _techniques(assessment)
    operators = _operators(assessment, techniques)
    advised = strategy(target, assessment, goal or "", needs)
    if form == "json":
        data = msgspec.to_builtins(assessment) | {
            "techniques": techniques,
            "quantizes": operators,
            **msgspec.to_builtins(advised),
        }
        click.echo(msgspec.json.format(msgspec.json.encode(data), indent=2).decode())
        return
    _print(assessment, techniques, operators, advised)


def _techniques(model: Assessment) -> dict[str, dict[str, str | None]]:
    """framework -> technique -> None if it applies, else why not (a calibration set is assumed)."""
    from gatekeeper.frameworks._base import REGISTRY, framework

    return {
        name: {t: framework(name).refuses(t, model, calibrated=True) for t in framework(name).TECHNIQUES}
        for name in REGISTRY.names
        if framework(name).supports(model.format, "cpu") is None
    }


def _operators(model: Assessment, techniques: dict[str, dict[str, str | None]]) -> dict[str, dict[str, list[str]]]:
    """framework -> technique -> the operators of this model that it quantizes, where that is known."""
    from gatekeeper.frameworks._base import quantizes

    known = {
        name: {technique: quantizes(name, technique, model) for technique, reason in own.items() if reason is None}
        for name, own in techniques.items()
    }
    return {name: found for name, own in known.items() if (found := {t: names for t, names in own.items() if names})}


def _print(
    model: Assessment,
    techniques: dict[str, dict[str, str | None]],
    operators: dict[str, dict[str, list[str]]],
    advised: Strategy,
) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from gatekeeper.models.files import is_folder
    from gatekeeper.models.info import TensorInfo
    from gatekeeper.reports._plain import plain
    from gatekeeper.units import format_bytes

    def tensors(items: list[TensorInfo]) -> str:
        return "\n".join(
            f"{plain(t.name)}: {t.dtype} [{', '.join('?' if d is None else plain(str(d)) for d in t.shape)}]"
            + ("  (dynamic)" if t.dynamic else "")
            for t in items
        )

    table = Table(show_header=False, box=None, pad_edge=False)
    counted = ", ".join(f"{kind} {count:,}" for kind, count in model.weights.items())
    rows = {
        "folder" if is_folder(Path(model.path)) else "file": f"{plain(model.path)} ({format_bytes(model.bytes)}, {model.format})",
        "architecture": f"{model.architecture}{', quantized' if model.quantized else ''}",
        "parameters": f"{model.parameters:,}{f' ({counted})' if counted else ''}",
        **_text_rows(model.text),
        "opset": ", ".join(f"{plain(k)} {v}" for k, v in model.opset.items()),
        "producer": plain(model.producer),
        "operators": ", ".join(f"{plain(k)} x{v}" if v > 1 else plain(k) for k, v in model.operators.items()),
        "inputs": tensors(model.inputs),
        "outputs": tensors(model.outputs),
    }
    for framework, possible in techniques.items():
        names = operators.get(framework, {})
        said = {t: plain(reason) if reason else ", ".join(names.get(t, [])) for t, reason in possible.items()}
        rows[framework] = "\n".join(
            f"{'no ' if reason else 'yes'} {t}{f': {said[t]}' if said[t] else ''}" for t, reason in possible.items()
        )
    first = advised.recommended
    rows["recommended"] = f"{first.framework} on {advised.target}: {plain(first.because)}"
    if first.cannot:
        rows["but"] = f"no framework here takes this model to {advised.target}: {plain(first.cannot)}"
    if first.techniques:
        rows["ask it for"] = f"{', '.join(first.techniques)}: {plain(first.why)}"
    rows["rule"] = f"{advised.rule.framework}: {plain(advised.rule.because)}" if advised.rule.framework != first.framework else ""
    unable = {each.framework for each in (first, *advised.then) if each.cannot}
    lost = " (it does not take this model there, see below)" if advised.unified.partition(" ")[0] in unable else ""
    rows["unified strategy"] = advised.unified + lost
    rows["then"] = "\n".join(f"{each.framework}: {plain(each.because)}" for each in advised.then if not each.cannot)
    rows["not"] = "\n".join(f"{each.framework}: {plain(each.cannot)}" for each in advised.then if each.cannot)
    for key, value in rows.items():
        if value:
            table.add_row(f"[bold]{key}[/]", escape(value))
    Console(highlight=False).print(table)


def _text_rows(text: TextInfo | None) -> dict[str, str]:
    """What is told of a model that writes text; a number nobody states is left out."""
    from gatekeeper.reports._plain import plain

    if text is None:
        return {}
    layers = ("{} layers", text.layers), ("hidden size {}", text.hidden), ("{} heads", text.heads)
    shape = ", ".join(words.format(number) for words, number in layers if number)
    return {
        "family": plain(text.family),
        "dtype": f"{text.dtype} (most weights)",
        "layers": shape + (f" ({text.kv_heads} for keys and values)" if text.heads else ""),
        "vocabulary": f"{text.vocabulary:,} tokens" if text.vocabulary else "",
        "tokenizer": plain(text.tokenizer),
        "context": f"{text.context:,} tokens" if text.context else "",
        "row lengths": f"{', '.join(map(str, text.row_lengths))} (what block-wise quantizers cut up)" if text.row_lengths else "",
    }
