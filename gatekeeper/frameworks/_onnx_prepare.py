"""An ONNX model made ready for quantizers, and held against the original before one touches it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._onnx_hold import Step, hold
from gatekeeper.frameworks._without import without

if TYPE_CHECKING:
    import onnx

    from gatekeeper.frameworks._base import OptimizeJob
    from gatekeeper.models.info import Assessment

OLDEST = {"int8_dynamic": 11, "int8_static": 13}
"""The opset a technique's operators need: before 13, DequantizeLinear has no axis for scales per channel."""
MODERN = 13
"""What an older model is converted to."""
LIMIT = 1_900_000_000
"""A protobuf message ends at 2 GiB; above this, weights go to a second file."""


def prepared(job: OptimizeJob, folder: Path) -> Path:
    """The model as both int8 quantizers want it: functions inlined, operators renewed, shapes inferred, constants folded.

    `NotMeasured` where it then no longer answers as the original does, which a quantizer would be blamed for.
    """
    source = inlined(job.source, folder)
    modern = renewed(source, OLDEST[job.technique], folder)
    made = folded(modern, folder)
    _straighten_biases(made)
    remedy = f"The model has operators of opset {_opset(source)}: export with {MODERN} or newer"
    steps = [_inlining(job, source), Step(f"the conversion to opset {MODERN}", modern, remedy)]
    hold(job, [*steps, Step("preparing the model for the quantizer", made, f"Leave {job.technique} out")], folder)
    return made


def without_functions(job: OptimizeJob, folder: Path) -> Path:
    """The model with its functions inlined, and otherwise as it is."""
    made = inlined(job.source, folder)
    hold(job, [_inlining(job, made)], folder)
    return made


def prepares(technique: str, model: Assessment) -> str:
    """What is done to a model before this technique's own work, and changes what its users get; empty where nothing is."""
    version = model.opset.get("ai.onnx", MODERN)
    if model.format != "onnx" or version >= OLDEST.get(technique, 0):
        return ""
    return f"its operators are converted from opset {version} to {MODERN} first, and held against the original"


def _inlining(job: OptimizeJob, made: Path) -> Step:
    return Step("inlining the model's functions", made, f"Export it without functions, or leave {job.technique} out")


def _opset(source: Path) -> int | None:
    from gatekeeper.models.formats.onnx import inspect

    return inspect(source).opset.get("ai.onnx")


def inlined(source: Path, folder: Path) -> Path:
    """The model with the bodies of its functions in place of their calls: quantizers look into no function."""
    import onnx
    import onnx.inliner

    from gatekeeper.models.formats.onnx import inspect

    if not inspect(source).functions:
        return source
    made = folder / "inlined.onnx"
    save(onnx.inliner.inline_local_functions(onnx.load(str(source)), convert_version=True), made)
    return made


def renewed(source: Path, least: int, folder: Path) -> Path:
    """The model with its operators converted up where they are from before opset `least`."""
    import onnx

    model = onnx.load(str(source))
    version = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), least)
    if version >= least:
        return source
    try:
        model = onnx.version_converter.convert_version(model, MODERN)
    except Exception as error:
        raise NotMeasured(
            "unsupported",
            f"the model has operators of opset {version}: export with {MODERN} or newer. "
            f"onnx cannot convert them ({_last_line(error)}).",
        ) from error
    made = folder / "renewed.onnx"
    save(model, made)
    return made


def folded(source: Path, folder: Path) -> Path:
    """The model with shapes inferred and constants folded."""
    made = folder / "prepared.onnx"
    large = is_large(source)
    with without("torch"):
        from onnxruntime.quantization.shape_inference import quant_pre_process

        try:
            quant_pre_process(str(source), str(made), save_as_external_data=large)
        except Exception:  # symbolic shape inference gives up on some models that quantize well without it
            quant_pre_process(str(source), str(made), skip_symbolic_shape=True, save_as_external_data=large)
    return made


def folded_too(job: OptimizeJob, source: Path, folder: Path) -> Path:
    """The same, held against the original."""
    made = folded(source, folder)
    hold(job, [Step("folding the model's constants", made, f"Leave {job.technique} out")], folder)
    return made


def _straighten_biases(path: Path) -> None:
    """Give every constant bias of a Gemm the one axis that the quantizer counts on, and no factor.

    A bias becomes 32-bit integers at the scale of input times weight. Where that is too fine for it, the quantizer makes the
    weight's scale coarser, channel by channel, for a bias of shape [n] and beta of 1; exporters, and the fusion of MatMul and
    Add, write [1, n] too. A bias that differs from row to row is added apart: no scale per channel fits it.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(path))
    graph, changed = model.graph, False
    constants = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        nodes.append(node)
        if node.op_type != "Gemm" or len(node.input) < 3 or not {node.input[1], node.input[2]} <= constants.keys():
            continue
        bias, weight = (constants[node.input[i]] for i in (2, 1))
        settings = {a.name: a for a in node.attribute}
        beta = settings["beta"].f if "beta" in settings else 1.0
        width = weight.dims[0 if "transB" in settings and settings["transB"].i else 1]
        if list(bias.dims) == [width] and beta == 1:
            continue
        changed = True
        values = numpy_helper.to_array(bias)
        values = values * values.dtype.type(beta)
        if "beta" in settings:
            settings["beta"].f = 1.0
        if values.ndim < 2 or values.shape[0] == 1:
            made = numpy_helper.from_array(_broadcast(values, width), f"{node.output[0]}_bias")
            graph.initializer.append(made)
            node.input[2] = made.name
        else:
            nodes.append(_added_apart(graph, node, values))
    if changed:
        del graph.node[:]
        graph.node.extend(nodes)
        model.ir_version = max(model.ir_version, 4)  # before, a constant had to be listed among the inputs too
        save(model, path)


def _broadcast(values: Any, width: int) -> Any:
    import numpy as np

    return np.ascontiguousarray(np.broadcast_to(values.reshape(-1), (width,)))


def _added_apart(graph: onnx.GraphProto, node: onnx.NodeProto, values: Any) -> onnx.NodeProto:
    """The Add that takes over a Gemm's third input, and its output."""
    import onnx
    from onnx import numpy_helper

    result = node.output[0]
    addend = numpy_helper.from_array(values, f"{result}_addend")
    graph.initializer.append(addend)
    del node.input[2]
    node.output[0] = f"{result}_product"
    return onnx.helper.make_node("Add", [node.output[0], addend.name], [result], name=f"{node.name or result}_add")


def is_large(path: Path) -> bool:
    """Whether a model's weights must lie beside it."""
    from gatekeeper.models.formats.onnx import inspect

    return inspect(path).bytes > LIMIT


def save(model: onnx.ModelProto, target: Path) -> None:
    """Write a model, with its weights beside it where they are too many for one file."""
    import onnx

    large = model.ByteSize() > LIMIT
    onnx.save(model, str(target), save_as_external_data=large, location=f"{target.name}.data" if large else None)


def _last_line(error: Exception) -> str:
    """What an error of onnx says, without the place in its sources."""
    text = str(error).strip().splitlines()
    return text[-1].rpartition("failed: ")[2][:300].rstrip(".") if text else type(error).__name__
