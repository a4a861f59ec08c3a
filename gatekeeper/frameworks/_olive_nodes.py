"""Nodes that options of Olive's techniques name, as its passes take them: by their names in the model that Olive is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import _onnx_nodes, _onnx_prepare
from gatekeeper.frameworks._onnx_operators import listed

if TYPE_CHECKING:
    from gatekeeper.frameworks._base import OptimizeJob

_FIELDS = {"fp16": "node_block_list"}
_MATRICES = {"int4_weight_only": ("MatMul", "Gather"), "k_quant": ("MatMul",)}


def chosen(job: OptimizeJob, ready: Path, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The model with a name for every node, where any is named, and the settings of the pass that name some."""
    import onnx

    wanted = job.options.patterns() if job.options and not job.config else {}
    if not wanted:
        return ready, {}
    source = job.original / "model.onnx" if job.original else job.source
    model = onnx.load(str(ready))
    able = _able(job, model)
    found = {field: _onnx_nodes.excluded(patterns, source, model, able, field) for field, patterns in wanted.items()}
    if both := sorted(set(found.get("exclude", ())) & set(found.get("eight_bits", ()))):
        raise NotMeasured("unsupported", f"exclude and eight_bits both mean {', '.join(both[:3])}. Let one of them mean it.")
    named = folder / "named.onnx"
    _onnx_prepare.save(model, named)
    settings: dict[str, Any] = {}
    if "exclude" in found and job.technique == "int8_dynamic":
        found["exclude"] = _onnx_nodes.split(found["exclude"], model)
    if "exclude" in found:
        settings[_FIELDS.get(job.technique, "nodes_to_exclude")] = found["exclude"]
    if "eight_bits" in found:
        settings["customized_weight_config"] = {name: {"bits": 8} for name in found["eight_bits"]}
    return named, settings


def _able(job: OptimizeJob, model: Any) -> list[str]:
    """Operators that the technique would change."""
    from gatekeeper.models.formats.onnx import inspect

    if job.technique == "fp16":
        from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST

        return sorted({node.op_type for node in model.graph.node} - set(DEFAULT_OP_BLOCK_LIST))
    if job.technique in _MATRICES:
        return list(_MATRICES[job.technique])
    return ["MatMul", "Gemm", "Gather"] if job.original else listed(job.technique, inspect(job.source))
