"""ONNX Runtime: the reference runtime of ONNX models, its own quantizers, and onnxruntime-genai for language models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import _genai, _genai_options, _onnx_prepare, _onnx_quantize
from gatekeeper.frameworks._base import ORIGINAL, Needs, OptimizeJob
from gatekeeper.frameworks._onnx_operators import quantizes as quantizes
from gatekeeper.frameworks._onnx_operators import weights_of
from gatekeeper.frameworks._onnx_options import OPTIONS as OPTIONS
from gatekeeper.frameworks._onnx_options import OnnxRuntimeSession
from gatekeeper.frameworks._onnx_prepare import prepares as prepares
from gatekeeper.frameworks._onnx_quantize import Batches as Batches
from gatekeeper.frameworks._patterns import Node
from gatekeeper.frameworks._session import read_session
from gatekeeper.models.files import model_format
from gatekeeper.models.formats._onnx_nodes import nodes

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment

EXTRA = "onnx-runtime"
REQUIRES = ("onnxruntime", "onnx", "onnx-ir", "numpy")
NEEDS = {"huggingface": Needs("onnx-runtime-llm", _genai.PACKAGES)}
CONVERTS = ("huggingface",)
OPENS = ("onnx",)

TECHNIQUES = {
    "graph_optimized": "constant folding and operator fusion done ahead of time; same numbers, shorter load",
    "fp16": "weights and arithmetic in half precision; inputs and outputs stay as they are",
    "int8_dynamic": "8-bit weights, activations quantized while running; no calibration set",
    "int8_static": "8-bit weights and activations (QDQ, per channel), scales from the calibration set",
    "int8_weight_only": "8-bit weights in blocks of 32, for the constant matrices of MatMul, multiplied in 8 bits",
    "int4_weight_only": "as int8_weight_only, with 4-bit weights",
    "int4_mixed": "as int4_weight_only, scales searched for (k-quant) and the last layer and the most sensitive of the others "
    "in 8 bits; language models only",
}

# Of language models: precision and options of onnxruntime-genai's model builder. Its quantizer's defaults are those of
# `_weight_only` below: symmetric, blocks of 32, accuracy_level 4 on a CPU.
_BUILT: dict[str, tuple[str, dict[str, str]]] = {
    "fp16": ("fp16", {}),
    "int8_weight_only": ("int8", {}),
    "int4_weight_only": ("int4", {}),
    "int4_mixed": ("int4", {"algo_config": "k_quant_mixed"}),
}

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def supports(model_format: str, device: str) -> str | None:
    """None, or why ONNX Runtime cannot run this format on this device."""
    if model_format not in ("onnx", *CONVERTS):
        return f"ONNX Runtime takes .onnx and Hugging Face folders, not {model_format}"
    if device not in _PROVIDERS:
        return f"this version drives ONNX Runtime on {' and '.join(_PROVIDERS)}, not on {device}"
    return None


def defaults(model_format: str, device: str) -> tuple[str, ...]:
    """Techniques worth trying on a device."""
    if model_format in CONVERTS:
        return ("fp16", "int4_weight_only") if device == "cuda" else ("int8_dynamic", "int8_weight_only", "int4_weight_only")
    if device == "cuda":
        return ("graph_optimized", "fp16")
    return ("int8_dynamic", "int8_static", "int4_weight_only")


def refuses(technique: str, model: Assessment, calibrated: bool) -> str | None:
    """None, or why the technique cannot change this model."""
    if model.text:
        other = f"it is for other models than those that write text; for them there are {', '.join(_BUILT)} and int8_dynamic"
        return _genai.refuses(model) or (None if technique in (*_BUILT, "int8_dynamic") else other)
    if technique == "int4_mixed":
        return "it is for language models in Hugging Face folders; use int4_weight_only"
    weighted = model.weighted_operators
    if technique == "graph_optimized":
        return None
    if model.quantized:
        return "the model is already quantized; start from the floating-point export"
    if technique.endswith("weight_only"):
        if "MatMul" not in weighted:
            has = ", ".join(weighted) or "no weights"
            return f"it quantizes constant matrices of MatMul, and the model has none (it has {has})"
        return None
    if technique in ("fp16", "int8_dynamic") and not model.weights.get("float32"):
        return "the model has no 32-bit weights"
    if technique == "fp16":
        return None
    possible = weights_of(technique, model)
    if not any(count > model.nested_operators.get(name, 0) for name, count in weighted.items() if name in possible):
        inside = " outside If and Loop" if model.nested_operators else ""
        return f"it quantizes {', '.join(sorted(possible))} with constant weights, and the model has none{inside}"
    if technique == "int8_static" and not calibrated:
        return "it needs `dataset.calibration`: examples that are not in the evaluation set"
    return None


def named(model: Path) -> list[Node] | None:
    """The nodes of an ONNX model; of others none can be named."""
    return [Node(*each) for each in nodes(model)] if model_format(model) == "onnx" else None


def optimize(job: OptimizeJob) -> None:
    """Write the artifact to the folder `job.destination`: model.onnx, and what onnxruntime-genai needs to run it as text."""
    if job.original or job.technique == ORIGINAL:
        make = {ORIGINAL: _original, "int8_dynamic": _int8_dynamic_text}.get(job.technique, _built)
    else:
        make = {
            "graph_optimized": _graph_optimized,
            "fp16": _onnx_quantize.fp16,
            "int8_dynamic": _int8,
            "int8_static": _int8,
            "int8_weight_only": _weight_only,
            "int4_weight_only": _weight_only,
        }[job.technique]
    make(job, job.destination / "model.onnx")


def _original(job: OptimizeJob, target: Path) -> None:
    _genai.build(job, "fp32")


def _built(job: OptimizeJob, target: Path) -> None:
    precision, options = _BUILT[job.technique]
    if precision == "fp16" and job.device == "cpu":
        raise NotMeasured("unsupported", "language models in FP16 are for cuda. Leave fp16 out on a CPU.")
    if precision == "fp16":
        _genai.build(job, precision, **options)
        return
    wanted = _genai_options.asked(job)
    _genai.build(job, precision, **options | wanted.options)
    _check_quantized(target)
    _genai_options.check_excluded(target, wanted.excluded)


def _int8_dynamic_text(job: OptimizeJob, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    assert job.original
    _genai.copy_beside(job.original, job.destination)
    # Not prepared as other models are: shape inference does not know the builder's operators, and there is nothing to fold.
    quantize_dynamic(job.original / "model.onnx", target, weight_type=QuantType.QInt8, use_external_data_format=True)
    _check_quantized(target)


def _graph_optimized(job: OptimizeJob, target: Path) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Not ORT_ENABLE_ALL: its layout changes belong to the CPU they were made on, and the artifact must not.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    if len(_assessed(job).files) > 1 or _onnx_prepare.is_large(job.source):  # else the artifact points at the original's weights
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "model.onnx.data")
    onnxruntime.InferenceSession(str(job.source), options, providers=["CPUExecutionProvider"])


def _int8(job: OptimizeJob, target: Path) -> None:
    (_onnx_quantize.int8_static if job.technique == "int8_static" else _onnx_quantize.int8_dynamic)(job, target)
    _check_quantized(target)


def _weight_only(job: OptimizeJob, target: Path) -> None:
    _onnx_quantize.weight_only(job, target, _is_quantized)
    _check_quantized(target)


def _is_quantized(target: Path) -> bool:
    from gatekeeper.models.formats.onnx import inspect

    return inspect(target).quantized


_NOTHING = "it changed nothing: the quantizer found no operator it can quantize, or all are excluded. Exclude fewer."


def _check_quantized(target: Path) -> None:
    """A quantizer that finds nothing to do says nothing; a copy of the original must not be judged as a variant."""
    if not _is_quantized(target):
        raise NotMeasured("unsupported", _NOTHING)


def _assessed(job: OptimizeJob) -> Assessment:
    from gatekeeper.models.formats.onnx import inspect

    return inspect(job.source)


class OrtSession:
    """A session as a user gets it by default, apart from the number of threads and what the artifact asks for."""

    CONCURRENT: Literal[True] = True

    def __init__(
        self, path: Path, threads: int, device: str, asked: OnnxRuntimeSession | None = None, profile: Path | None = None
    ):
        """With `profile`, every operator is timed, and `profiled` writes it to a file whose name begins so."""
        import onnxruntime

        if reason := supports("onnx", device):
            raise NotMeasured("unsupported", f"{reason}. Choose another target.")
        provider = _PROVIDERS[device]
        if provider not in onnxruntime.get_available_providers():
            raise NotMeasured(
                "unsupported",
                f"the installed ONNX Runtime has no {provider}. Install onnxruntime-gpu, or use a CPU target.",
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = asked is None or asked.arena
        if asked is not None and not asked.prepacking:
            options.add_session_config_entry("session.disable_prepacking", "1")
        if profile is not None:
            options.enable_profiling, options.profile_file_prefix = True, str(profile)
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
        except Exception as error:
            raise NotMeasured("model", f"ONNX Runtime cannot load the model: {_first_line(error)}") from error
        if provider not in self._session.get_providers():
            raise NotMeasured("unsupported", f"ONNX Runtime fell back from {provider} to the CPU. Check the GPU driver.")
        self.ran_on = provider
        self.inputs = tuple(i.name for i in self._session.get_inputs())
        self.outputs = tuple(o.name for o in self._session.get_outputs())

    def run(self, feed: dict[str, Any]) -> list[Any]:
        """Every output, for a feed of numpy arrays."""
        return self._session.run(None, feed)  # type: ignore[no-any-return]

    def profiled(self) -> Path:
        """Where the profile is; nothing is timed any more."""
        return Path(self._session.end_profiling())


def open_session(path: Path, threads: int, device: str) -> OrtSession | _genai.GenaiSession:
    """Load `path`, a model file or the folder `optimize` wrote."""
    if (path / _genai.CONFIG).is_file():
        return _genai.GenaiSession(path, threads, device, read_session(path, OnnxRuntimeSession))
    return OrtSession(path / "model.onnx" if path.is_dir() else path, threads, device, read_session(path, OnnxRuntimeSession))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:500] if str(error).strip() else type(error).__name__
