"""Which techniques suit a framework, a kind of model and an instruction set, as a table: rows are tried from the top."""

from __future__ import annotations

from dataclasses import dataclass

from gatekeeper.planning.selection.kinds import MATRICES

GPU = ("cuda", "gpu", "metal", "npu")
VNNI = ("avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")
BF16 = ("avx512_bf16", "amx_bf16", "bf16")
DOT = ("asimddp", "i8mm", "sve")
TEXT = ("text",)

UNIFIED = (
    (("apple_silicon",), "apple_mlx", "int4"),  # in groups of 64
    (("intel_auto", "intel_cpu", "intel_gpu"), "openvino", "int8_static"),  # NNCF, after training
    (("cpu", "arm_mobile", "embedded_arm"), "llama_cpp", "q4_k_m"),  # cross-platform
    ((), "microsoft_olive", ""),  # otherwise, by the table below
)
"""The unified quantization strategy: targets -> framework and the technique that it is asked for first. No targets: any other."""


def unified(target: str) -> tuple[str, str]:
    """Framework and technique of the unified quantization strategy on a target."""
    return next((name, technique) for targets, name, technique in UNIFIED if target in targets or not targets)


@dataclass(frozen=True)
class Row:
    """What to try where everything that it states fits; an empty condition fits everything. Of `isa` one must be there."""

    framework: str
    techniques: tuple[str, ...]
    because: str
    kinds: tuple[str, ...] = ()
    isa: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()

    def fits(self, framework: str, kind: str, isa: tuple[str, ...], device: str) -> bool:
        """Whether it speaks of this framework, kind of model, instruction set and device."""
        return (
            self.framework == framework
            and (not self.kinds or kind in self.kinds)
            and (not self.devices or device.partition(":")[0] in self.devices)
            and (not self.isa or bool(set(self.isa) & set(isa)))
        )


_ORT, _OV, _OLIVE, _LLAMA, _MLX = "onnx_runtime", "openvino", "microsoft_olive", "llama_cpp", "apple_mlx"
_READING = "writing a token is mostly reading the weights, and fewer bits are fewer bytes"
_WIDE = "8-bit products are summed in 32 bits here"
_NARROW = "without VNNI static scales cost a bit of the weights, dynamic ones need none"

ROWS = (
    Row(_ORT, ("fp16", "int4_weight_only"), "a GPU computes in half precision", kinds=TEXT, devices=("cuda",)),
    Row(_ORT, ("fp16", "graph_optimized"), "a GPU computes in half precision", devices=("cuda",)),
    Row(_ORT, ("int4_weight_only", "int8_weight_only"), _READING, kinds=TEXT),
    Row(
        _ORT,
        ("int8_static", "fp16"),
        "convolutions in 8 bits, or in the half precision that this CPU has",
        ("cnn",),
        ("asimdhp",),
    ),
    Row(_ORT, ("int8_static",), "of convolutions static scales are faster, dynamic ones many times slower", kinds=("cnn",)),
    Row(_ORT, ("int8_static", "int8_dynamic", "int4_weight_only"), _WIDE, MATRICES, VNNI),
    Row(_ORT, ("int8_dynamic", "int8_static", "int4_weight_only"), _NARROW, MATRICES),
    Row(_ORT, ("graph_optimized",), "nothing of it can be quantized"),
    Row(_OV, ("fp16", "int8_static"), "a GPU or NPU computes in half precision", devices=GPU),
    Row(_OV, ("int8_weight_only", "int4_weight_only"), _READING, kinds=TEXT),
    Row(_OV, ("int8_static", "int8_weight_only"), "8-bit weights compute in bfloat16 here", MATRICES, BF16),
    Row(_OV, ("int8_static",), "8-bit weights and activations (NNCF) are what its CPU kernels gain from"),
    Row(_OV, ("int8_weight_only",), "8-bit weights need no calibration set"),
    Row(_OLIVE, ("k_quant", "int4_weight_only"), _READING, kinds=TEXT),
    Row(_OLIVE, ("transformer_optimized", "fp16"), "a GPU computes in half precision", devices=("cuda",)),
    Row(_OLIVE, ("int8_static",), "of convolutions static scales are faster, dynamic ones many times slower", kinds=("cnn",)),
    Row(_OLIVE, ("int8_static", "int8_dynamic"), _WIDE, MATRICES, VNNI),
    Row(_OLIVE, ("int8_dynamic", "int8_static"), _NARROW, MATRICES),
    Row(_LLAMA, ("q4_k_m", "q8_0"), _READING, devices=("cuda", "metal")),
    Row(_LLAMA, ("q4_0", "q4_k_m", "q8_0"), "llama.cpp lays q4_0 out anew for these instructions when it loads", isa=DOT),
    Row(_LLAMA, ("q4_k_m", "q8_0", "q4_0"), _READING),
    Row(_MLX, ("int4", "int8"), "4 bits in groups of 64: unified memory is read once a token"),
)


def rows(framework: str, kind: str, isa: tuple[str, ...], device: str) -> list[Row]:
    """The rows that fit, in the order in which they are tried; none for a framework that the table does not know."""
    return [row for row in ROWS if row.fits(framework, kind, isa, device)]
