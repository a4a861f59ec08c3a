"""Microsoft Olive: workflows of passes over ONNX models, its own recipes and the user's; ONNX Runtime runs the results."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import _genai, _olive, _olive_nodes, _onnx_prepare, onnx_runtime
from gatekeeper.frameworks._base import ORIGINAL, Needs, OptimizeJob
from gatekeeper.frameworks._olive_options import OPTIONS as OPTIONS
from gatekeeper.frameworks._olive_options import OliveOptions, Static
from gatekeeper.frameworks._onnx_operators import listed
from gatekeeper.frameworks._onnx_operators import quantizes as quantizes
from gatekeeper.frameworks._onnx_prepare import prepares as prepares
from gatekeeper.frameworks._onnx_quantize import Batches, Drawn, finer_bins
from gatekeeper.frameworks._options import given
from gatekeeper.frameworks.onnx_runtime import named as named

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment

EXTRA = "olive"
REQUIRES = ("onnxruntime", "olive-ai", "onnx", "onnx-ir", "torch", "numpy")
NEEDS = {"huggingface": Needs("olive", (*_genai.PACKAGES, "olive-ai"))}
CONVERTS = ("huggingface",)
CONFIGS = ".json"

TECHNIQUES = {
    "int8_dynamic": "8-bit weights, activations quantized while running (OnnxDynamicQuantization)",
    "int8_static": "8-bit weights and activations (QDQ, per channel), scales from the calibration set (OnnxStaticQuantization)",
    "int4_weight_only": "4-bit weights in blocks of 32, rounded to the nearest (OnnxBlockWiseRtnQuantization); embeddings too",
    "k_quant": "4-bit weights in blocks of 32, scales and offsets searched for (OnnxKQuantQuantization)",
    "hqq": "4-bit weights in blocks of 32, offsets fitted to outliers (OnnxHqqQuantization); refused, Olive 0.13 does it wrong",
    "transformer_optimized": "attention, layer norms and GELU as one operator each (OrtTransformersOptimization)",
    "fp16": "weights and arithmetic in half precision; inputs and outputs stay as they are (OnnxFloatToFloat16)",
}

# What is set of each pass, whatever is asked for; the rest are options (_olive_options.py).
_PASSES: dict[str, dict[str, Any]] = {
    "int8_dynamic": {"type": "OnnxDynamicQuantization"},
    "int8_static": {
        "type": "OnnxStaticQuantization",
        "data_config": _olive.CALIBRATION,
        "prepare_qdq_config": False,  # or reduce_range is passed over
    },
    "int4_weight_only": {"type": "OnnxBlockWiseRtnQuantization"},
    "k_quant": {"type": "OnnxKQuantQuantization"},
    "hqq": {"type": "OnnxHqqQuantization", "block_size": 32, "accuracy_level": 4},
    # Its recipe for BERT is the general one: what it knows of other models, those of this kind do not have.
    "transformer_optimized": {"type": "OrtTransformersOptimization", "model_type": "bert"},
    "fp16": {"type": "OnnxFloatToFloat16", "keep_io_types": True},
}
_MATRICES = ("int4_weight_only", "k_quant")
_TEXT = ("int8_dynamic", "int4_weight_only", "k_quant")
# What ONNX Runtime's own quantizer refuses, those of Olive that are like it do as well.
_LIKE = {"int8_dynamic": "int8_dynamic", "int8_static": "int8_static", "k_quant": "int4_weight_only", "fp16": "fp16"}


def supports(model_format: str, device: str) -> str | None:
    """None, or why Olive's models of this format cannot be run on this device."""
    if model_format not in ("onnx", *CONVERTS):
        return f"this version gives Olive .onnx and Hugging Face folders, not {model_format}"
    return onnx_runtime.supports(model_format, device)


def defaults(model_format: str, device: str) -> tuple[str, ...]:
    """Techniques worth trying on a device."""
    if model_format in CONVERTS:
        return ("int4_weight_only", "k_quant")
    return ("transformer_optimized", "fp16") if device == "cuda" else ("int8_dynamic", "int8_static", "k_quant")


def refuses(technique: str, model: Assessment, calibrated: bool) -> str | None:
    """None, or why the technique cannot change this model."""
    if technique == "hqq":
        return (
            "OnnxHqqQuantization of Olive 0.13 stores scales in the wrong order (github.com/microsoft/Olive/pull/2589), and the "
            "model answers at random; use k_quant"
        )
    if model.text:
        other = f"Olive has it for other models than those that write text; for them there are {', '.join(_TEXT)}"
        return _genai.refuses(model) or (None if technique in _TEXT else other)
    if technique == "transformer_optimized":
        other = f"it is for transformers, and the model is none (its architecture: {model.architecture})"
        return None if model.architecture == "transformer" else other
    if technique == "int4_weight_only" and "Gather" in model.weighted_operators and not model.quantized:
        return None
    return onnx_runtime.refuses(_LIKE.get(technique, technique), model, calibrated)


def optimize(job: OptimizeJob) -> None:
    """Write the artifact to the folder `job.destination`: model.onnx, and what onnxruntime-genai needs to run it as text."""
    import tempfile

    if job.technique == ORIGINAL:
        # Not by Olive's own ModelBuilder: that of 0.13 does not find its way in onnxruntime-genai 0.18.
        return _genai.build(job, "fp32")
    source = job.original / "model.onnx" if job.original else job.source.resolve()
    target = job.destination / "model.onnx"
    with tempfile.TemporaryDirectory(dir=job.destination) as folder:
        ready, nodes = _olive_nodes.chosen(job, _ready(job, source, Path(folder)), Path(folder))
        _move(_made(job, ready, nodes, Path(folder)), target)
    if job.original:
        _genai.copy_beside(job.original, job.destination)
    _name_outputs(target, source)
    return _check_changed(job, target, source)


def _ready(job: OptimizeJob, source: Path, folder: Path) -> Path:
    """The model as ONNX Runtime's own quantizers get it; text models, and what a user's workflow starts from, as they are."""
    if job.original or job.config:
        return source
    if job.technique in _onnx_prepare.OLDEST:
        return _onnx_prepare.prepared(job, folder)
    return _onnx_prepare.without_functions(job, folder)


def _made(job: OptimizeJob, source: Path, nodes: dict[str, Any], folder: Path) -> Path:
    """The model that Olive makes of another, in a folder."""
    from gatekeeper.models.formats.onnx import inspect

    workflow = _workflow(job, nodes) | {"input_model": {"type": "OnnxModel", "model_path": str(source)}}
    with finer_bins():
        made = _olive.run(workflow, job.device, folder / "first", _calibration(job))
    if job.technique in _MATRICES and not inspect(made).quantized:  # they may be computed from constants: fold those first
        passes = {"folded": {"type": "OnnxPeepholeOptimizer"}} | workflow["passes"]
        made = _olive.run(workflow | {"passes": passes}, job.device, folder / "second")
    return made


def _workflow(job: OptimizeJob, nodes: dict[str, Any]) -> dict[str, Any]:
    """The user's, or the passes of a technique; `nodes` are the settings that name some."""
    from gatekeeper.models.formats.onnx import inspect

    if job.config:
        return _olive.read(job.config, job.trusted, calibrated=bool(job.calibration and not job.original))
    settings = _PASSES[job.technique] | _options(job).settings(job.vnni) | nodes
    if job.technique in _onnx_prepare.OLDEST and not job.original:
        settings |= {"quant_preprocess": False, "op_types_to_quantize": listed(job.technique, inspect(job.source))}
    return {"passes": {"technique": settings}}


def _options(job: OptimizeJob) -> OliveOptions:
    """What is said of the technique, or its defaults."""
    kind = OPTIONS.get(job.technique, OliveOptions)
    return given(job, kind) if issubclass(kind, OliveOptions) else OliveOptions()


def _calibration(job: OptimizeJob) -> Batches | Drawn | None:
    """The calibration set, where a pass may ask for it."""
    if job.technique == "int8_static":
        return Drawn(Batches(job), given(job, Static).examples)
    return Batches(job) if job.config and job.calibration and not job.original else None


def _move(made: Path, target: Path) -> None:
    """Move a model and its external weights, whose names the model knows."""
    from gatekeeper.models.formats.onnx import inspect

    _, *weights = map(Path, inspect(made).files)
    for file in weights:
        shutil.move(file, target.parent / file.name)
    shutil.move(made, target)


def _name_outputs(target: Path, source: Path) -> None:
    """Give outputs their names back: the quantizers of weights add a suffix to the last of them."""
    from gatekeeper.models.formats.onnx import inspect

    names, current = ([tensor.name for tensor in inspect(path).outputs] for path in (source, target))
    if names == current or len(names) != len(current):
        return
    import onnx_ir

    model = onnx_ir.load(target)
    for value, name in zip(model.graph.outputs, names, strict=True):
        value.name = name
    onnx_ir.save(model, target)


def _check_changed(job: OptimizeJob, target: Path, source: Path) -> None:
    """A pass that finds nothing to do says nothing; a copy of the original must not be judged as a variant."""
    from gatekeeper.models.formats.onnx import inspect

    before, after = inspect(source), inspect(target)
    fused = {name for name in after.operators if name.startswith("com.microsoft::")} - before.operators.keys()
    if job.config:
        changed = (before.operators, before.weights) != (after.operators, after.weights)
    else:
        known = {"fp16": "float16" in after.weights, "transformer_optimized": bool(fused)}
        changed = known.get(job.technique, after.quantized)
    if not changed:
        raise NotMeasured("unsupported", "it changed nothing: Olive found nothing to do. Leave the technique out for this model.")


def open_session(path: Path, threads: int, device: str) -> onnx_runtime.OrtSession | _genai.GenaiSession:
    """Load `path`, a model file or the folder `optimize` wrote: ONNX Runtime runs what Olive makes."""
    return onnx_runtime.open_session(path, threads, device)
