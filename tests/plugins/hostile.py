"""Techniques that each go wrong in the way they are named, while they are made or when they are used."""

import ctypes
import os
import shutil
import time
from pathlib import Path

from gatekeeper.frameworks import onnx_runtime as ort

EXTRA, REQUIRES = "none", ("onnxruntime",)
TECHNIQUES = {
    name: name
    for name in ("fine", "segfault_making", "hang_making", "segfault", "hang", "memory", "garbage", "error", "unchanged", "nan")
}


def supports(model_format, device):
    return None


def defaults(model_format, device):
    return ("fine",)


def refuses(technique, model, calibrated):
    return None


def optimize(job):
    if job.technique == "segfault_making":
        ctypes.string_at(0)
    if job.technique == "hang_making":
        time.sleep(1000)
    if job.technique == "unchanged":
        shutil.copyfile(job.source, job.destination / "model.onnx")
        return
    ort._onnx_quantize.fp16(job, job.destination / "model.onnx")
    (job.destination / "technique").write_text(job.technique)


class Session:
    def __init__(self, path, threads, device):
        mark = Path(path) / "technique"
        self.technique = mark.read_text() if mark.exists() else "fine"
        self.inner = ort.open_session(path, threads, device)
        self.inputs, self.outputs = self.inner.inputs, self.inner.outputs
        if self.technique == "error":
            raise RuntimeError("the model has an unsupported operator: Frobnicate")
        if self.technique == "segfault":
            ctypes.string_at(0)
        if self.technique == "hang":
            time.sleep(1000)
        if self.technique == "memory":
            hog = []
            while True:
                hog.append(bytearray(256 << 20))
        if self.technique == "garbage":
            for fd in range(3, 30):
                try:
                    os.write(fd, b"{not json\n")
                except OSError:
                    pass
            time.sleep(1000)

    def run(self, feed):
        found = self.inner.run(feed)
        return [a * float("nan") for a in found] if self.technique == "nan" else found


def open_session(path, threads, device):
    return Session(path, threads, device)
