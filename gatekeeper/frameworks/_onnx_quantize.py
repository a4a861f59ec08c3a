"""ONNX Runtime's quantizers and its converter to half precision, with the options of their techniques."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import _onnx_prepare
from gatekeeper.frameworks._calibration import evenly
from gatekeeper.frameworks._onnx_nodes import excluded, split
from gatekeeper.frameworks._onnx_operators import listed
from gatekeeper.frameworks._onnx_options import PERCENTILE, Fp16, Int8Dynamic, Int8Static, WeightOnly
from gatekeeper.frameworks._onnx_rescale import EQUALIZED, rescaled
from gatekeeper.frameworks._options import given, reduced
from gatekeeper.frameworks._patterns import Node, unmatched

if TYPE_CHECKING:
    import onnx

    from gatekeeper.frameworks._base import OptimizeJob
    from gatekeeper.models.info import Assessment

ENTROPY_BINS = 1024
"""Of a histogram, of which entropy calibration keeps 128 to all: ranges down to an eighth of what was seen."""


def fp16(job: OptimizeJob, target: Path) -> None:
    """Weights and arithmetic in half precision, but of what is excluded."""
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    exclude = given(job, Fp16).exclude
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        source = _onnx_prepare.without_functions(job, Path(folder))
        model = onnx.load(str(source))
    able = {node.op_type for node in model.graph.node} - set(DEFAULT_OP_BLOCK_LIST)
    left = excluded(exclude, job.source, model, able) if exclude else None
    _onnx_prepare.save(convert_float_to_float16(model, keep_io_types=True, node_block_list=left), target)


def int8_dynamic(job: OptimizeJob, target: Path) -> None:
    """8-bit weights, activations quantized while running."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    options = given(job, Int8Dynamic)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        source = _onnx_prepare.prepared(job, Path(folder))
        operators = _operators(job, options.operators)
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=operators,
            nodes_to_exclude=_left_out(job, source, options.exclude, operators),
            per_channel=options.per_channel,
            weight_type=QuantType.QUInt8 if options.weights == "uint8" else QuantType.QInt8,
            reduce_range=reduced(options.reduce_range, saturate=not job.vnni),
            use_external_data_format=_onnx_prepare.is_large(job.source),
        )


def int8_static(job: OptimizeJob, target: Path) -> None:
    """8-bit weights and activations of 8 or 16 bits (QDQ), scales from the calibration set."""
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

    options = given(job, Int8Static)
    examples = iter(Drawn(Batches(job), options.examples))

    class Examples(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Any] | None:
            return next(examples, None)

    methods = {
        "minmax": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
        "percentile": CalibrationMethod.Percentile,
        "distribution": CalibrationMethod.Distribution,
    }
    # Said in both places: percentile calibration takes ranges for symmetric otherwise, half of which ReLU leaves empty.
    extra: dict[str, Any] = {"ActivationSymmetric": options.symmetric, "CalibTensorRangeSymmetric": options.symmetric}
    if options.calibration == "percentile":
        extra["CalibPercentile"] = options.percentile or PERCENTILE
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        source = _onnx_prepare.prepared(job, Path(folder))
        scaled = rescaled(job, source, source) if options.equalize else ""
        operators = _operators(job, options.operators)
        left = _left_out(job, source, options.exclude, operators)
        with redirect_stdout(sys.stderr), finer_bins():  # it prints what it calibrates
            quantize_static(
                source,
                target,
                Examples(),
                op_types_to_quantize=operators,
                nodes_to_exclude=left,
                quant_format=QuantFormat.QDQ,
                per_channel=options.per_channel,
                activation_type=QuantType.QUInt16 if options.activations == 16 else QuantType.QUInt8,
                weight_type=QuantType.QUInt8 if options.weights == "uint8" else QuantType.QInt8,
                # Without VNNI, pairs of 8-bit products are added in 16 bits and saturate; 7-bit weights cannot.
                reduce_range=reduced(options.reduce_range, saturate=not job.vnni),
                calibrate_method=methods[options.calibration],
                use_external_data_format=_onnx_prepare.is_large(job.source),
                extra_options=extra,
            )
    if scaled:
        _note(target, scaled)


def weight_only(job: OptimizeJob, target: Path, done: Any) -> None:
    """Matrices of 4 or 8 bits in blocks; `done(target)` says whether something was quantized."""
    bits = 4 if job.technique.startswith("int4") else 8
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        source = _onnx_prepare.without_functions(job, Path(folder))
        _onnx_prepare.save(_in_blocks(job, source, bits), target)
        if not done(target):  # its matrices may be computed from constants: fold those first
            _onnx_prepare.save(_in_blocks(job, _onnx_prepare.folded_too(job, source, Path(folder)), bits), target)


def _in_blocks(job: OptimizeJob, source: Path, bits: int) -> onnx.ModelProto:
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    options, model = given(job, WeightOnly), onnx.load(str(source))
    left = excluded(options.exclude, job.source, model, {"MatMul"}) if options.exclude else None
    quantizer = MatMulNBitsQuantizer(
        model,
        bits=bits,
        block_size=options.block_size,
        is_symmetric=options.symmetric,
        accuracy_level=options.accuracy_level,  # 4: products in 8 bits, which is what makes such weights fast on a CPU
        nodes_to_exclude=left,
    )
    quantizer.process()
    made: onnx.ModelProto = quantizer.model.model
    return made


@contextmanager
def finer_bins() -> Iterator[None]:
    """Let entropy calibration choose between ranges.

    It sorts values into bins and asks how many of the middle ones to keep; as quantize_static calls it, there are as many bins as
    it keeps at least (128), so that it keeps all, and nothing says otherwise.
    """
    import onnxruntime.quantization  # noqa: F401  the function of that name hides the module

    module = sys.modules["onnxruntime.quantization.quantize"]
    usual = module.create_calibrator

    def finer(*given: Any, **more: Any) -> Any:
        bins = {"num_bins": ENTROPY_BINS} if more.get("calibrate_method").name == "Entropy" else {}  # type: ignore[union-attr]
        return usual(*given, **more | {"extra_options": {**more.get("extra_options", {}), **bins}})

    module.create_calibrator = finer  # type: ignore[attr-defined]
    try:
        yield
    finally:
        module.create_calibrator = usual  # type: ignore[attr-defined]


class Batches:
    """The calibration set as feeds, in the batch that the model fixes; one example a feed where it fixes none."""

    def __init__(self, job: OptimizeJob):
        from gatekeeper.data.prepared import PreparedDataset

        if job.calibration is None:
            raise NotMeasured("data", f"{job.technique} needs `dataset.calibration`. Name a calibration set.")
        self._dataset = PreparedDataset(job.calibration)
        self.size = self._dataset.contents.layout.seen(_assessed(job)).fixed_batch or 1
        if not len(self):
            raise NotMeasured("data", f"the calibration set has fewer examples than the model's batch of {self.size}. Add some.")

    def __len__(self) -> int:
        return self._dataset.contents.examples // self.size  # a last, smaller batch does not fit a model that fixes it

    def __getitem__(self, index: int) -> dict[str, Any]:
        import numpy as np

        if index >= len(self):
            raise IndexError(index)
        return {name: np.array(array) for name, array in self._dataset.own_batch(index, self.size).items()}


class Drawn:
    """Some of the calibration set's feeds: as many examples as are wanted, from all parts of it."""

    def __init__(self, batches: Batches, wanted: int | None):
        self._batches, self._indices = batches, evenly(len(batches), batches.size, wanted)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._batches[self._indices[index]]


def _operators(job: OptimizeJob, wanted: tuple[str, ...]) -> list[str]:
    """The operator types to quantize; `NotMeasured` where one of those asked for is none that the technique can."""
    usual = listed(job.technique, _assessed(job))
    if not wanted:
        return usual
    from onnxruntime.quantization.registry import IntegerOpsRegistry, QDQRegistry

    able = sorted(IntegerOpsRegistry if job.technique == "int8_dynamic" else QDQRegistry)
    if lost := unmatched(wanted, [Node("", name, (name,)) for name in able], "operators"):
        raise NotMeasured(
            "unsupported", " ".join(lost).replace("The model has", "The technique quantizes").partition("; nodes")[0]
        )
    return sorted(set(wanted))


def _left_out(job: OptimizeJob, source: Path, exclude: tuple[str, ...], operators: list[str]) -> list[str]:
    """Names of excluded nodes in the prepared model, which is saved with a name of its own for every node."""
    import onnx

    if not exclude:
        return []
    model = onnx.load(str(source))
    names = excluded(exclude, job.source, model, operators)
    _onnx_prepare.save(model, source)
    return split(names, model) if job.technique == "int8_dynamic" else names


def _note(target: Path, said: str) -> None:
    """Keep in the artifact what was done to it."""
    import onnx

    model = onnx.load(str(target), load_external_data=False)
    entry = model.metadata_props.add()
    entry.key, entry.value = EQUALIZED, said
    onnx.save(model, str(target))


def _assessed(job: OptimizeJob) -> Assessment:
    from gatekeeper.models.formats.onnx import inspect

    return inspect(job.source)
