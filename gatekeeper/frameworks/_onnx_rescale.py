"""An ONNX model equalized (_onnx_equalize.py) before a quantizer gets it, and held against the original."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import _onnx_prepare
from gatekeeper.frameworks._onnx_equalize import equalized
from gatekeeper.frameworks._onnx_hold import Step, hold

if TYPE_CHECKING:
    from gatekeeper.frameworks._base import OptimizeJob

EQUALIZED = "gatekeeper.equalized"
"""Where an artifact's metadata say between which layers channels were rescaled."""


def rescaled(job: OptimizeJob, source: Path, made: Path) -> str:
    """Write the model with its channels rescaled, also in place; between which layers. `NotMeasured` where there are none,
    or where it then answers otherwise than the original.
    """
    import onnx

    model = onnx.load(str(source))
    pairs = equalized(model)
    if not pairs:
        raise NotMeasured(
            "unsupported",
            "equalize found no two layers between which channels can be rescaled: they must be Conv, Gemm or MatMul of "
            "constant weights of their own, with nothing but ReLU, pooling or reshapes between them. Remove `equalize`.",
        )
    _onnx_prepare.save(model, made)
    hold(job, [Step("equalizing its layers", made, "Remove `equalize`")], made.parent)
    return "; ".join(map(str, pairs))
