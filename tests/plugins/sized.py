"""A model that takes as long, and as much memory, as its input says; its techniques differ in what they make of which input.

x[0, 0] is 1 where an input is long, and x[0, 1] is 1 where it takes much memory. Time is slept away, which a busy machine
hardly stretches.
"""

import time
from pathlib import Path

import numpy as np

from gatekeeper.frameworks import onnx_runtime as ort

EXTRA, REQUIRES = "none", ("onnxruntime",)
TIMES = {"original": (4.0, 12.0), "short_only": (0.2, 24.0), "mostly_short": (0.2, 20.0), "fine": (0.2, 0.6)}
"""Milliseconds of short and of long inputs."""
MEMORY = {"original": (48, 48), "short_only": (12, 48), "mostly_short": (12, 12), "fine": (12, 12)}
"""MiB that are held, and taken more for an input that takes much."""
TECHNIQUES = {name: name for name in TIMES if name != "original"}


def supports(model_format, device):
    return None


def defaults(model_format, device):
    return ("fine",)


def refuses(technique, model, calibrated):
    return None


def optimize(job):
    ort._onnx_quantize.fp16(job, job.destination / "model.onnx")
    (job.destination / "technique").write_text(job.technique)


def open_session(path, threads, device):
    return Session(Path(path), threads, device)


class Session:
    def __init__(self, path, threads, device):
        mark = path / "technique"
        technique = mark.read_text() if mark.exists() else "original"
        self.inner = ort.open_session(path, threads, device)
        self.inputs, self.outputs = self.inner.inputs, self.inner.outputs
        held, self.more = MEMORY[technique]
        self.held, self.times = np.ones(held << 17), TIMES[technique]

    def run(self, feed):
        long, much = feed["x"][0, :2] == 1
        taken = np.ones(self.more << 17) if much else None
        time.sleep(self.times[int(long)] / 1e3)
        del taken
        return self.inner.run(feed)
