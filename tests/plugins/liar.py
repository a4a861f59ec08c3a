"""ONNX Runtime, whose answers to the original are changed in the way that the file `lie` beside the model names."""

import numpy as np

from gatekeeper.frameworks import onnx_runtime as ort

EXTRA, REQUIRES = "none", ("onnxruntime",)
TECHNIQUES = {"fp16": "half precision"}


def supports(model_format, device):
    return None


def defaults(model_format, device):
    return ("fp16",)


def refuses(technique, model, calibrated):
    return None


def optimize(job):
    ort._onnx_quantize.fp16(job, job.destination / "model.onnx")


def _bfloat16(array):
    """Its first 16 bits, rounded."""
    bits = array.astype(np.float32).view(np.uint32)
    return ((bits + 0x8000) & 0xFFFF0000).astype(np.uint32).view(np.float32)


class Session:
    def __init__(self, inner, lie):
        self.inner, self.lie = inner, lie
        self.inputs, self.outputs = inner.inputs, inner.outputs

    def run(self, feed):
        answers = [np.array(each) for each in self.inner.run(feed)]
        rows = np.abs(feed["x"][:, 0]) > 1.5
        if self.lie == "scaled":  # no class changes
            answers[0] = answers[0] * np.float32(1.5)
        if self.lie == "other":
            answers[1] = answers[1][:, ::-1]
        if self.lie == "rare":
            answers[0][rows] = answers[0][rows][:, ::-1]
        if self.lie == "nan":
            answers[1][rows] = np.nan
        if self.lie == "shape":
            answers[1] = answers[1][:, :2]
        if self.lie == "last_bits":
            answers = [np.nextafter(each, np.float32(np.inf)) for each in answers]
        if self.lie == "bfloat16":
            answers = [_bfloat16(each) for each in answers]
        return answers


def open_session(path, threads, device):
    inner = ort.open_session(path, threads, device)
    mark = path.parent / "lie"
    return Session(inner, mark.read_text()) if mark.exists() else inner
