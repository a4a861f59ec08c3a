"""Techniques that misbehave only behind a server."""

import sys
import time
from pathlib import Path

from gatekeeper.frameworks import onnx_runtime as ort

EXTRA, REQUIRES = "none", ("onnxruntime",)
TECHNIQUES = {name: name for name in ("fine", "delays", "errs")}
SERVED = "gatekeeper.serve.worker" in sys.orig_argv  # what is wrong shows only when requests arrive


def supports(model_format, device):
    return None


def defaults(model_format, device):
    return ("fine",)


def refuses(technique, model, calibrated):
    return None


def optimize(job):
    ort._onnx_quantize.fp16(job, job.destination / "model.onnx")
    (job.destination / "technique").write_text(job.technique)


class Session:
    def __init__(self, path, threads, device):
        mark = Path(path) / "technique"
        self.technique = mark.read_text() if SERVED and mark.exists() else "fine"
        self.inner = ort.open_session(path, threads, device)
        self.inputs, self.outputs = self.inner.inputs, self.inner.outputs
        self.calls = 0

    def run(self, feed):
        self.calls += 1
        if self.technique == "delays" and self.calls % 35 == 0:
            time.sleep(0.15)
        if self.technique == "errs" and self.calls % 50 == 0:
            raise RuntimeError("the kernel fell over")
        return self.inner.run(feed)


def open_session(path, threads, device):
    return Session(path, threads, device)
