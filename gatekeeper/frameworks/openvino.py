"""OpenVINO: Intel's runtime for its CPUs, GPUs and NPUs, and NNCF, its quantizer."""

from __future__ import annotations

import sys
import threading
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import _openvino_text
from gatekeeper.frameworks._base import ORIGINAL, TEXT_FORMATS, Needs, OptimizeJob, Session
from gatekeeper.frameworks._openvino_device import compile_on, names_of, not_among_devices, ran_on, read, split_hint
from gatekeeper.frameworks._openvino_nodes import also_as
from gatekeeper.frameworks._openvino_options import OPTIONS as OPTIONS
from gatekeeper.frameworks._openvino_options import Int8AccuracyControl
from gatekeeper.frameworks._openvino_quantize import quantized
from gatekeeper.frameworks._options import given
from gatekeeper.frameworks._patterns import Node
from gatekeeper.models.files import model_format
from gatekeeper.models.formats._onnx_nodes import nodes
from gatekeeper.models.info import TEXT

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment

EXTRA = "openvino"
REQUIRES = ("openvino", "nncf", "numpy")
CONVERTS = TEXT_FORMATS
OPENS = ("openvino_ir",)
HINTS = ("throughput",)

_TEXT = (*REQUIRES, "torch", "transformers", "safetensors", "tokenizers")
NEEDS = {"huggingface": Needs("openvino-llm", _TEXT), "gguf": Needs("openvino-llm", (*_TEXT, "gguf"))}

TECHNIQUES = {
    "fp16": "weights kept in half precision; the device chooses the arithmetic (FP32 on most CPUs)",
    "int8_static": "8-bit weights and activations (NNCF), scales from the calibration set",
    "int8_weight_only": "8-bit weights (NNCF), arithmetic in floating point; no calibration set",
    "int4_weight_only": "4-bit weights in groups of up to 64 for matrices, 8-bit for the last layer and embeddings (NNCF)",
    "int8_accuracy_control": "as int8_static, but layers go back to floating point until 99 % of the answers on the "
    "calibration set (never the evaluation set) are those of the original",
}

_FORMATS = ("onnx", "openvino_ir")
# As ONNX and as OpenVINO name them.
_MATRICES = {"MatMul", "Gemm"}
_KERNELS = {
    "Conv", "ConvTranspose", "Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData",
}  # fmt: skip
_BYTES = {"int8", "uint8"}


def supports(model_format: str, device: str) -> str | None:
    """None, or why OpenVINO cannot run this format on this device."""
    if model_format in TEXT_FORMATS:
        return _openvino_text.supports(device)
    if model_format not in _FORMATS:
        return f"this version gives OpenVINO .onnx and .xml, not {model_format}"
    return not_among_devices(device.partition(":")[0])


def defaults(model_format: str, device: str) -> tuple[str, ...]:
    """Techniques worth trying on a device."""
    if model_format in TEXT_FORMATS:
        return ("int8_weight_only", "int4_weight_only")
    cpu = device.partition(":")[0] in ("cpu", "auto")
    return ("int8_static", "int8_weight_only", "int4_weight_only") if cpu else ("fp16", "int8_static")


def refuses(technique: str, model: Assessment, calibrated: bool) -> str | None:
    """None, or why the technique cannot change this model."""
    if model.text:
        return _openvino_text.refuses(technique, model, model.text)
    if texts := [each.name for each in model.inputs if each.dtype == TEXT]:
        return f"OpenVINO has tensors of numbers only, and the input {texts[0]} is texts"
    if model.quantized:
        return "the model is already quantized; start from the floating-point export"
    if technique == "fp16":
        return None if model.weights.keys() & {"float32", "float64"} else "the model has no 32-bit weights"
    possible = _MATRICES if technique == "int4_weight_only" else _MATRICES | _KERNELS | {"Gather"}
    nested = model.nested_operators if technique.endswith("weight_only") else {}
    count = sum(n - nested.get(name, 0) for name, n in model.weighted_operators.items() if name in possible)
    if not count:
        inside = " outside If and Loop" if nested else ""
        return f"it quantizes {', '.join(sorted(possible))} with constant weights, and the model has none{inside}"
    if technique == "int4_weight_only" and count == 1:
        return "it keeps the last layer at 8 bits, and the model has no other constant matrix"
    if technique in ("int8_static", "int8_accuracy_control") and not calibrated:
        return "it needs `dataset.calibration`: examples that are not in the evaluation set"
    return None


def named(model: Path) -> list[Node] | None:
    """The nodes of an ONNX model, as OpenVINO has them too; of its own form the work tells."""
    return also_as(Node(*each) for each in nodes(model)) if model_format(model) == "onnx" else None


def optimize(job: OptimizeJob) -> None:
    """Write the artifact to the folder `job.destination`: model.xml, or openvino_model.xml if it writes text, and its .bin."""
    import openvino

    with redirect_stdout(sys.stderr):  # NNCF draws progress bars and tables
        if job.technique == ORIGINAL:
            _openvino_text.write_original(job.source, job.destination)
            return
        text = job.original is not None
        source = job.original / _openvino_text.MODEL if job.original else job.source
        target = job.destination / (_openvino_text.MODEL if text else "model.xml")
        half = job.technique == "fp16"
        model = read(openvino.Core(), source) if half else quantized(job, source)
        if text:
            if half:
                _openvino_text.halve(model)
            _openvino_text.mark(model, job.technique)
        openvino.save_model(model, target, compress_to_fp16=half and not text)
    _check_changed(job, target)


def _check_changed(job: OptimizeJob, target: Path) -> None:
    """A quantizer that finds nothing to do says nothing; a copy of the original must not be judged as a variant."""
    from gatekeeper.models.formats.openvino_ir import inspect

    most = given(job, Int8AccuracyControl).max_drop
    wanted, reason = {
        "fp16": ({"float16"}, "no weight fits half precision"),
        "int4_weight_only": (
            {"int4", "uint4"},
            "no matrix but the last has rows that groups divide, or it is excluded or beyond ratio",
        ),
        "int8_accuracy_control": (_BYTES, f"with any layer in 8 bits, more than {most:.0%} of the answers change"),
    }.get(job.technique, (_BYTES, "the quantizer found no weights it can quantize"))
    if not inspect(target).weights.keys() & wanted:
        raise NotMeasured("unsupported", f"it changed nothing: {reason}. Leave {job.technique} out for this model.")


class OpenVINOSession:
    """One compiled model, and one infer request for each thread that calls it."""

    CONCURRENT: Literal[True] = True

    def __init__(self, path: Path, threads: int, device: str, original: bool, profile: bool = False):
        """With `profile`, every operator is timed, and `profiled` returns the times of the last call."""
        import openvino

        name, hint = split_hint(device)
        core = openvino.Core()
        settings: dict[str, Any] = {"PERFORMANCE_HINT": hint} | ({"PERF_COUNT": True} if profile else {})
        if original and name != "npu":  # NPUs compute in 16 bits; the others may, unless told not to
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        model = read(core, path)
        # Before compiling: that may merge an output with the tensor it copies, which has a name of its own.
        self.inputs, self.outputs = names_of(model.inputs), names_of(model.outputs)
        self._model = compile_on(core, model, name, threads, settings)
        self._tensor, self._threads = openvino.Tensor, threads
        self._requests = threading.local()
        self._lock = threading.Lock()

    @property
    def ran_on(self) -> str:
        """The device, read back from OpenVINO; of AUTO, the one it has chosen."""
        return ran_on(self._model, self._threads)

    def run(self, feed: dict[str, Any]) -> list[Any]:
        """Every output, for a feed of numpy arrays."""
        try:
            request = self._requests.own
        except AttributeError:
            with self._lock:
                request = self._requests.own = self._model.create_infer_request()
        if len(feed) > len(self.inputs):
            lacking = ", ".join(name for name in feed if name not in self.inputs)
            said = f"OpenVINO keeps the value that the model itself has for its input {lacking}, and another is given"
            raise NotMeasured("unsupported", f"{said}. Leave it out of data and `inputs`, or leave openvino out.")
        for i, name in enumerate(self.inputs):
            array = feed[name]
            request.set_input_tensor(i, self._tensor(array, shared_memory=array.flags.carray))  # carray: may be shared
        return list(request.infer().values())

    def profiled(self) -> list[tuple[str, str, int]]:
        """Name, kind and nanoseconds of each operator that ran in this thread's last call."""
        found = self._requests.own.get_profiling_info()
        ran = [each for each in found if each.status == each.Status.EXECUTED]
        return [(each.node_name, each.node_type, int(each.real_time.total_seconds() * 1e9)) for each in ran]


def open_session(path: Path, threads: int, device: str) -> Session:
    """Load `path`: the user's model file, at full precision, or the folder `optimize` wrote, as OpenVINO runs it."""
    if (path / _openvino_text.MODEL).is_file():
        return _openvino_text.OpenVINOTextSession(path, threads, device)
    folder = path.is_dir()
    return OpenVINOSession(path / "model.xml" if folder else path, threads, device, original=not folder)
