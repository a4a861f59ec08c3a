"""Weights rounded to their signs, which loses answers; with the option `equalize` they are rounded to half precision, and nothing
is lost. `per_channel` changes nothing of that. Of `stubborn`, which is the same, `weights: uint8` breaks what is made and
`reduce_range` hangs while it is made. Each artifact holds a token of its own: what is made twice is not the same.
"""

import time
import uuid
from typing import Literal

from gatekeeper.frameworks import onnx_runtime as ort
from gatekeeper.frameworks._options import Options, given

EXTRA, REQUIRES = "none", ("onnxruntime",)
TECHNIQUES = {"coarse": "weights rounded to their signs", "stubborn": "the same"}


class Coarse(Options, frozen=True, kw_only=True):
    equalize: bool = False
    per_channel: bool = False


class Stubborn(Coarse, frozen=True, kw_only=True):
    reduce_range: bool = False
    weights: Literal["int8", "uint8"] = "int8"


OPTIONS = {"coarse": Coarse, "stubborn": Stubborn}


def supports(model_format, device):
    return None


def defaults(model_format, device):
    return ("coarse",)


def refuses(technique, model, calibrated):
    return None


def optimize(job):
    import numpy as np
    import onnx

    options = given(job, Coarse)
    if getattr(options, "reduce_range", False):
        time.sleep(1000)
    if getattr(options, "weights", "int8") == "uint8":
        raise RuntimeError("no kernel for unsigned weights")
    model = onnx.load(str(job.source))
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        rounded = array.astype("float16").astype("float32") if options.equalize else np.sign(array)
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(rounded, "float32"), tensor.name))
    model.doc_string = uuid.uuid4().hex
    onnx.save(model, job.destination / "model.onnx")


open_session = ort.open_session
