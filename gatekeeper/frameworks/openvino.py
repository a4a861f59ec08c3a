"""OpenVINO: Intel's runtime for its CPUs, GPUs and NPUs, and NNCF, its quantizer."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import _openvino_text
from gatekeeper.frameworks._base import ORIGINAL, TEXT_FORMATS, Needs, OptimizeJob, Session
from gatekeeper.frameworks._openvino_device import DEVICES, compile_on, not_among_devices, ran_on, read, said, split_hint
from gatekeeper.frameworks._without import without
from gatekeeper.models.info import TEXT

if TYPE_CHECKING:
    from gatekeeper.data.prepared import PreparedDataset
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
# NNCF quantizes these as well; a GRU then no longer compiles for the CPU, and an LSTM answers nonsense.
_RECURRENT = ["LSTMSequence", "GRUSequence", "RNNSequence", "LSTMCell", "GRUCell", "RNNCell"]
_BYTES = {"int8", "uint8"}
_GROUP = 64
_AGREEMENT_DROP = 0.01


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
        model = read(openvino.Core(), source)
        half = job.technique == "fp16"
        if not half:
            model = _quantized(job, model)
        if text:
            if half:
                _openvino_text.halve(model)
            _openvino_text.mark(model, job.technique)
        openvino.save_model(model, target, compress_to_fp16=half and not text)
    _check_changed(job.technique, target)


def _quantized(job: OptimizeJob, model: Any) -> Any:
    from openvino.passes import ConstantFolding, Manager

    folding = Manager()
    folding.register_pass(ConstantFolding())  # NNCF passes over weights that are computed from constants
    folding.run_passes(model)
    try:
        with without("torch"):
            return _by_nncf(job, model)
    except RuntimeError as error:
        if "alloc" in str(error):
            raise  # out of memory says nothing of the model
        raise NotMeasured("unsupported", f"NNCF cannot quantize the model: {said(error)}") from error


def _by_nncf(job: OptimizeJob, model: Any) -> Any:
    os.environ.setdefault("NNCF_CI", "1")  # its own switch for telemetry, read on import
    import logging

    import nncf

    nncf.set_log_level(logging.ERROR)
    if job.technique == "int8_weight_only":
        return nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
    if job.technique == "int4_weight_only":
        # Rows that no group of 64 divides get a smaller one, or stay at 8 bits, instead of failing the whole model.
        adjust = nncf.AdvancedCompressionParameters(group_size_fallback_mode=nncf.GroupSizeFallbackMode.ADJUST)
        mode = nncf.CompressWeightsMode.INT4_SYM
        return nncf.compress_weights(model, mode=mode, group_size=_GROUP, advanced_parameters=adjust)
    if job.calibration is None:
        raise NotMeasured("data", f"{job.technique} needs `dataset.calibration`. Name a calibration set.")
    from gatekeeper.data.prepared import PreparedDataset
    from gatekeeper.models.files import assess

    assessment, device = assess(job.source), split_hint(job.device)[0]
    dataset = PreparedDataset(job.calibration)
    batches = _Batches(dataset, dataset.contents.layout.seen(assessment).fixed_batch or 1)
    saturates = device in ("cpu", "auto") and not job.vnni  # pairs of 8-bit products are added in 16 bits; 7-bit weights fit
    settings = {
        "calibration_dataset": nncf.Dataset(batches.indices, batches.feed),
        "subset_size": len(batches.indices),
        "target_device": nncf.TargetDevice["ANY" if device == "auto" else DEVICES[device]],
        "model_type": nncf.ModelType.TRANSFORMER if assessment.architecture == "transformer" else None,
        "ignored_scope": nncf.IgnoredScope(types=_RECURRENT, validate=False),
    }
    advanced = nncf.AdvancedQuantizationParameters(
        overflow_fix=nncf.OverflowFix.ENABLE if saturates else nncf.OverflowFix.DISABLE
    )
    if job.technique == "int8_static":
        return nncf.quantize(model, advanced_parameters=advanced, **settings)
    return nncf.quantize_with_accuracy_control(
        model,
        validation_dataset=nncf.Dataset(batches.indices),
        validation_fn=_Agreement(batches, model),
        max_drop=_AGREEMENT_DROP,
        advanced_quantization_parameters=advanced,
        **settings,
    )


class _Batches:
    """The calibration set in the model's own batch size."""

    def __init__(self, dataset: PreparedDataset, size: int):
        self.dataset, self.size = dataset, size
        self.indices = range(dataset.whole_batches(size))

    def feed(self, index: int) -> dict[str, Any]:
        """One batch, in memory that may be written to, as OpenVINO wants it."""
        import numpy as np

        return {name: np.array(array) for name, array in self.dataset.own_batch(index, self.size).items()}


class _Agreement:
    """How far a model answers as the original does: the share of equal classes, or one minus the relative distance."""

    def __init__(self, batches: _Batches, model: Any):
        import openvino

        from gatekeeper.data.outputs import choose

        self.batches = batches
        original = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        answers = [list(original(batches.feed(i)).values()) for i in batches.indices]
        self.output = choose(_names(model.outputs), answers[0], None)
        self.expected = [answer[self.output] for answer in answers]

    def __call__(self, model: Any, indices: Any) -> tuple[float, None]:
        import numpy as np

        scores = []
        for i in indices:
            answer, expected = model(self.batches.feed(i))[self.output], self.expected[i]
            if expected.ndim >= 2 and expected.shape[-1] > 1:
                scores.append(float((answer.argmax(-1) == expected.argmax(-1)).mean()))
            else:
                scores.append(1 - float(np.linalg.norm(answer - expected)) / max(float(np.linalg.norm(expected)), 1e-12))
        return sum(scores) / len(scores), None


def _check_changed(technique: str, target: Path) -> None:
    """A quantizer that finds nothing to do says nothing; a copy of the original must not be judged as a variant."""
    from gatekeeper.models.formats.openvino_ir import inspect

    wanted, reason = {
        "fp16": ({"float16"}, "no weight fits half precision"),
        "int4_weight_only": ({"int4"}, "no matrix but the last has rows that groups divide"),
        "int8_accuracy_control": (_BYTES, f"with any layer in 8 bits, more than {_AGREEMENT_DROP:.0%} of the answers change"),
    }.get(technique, (_BYTES, "the quantizer found no weights it can quantize"))
    if not inspect(target).weights.keys() & wanted:
        raise NotMeasured("unsupported", f"it changed nothing: {reason}. Leave {technique} out for this model.")


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
        self.inputs, self.outputs = _names(model.inputs), _names(model.outputs)
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


def _names(ports: Any) -> tuple[str, ...]:
    """Tensor names; of several the first in the alphabet, as the inspector chooses."""
    return tuple(min(port.names, default=port.node.friendly_name) for port in ports)
