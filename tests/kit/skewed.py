"""A convolutional network made hard for 8 bits: channels of its first convolution rescaled by 1 to 1000, and undone in the next.

Answers in floating point stay as they were; one range for all channels of an activation no longer fits them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper


def skew(model: Path, made: Path) -> None:
    """Write the model so, from one whose first two convolutions follow one another."""
    proto = onnx.load(str(model))
    held = {tensor.name: tensor for tensor in proto.graph.initializer}
    first, second = [node for node in proto.graph.node if node.op_type == "Conv"][:2]
    weight, bias, after = held[first.input[1]], held[first.input[2]], held[second.input[1]]
    factors = np.exp(np.random.default_rng(0).uniform(0, np.log(1000), weight.dims[0])).astype(np.float32)
    for tensor, value in (
        (weight, numpy_helper.to_array(weight) * factors[:, None, None, None]),
        (bias, numpy_helper.to_array(bias) * factors),
        (after, numpy_helper.to_array(after) / factors[None, :, None, None]),
    ):
        tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    onnx.save(proto, str(made))
