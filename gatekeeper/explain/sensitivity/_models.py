"""The floating-point model and the quantized one of it, and feeds, as the ranking of layers wants them. In a worker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import _onnx_prepare, onnx_runtime
from gatekeeper.frameworks._base import OptimizeJob

if TYPE_CHECKING:
    from gatekeeper.explain.sensitivity.rank import Begin

TECHNIQUES = ("int8_dynamic", "int8_static", "int8_weight_only", "int4_weight_only")
"""Techniques whose layers can be told apart: what they do to one does not change the others."""


def models(asked: Begin) -> tuple[Path, Path]:
    """Both as files; the quantized one is made where none is named."""
    if asked.technique not in TECHNIQUES:
        raise NotMeasured("unsupported", f"layers are ranked of {', '.join(TECHNIQUES)}, and not of {asked.technique}.")
    folder = Path(asked.folder)
    if _onnx_prepare.is_large(Path(asked.model)):
        raise NotMeasured("unsupported", "layers are ranked of ONNX models of less than 1.9 GB.")
    job = OptimizeJob(
        source=Path(asked.model),
        destination=_made(folder / "quantized"),
        technique=asked.technique,
        device="cpu",
        vnni=asked.vnni,
        calibration=Path(asked.calibration),
    )
    if asked.technique.endswith("weight_only"):
        original = _onnx_prepare.without_functions(job, _made(folder / "prepared"))
    else:
        original = _onnx_prepare.prepared(job, _made(folder / "prepared"))
    if asked.artifact:
        found = Path(asked.artifact)
        return original, found / "model.onnx" if found.is_dir() else found
    onnx_runtime.optimize(job)
    return original, job.destination / "model.onnx"


def readable(asked: Begin) -> list[dict[str, Any]]:
    """Feeds of the calibration set, as the model itself takes them; as many as fill whole batches."""
    dataset = PreparedDataset(Path(asked.calibration))
    wanted = max(1, min(asked.examples, dataset.contents.examples) // asked.batch)
    return [dataset.own_batch(i, asked.batch) for i in range(min(wanted, dataset.whole_batches(asked.batch)))]


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
