"""Options of techniques as onnxruntime-genai's model builder takes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._onnx_options import Blocks, Int4WeightOnly, WeightOnly
from gatekeeper.frameworks._options import given

if TYPE_CHECKING:
    from gatekeeper.frameworks._base import OptimizeJob


@dataclass(frozen=True)
class Asked:
    """The builder's options, and the matrices that it is to leave as they are, by their nodes' names."""

    options: dict[str, str]
    excluded: list[str]


def asked(job: OptimizeJob) -> Asked:
    """What the options of a job mean to the builder."""
    said = given(job, Blocks)
    options: dict[str, str] = {}
    if said.block_size != Blocks().block_size:
        options["block_size"] = str(said.block_size)
    if said.accuracy_level != Blocks().accuracy_level:
        options["accuracy_level"] = str(said.accuracy_level)
    if isinstance(said, WeightOnly) and not said.symmetric:
        options["is_symmetric"] = "false"
    if isinstance(said, Int4WeightOnly) and said.algorithm == "k_quant":
        options["algo_config"] = "k_quant"
    names = excluded(job, said.exclude)
    if names:
        options["nodes_to_exclude"] = ",".join(names)
    return Asked(options, names)


def excluded(job: OptimizeJob, patterns: tuple[str, ...], able: tuple[str, ...] = ("MatMul",)) -> list[str]:
    """Names of the nodes that patterns mean in the unoptimized model that the builder has made."""
    import onnx

    from gatekeeper.frameworks import _onnx_nodes

    if not patterns:
        return []
    assert job.original
    built = job.original / "model.onnx"
    return _onnx_nodes.excluded(patterns, built, onnx.load(str(built), load_external_data=False), able)


def check_excluded(made: Path, names: list[str]) -> None:
    """The builder passes over names that it does not know, and says nothing."""
    import onnx

    if not names:
        return
    kept = {node.name for node in onnx.load(str(made), load_external_data=False).graph.node if node.op_type == "MatMul"}
    if lost := [name for name in names if name not in kept]:
        raise NotMeasured(
            "unsupported",
            f"exclude: onnxruntime-genai's model builder quantized {', '.join(lost[:3])} all the same. Name other nodes.",
        )
