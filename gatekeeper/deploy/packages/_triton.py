"""A model's configuration for Triton Inference Server, config.pbtxt, in protobuf's text form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gatekeeper.errors import Refused
from gatekeeper.models.info import TensorInfo, fixed

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment

TYPES = {
    "bool": "TYPE_BOOL", "uint8": "TYPE_UINT8", "uint16": "TYPE_UINT16", "uint32": "TYPE_UINT32", "uint64": "TYPE_UINT64",
    "int8": "TYPE_INT8", "int16": "TYPE_INT16", "int32": "TYPE_INT32", "int64": "TYPE_INT64", "float16": "TYPE_FP16",
    "float32": "TYPE_FP32", "float64": "TYPE_FP64", "bfloat16": "TYPE_BF16", "string": "TYPE_STRING",
}  # fmt: skip


def config(name: str, about: Assessment, file: str, tensorrt: bool) -> str:
    """The configuration of an ONNX model on one GPU, asked with whole shapes: Triton adds no batch axis of its own to them."""
    lines = [f"name: {_text(name)}", 'backend: "onnxruntime"', "max_batch_size: 0", f"default_model_filename: {_text(file)}"]
    for what, tensors in (("input", about.inputs), ("output", about.outputs)):
        lines += [_tensor(what, each) for each in tensors]
    lines.append("instance_group { count: 1 kind: KIND_GPU }")
    if tensorrt:
        lines.append('optimization { execution_accelerators { gpu_execution_accelerator { name: "tensorrt" } } }')
    return "\n".join(["# Made by gatekeeper package.", *lines, ""])


def _tensor(what: str, tensor: TensorInfo) -> str:
    if tensor.dtype not in TYPES or not tensor.shape:
        shape = "without axes, or of an unknown number of them" if not tensor.shape else f"of {tensor.dtype}"
        raise Refused(f"the {what} {tensor.name} is {shape}, which this cannot tell Triton. Write its config.pbtxt by hand.")
    dims = ", ".join(str(each) if fixed(each) else "-1" for each in tensor.shape)
    return f"{what} {{ name: {_text(tensor.name)} data_type: {TYPES[tensor.dtype]} dims: [ {dims} ] }}"


def _text(value: str) -> str:
    """A string as protobuf's text form has it; JSON's escapes are among its own."""
    return json.dumps(value, ensure_ascii=False)
