"""Quantizes a .gguf file by llama.cpp's own quantizer: which type each tensor is to have, and what weighs the rounding errors."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._patterns import Node, matched, unmatched

if TYPE_CHECKING:
    import numpy as np

    from gatekeeper.models.formats.gguf import StoredTensor

TYPES = {
    "f16": "float16", "q8_0": "q8_0", "q6_k": "q6_k", "q5_k": "q5_k", "q5_1": "q5_1", "q5_0": "q5_0", "q4_k": "q4_k",
    "q4_1": "q4_1", "q4_0": "q4_0", "iq4_nl": "iq4_nl", "q3_k": "q3_k", "q2_k": "q2_k",
}  # fmt: skip
"""Types that a tensor may be given, by llama.cpp's name: what they are called in an assessment."""
_GATES = "ffn_gate_inp"  # which expert is asked: llama.cpp never quantizes them
NAMED = "tensor"
OUTPUT, EMBEDDINGS = "output.weight", "token_embd.weight"


@dataclass(frozen=True)
class Weights:
    """What is asked of the quantizer beside a technique's own mixture.

    `tensors`: names, patterns or kinds of matrices (`attn_v`), and the types that those are to have which they mean.
    `importance`: how much columns weigh, float32 [columns], by tensor.
    """

    output: str | None = None
    embeddings: str | None = None
    tensors: Mapping[str, str] = field(default_factory=dict)
    importance: dict[str, np.ndarray] = field(default_factory=dict)


def quantize(source: Path, target: Path, technique: str, file_type: str, weights: Weights) -> None:
    """Write `target`; `NotMeasured` where a tensor that was named did not become what it was to be."""
    import llama_cpp

    from gatekeeper.frameworks._llama_cpp_session import listen

    there = _stored(source) if weights.output or weights.embeddings or weights.tensors else {}
    wanted = wanted_types(matrices(there), weights)
    _check_rows(wanted, there)
    log = listen()
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_{file_type}")
    params.nthread = threads()
    kept = _fill(params, wanted, weights, tied=OUTPUT not in there)
    log.clear()
    failed = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(target), params)
    del kept
    if failed:
        said = log.said()
        if "alloc" in said:
            raise NotMeasured("memory", f"out of memory while quantizing to {technique}: {said}. Use a machine with more.")
        if "iostream" in said:
            raise NotMeasured("disk", f"llama.cpp could not write {target.name}: {said}. Free some space.")
        raise NotMeasured(
            "unsupported", f"llama.cpp cannot quantize the model to {technique}: {said}. Leave it out for this model."
        )
    _check_made(target, wanted)


def matrices(tensors: Mapping[str, StoredTensor]) -> list[str]:
    """Names of what llama.cpp quantizes."""
    return [name for name, each in tensors.items() if len(each.dims) > 1 and name.endswith(".weight") and _GATES not in name]


def named(model: Path) -> list[Node]:
    """The matrices of a .gguf file, as options name them."""
    return [as_node(name) for name in matrices(_stored(model))]


def as_node(name: str) -> Node:
    """A matrix by its name and kind: of blk.0.attn_v.weight, attn_v."""
    return Node(name, name.split(".")[-2] if "." in name else name)


def threads() -> int:
    """As many as this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def wanted_types(names: list[str], weights: Weights) -> dict[str, str]:
    """The type of every matrix that is named, by llama.cpp's name of it; `NotMeasured` where something names none."""
    nodes = [as_node(name) for name in names]
    if lost := unmatched(list(weights.tensors), nodes, "tensors", NAMED):
        raise NotMeasured("unsupported", " ".join(lost))
    if weights.output and weights.embeddings and OUTPUT not in names:
        raise NotMeasured(
            "unsupported",
            "the model's last layer is its embeddings, so that `output` and `embeddings` are one thing. Name one of them.",
        )
    said = [
        (f"tensors '{pattern}'", node.name, kind)
        for pattern, kind in weights.tensors.items()
        for node in nodes
        if matched(pattern, node)
    ]
    said += [("output", OUTPUT if OUTPUT in names else EMBEDDINGS, weights.output)] if weights.output else []
    said += [("embeddings", EMBEDDINGS, weights.embeddings)] if weights.embeddings else []
    found: dict[str, tuple[str, str]] = {}
    for who, name, kind in said:
        before, other = found.setdefault(name, (kind, who))
        if before != kind:
            raise NotMeasured(
                "unsupported", f"{other} and {who} both mean '{name}', and give it {before} and {kind}. Let one of them mean it."
            )
    return {name: kind for name, (kind, _) in found.items()}


def _check_rows(wanted: dict[str, str], there: dict[str, StoredTensor]) -> None:
    """llama.cpp takes another type, and says so in its log alone, where blocks do not divide a row."""
    from gatekeeper.models.formats.gguf import TYPES as STORED

    blocks = {name: block for name, block, _ in STORED.values()}
    for name, kind in wanted.items():
        if name not in there:
            raise NotMeasured("unsupported", f"the model has no tensor '{name}'. Leave it out for this model.")
        if there[name].dims[0] % blocks[TYPES[kind]]:
            raise NotMeasured(
                "unsupported",
                f"{kind} needs rows whose length is a multiple of {blocks[TYPES[kind]]}, and '{name}' has rows of "
                f"{there[name].dims[0]}. Choose another type for it.",
            )


def _fill(params: Any, wanted: dict[str, str], weights: Weights, tied: bool) -> list[Any]:
    """Hand over pointers; what they point at, which must outlive the call."""
    import llama_cpp

    def number(kind: str) -> int:
        return int(getattr(llama_cpp, f"GGML_TYPE_{kind.upper()}"))

    # Of tied embeddings, llama.cpp takes the type of the last layer where it looks at them as one; as embeddings, it always does.
    if (kind := wanted.get(EMBEDDINGS)) is not None:
        params.token_embedding_type = number(kind)
    if (kind := wanted.get(OUTPUT)) is not None and not tied:
        params.output_tensor_type = number(kind)
    others = {name: kind for name, kind in wanted.items() if name not in (OUTPUT, EMBEDDINGS)}
    kept: list[Any] = []
    if others:
        # Every name by itself: what a pattern finds is decided here, by one kind of regular expression.
        overrides = (llama_cpp.llama_model_tensor_override * (len(others) + 1))()
        for each, (name, kind) in zip(overrides, others.items(), strict=False):
            each.pattern, each.type = f"^{re.escape(name)}$".encode(), number(kind)
        params.tt_overrides = overrides
        kept.append(overrides)
    if weights.importance:
        entries = (llama_cpp.llama_model_imatrix_data * (len(weights.importance) + 1))()
        for entry, (name, values) in zip(entries, weights.importance.items(), strict=False):
            entry.name, entry.size = name.encode(), values.size
            entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        params.imatrix = entries
        kept += [entries, list(weights.importance.values())]
    return kept


def _check_made(target: Path, wanted: dict[str, str]) -> None:
    made = _stored(target) if wanted else {}
    wrong = [f"'{name}' became {made[name].type}" for name, kind in wanted.items() if made[name].type != TYPES[kind]]
    if wrong:
        raise NotMeasured(
            "unsupported", f"llama.cpp gave tensors another type than was asked for: {', '.join(wrong[:3])}. Leave them out."
        )


def _stored(path: Path) -> dict[str, StoredTensor]:
    from gatekeeper.models.formats.gguf import stored

    return {tensor.name: tensor for tensor in stored(path)}
