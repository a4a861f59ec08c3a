"""NNCF, OpenVINO's quantizer, with the options of its techniques."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._calibration import evenly
from gatekeeper.frameworks._onnx_prepare import inlined
from gatekeeper.frameworks._onnx_rescale import EQUALIZED, rescaled
from gatekeeper.frameworks._openvino_device import DEVICES, names_of, read, said, split_hint
from gatekeeper.frameworks._openvino_nodes import excluded
from gatekeeper.frameworks._openvino_options import Int4Weights, Int8AccuracyControl, Int8Static, Int8Weights
from gatekeeper.frameworks._options import given, reduced
from gatekeeper.frameworks._without import without

if TYPE_CHECKING:
    from gatekeeper.data.prepared import PreparedDataset
    from gatekeeper.frameworks._base import OptimizeJob

# NNCF quantizes these as well; a GRU then no longer compiles for the CPU, and an LSTM answers nonsense.
_RECURRENT = ["LSTMSequence", "GRUSequence", "RNNSequence", "LSTMCell", "GRUCell", "RNNCell"]


def quantized(job: OptimizeJob, source: Path) -> Any:
    """The model of a file as NNCF makes it; `NotMeasured` where it cannot."""
    import openvino

    core = openvino.Core()
    if not getattr(job.options, "equalize", False):
        return _quantized(job, read(core, source))
    with tempfile.TemporaryDirectory(dir=job.destination) as folder:
        made = Path(folder, "equalized.onnx")
        said = rescaled(job, inlined(source, Path(folder)), made)
        model = _quantized(job, read(core, made))
    model.set_rt_info(said, EQUALIZED.split("."))
    return model


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
        weights = given(job, Int8Weights)
        mode = nncf.CompressWeightsMode.INT8_SYM if weights.mode == "symmetric" else nncf.CompressWeightsMode.INT8_ASYM
        return nncf.compress_weights(model, mode=mode, ignored_scope=_ignored(weights.exclude, model))
    if job.technique == "int4_weight_only":
        return _four_bits(job, model)
    return _eight_bits(job, model)


def _four_bits(job: OptimizeJob, model: Any) -> Any:
    import nncf

    options = given(job, Int4Weights)
    if options.scale_estimation and job.calibration is None:
        raise NotMeasured("data", "scale_estimation needs `dataset.calibration`. Name a calibration set, or remove it.")
    # Rows that no group of 64 divides get a smaller one, or stay at 8 bits, instead of failing the whole model.
    adjust = nncf.AdvancedCompressionParameters(group_size_fallback_mode=nncf.GroupSizeFallbackMode.ADJUST)
    mode = nncf.CompressWeightsMode.INT4_ASYM if options.mode == "asymmetric" else nncf.CompressWeightsMode.INT4_SYM
    more: dict[str, Any] = {}
    if job.calibration is not None and job.original is None and (options.awq or options.scale_estimation):
        batches = _batches(job, options.examples)
        more = {"dataset": nncf.Dataset(batches.indices, batches.feed), "subset_size": len(batches.indices)}
    return nncf.compress_weights(
        model,
        mode=mode,
        ratio=options.ratio,
        group_size=options.group_size,
        awq=options.awq,
        scale_estimation=options.scale_estimation,
        all_layers=options.all_layers,
        ignored_scope=_ignored(options.exclude, model),
        advanced_parameters=adjust,
        **more,
    )


def _eight_bits(job: OptimizeJob, model: Any) -> Any:
    import nncf

    from gatekeeper.models.files import assess

    control = job.technique == "int8_accuracy_control"
    options = given(job, Int8AccuracyControl if control else Int8Static)
    assessment, device = assess(job.source), split_hint(job.device)[0]
    batches = _batches(job, options.examples)
    saturates = device in ("cpu", "auto") and not job.vnni  # pairs of 8-bit products are added in 16 bits; 7-bit weights fit
    in_7_bits = reduced(options.reduce_range, saturates)
    settings = {
        "calibration_dataset": nncf.Dataset(batches.indices, batches.feed),
        "subset_size": len(batches.indices),
        "preset": None if options.preset == "auto" else nncf.QuantizationPreset[options.preset.upper()],
        "fast_bias_correction": options.fast_bias_correction,
        "target_device": nncf.TargetDevice["ANY" if device == "auto" else DEVICES[device]],
        "model_type": nncf.ModelType.TRANSFORMER if assessment.architecture == "transformer" else None,
        "ignored_scope": _ignored(options.exclude, model, _RECURRENT),
    }
    advanced = nncf.AdvancedQuantizationParameters(
        overflow_fix=nncf.OverflowFix.ENABLE if in_7_bits else nncf.OverflowFix.DISABLE
    )
    if options.smooth_quant_alpha is not None:
        advanced.smooth_quant_alphas = nncf.AdvancedSmoothQuantParameters(matmul=options.smooth_quant_alpha)
    if not isinstance(options, Int8AccuracyControl):
        return nncf.quantize(model, advanced_parameters=advanced, **settings)
    return nncf.quantize_with_accuracy_control(
        model,
        validation_dataset=nncf.Dataset(batches.indices),
        validation_fn=_Agreement(batches, model),
        max_drop=options.max_drop,
        advanced_quantization_parameters=advanced,
        **settings,
    )


def _ignored(exclude: Sequence[str], model: Any, types: Sequence[str] = ()) -> Any:
    """What NNCF leaves alone; it looks for types that a model may lack without complaint."""
    import nncf

    names = excluded(exclude, model) if exclude else []
    return nncf.IgnoredScope(names=names, types=list(types), validate=False) if names or types else None


def _batches(job: OptimizeJob, wanted: int | None) -> _Batches:
    from gatekeeper.data.prepared import PreparedDataset
    from gatekeeper.models.files import assess

    if job.calibration is None:
        raise NotMeasured("data", f"{job.technique} needs `dataset.calibration`. Name a calibration set.")
    dataset = PreparedDataset(job.calibration)
    return _Batches(dataset, dataset.contents.layout.seen(assess(job.source)).fixed_batch or 1, wanted)


class _Batches:
    """The calibration set in the model's own batch size; of it as many examples as are asked for."""

    def __init__(self, dataset: PreparedDataset, size: int, wanted: int | None = None):
        self.dataset, self.size = dataset, size
        self.indices = evenly(dataset.whole_batches(size), size, wanted)

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
        answers = {i: list(original(batches.feed(i)).values()) for i in batches.indices}
        self.output = choose(names_of(model.outputs), answers[batches.indices[0]], None)
        self.expected = {i: answer[self.output] for i, answer in answers.items()}

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
