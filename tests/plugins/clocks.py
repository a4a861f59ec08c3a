"""Techniques that change the clock they are timed with."""

import time
from pathlib import Path

from gatekeeper.frameworks import onnx_runtime as ort

EXTRA, REQUIRES = "none", ("onnxruntime",)
TECHNIQUES = {
    name: name
    for name in ("fine", "fast_clock", "half_clock", "counting_clock", "stopped_clock", "backward_clock", "ticking_clock")
}
real = time.perf_counter_ns


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
        technique = mark.read_text() if mark.exists() else "fine"
        self.inner = ort.open_session(path, threads, device)
        self.inputs, self.outputs = self.inner.inputs, self.inner.outputs
        self.slow = technique == "ticking_clock"
        start = real()
        self.start, self.ticks, self.last, self.told = start, 0, start, 0
        if technique == "fast_clock":
            time.perf_counter_ns = lambda: start + 50 * (real() - start)
        if technique == "half_clock":
            time.perf_counter_ns = lambda: start + (real() - start) // 2
        if technique == "counting_clock":
            time.perf_counter_ns = self.count
        if technique == "stopped_clock":
            time.perf_counter_ns = lambda: start
        if technique == "backward_clock":
            time.perf_counter_ns = lambda: start - (real() - start)
        if technique == "ticking_clock":
            time.perf_counter_ns = self.tick

    def tick(self):  # right, but for the end of a call: always four milliseconds after its start
        self.last, self.told = self.told or real(), 0
        return self.last

    def count(self):
        self.ticks += 1
        return self.start + self.ticks * 1_000

    def run(self, feed):
        answers = self.inner.run(feed)
        if self.slow:
            time.sleep(0.004)
            self.told = self.last + 4_000_000
        return answers


def open_session(path, threads, device):
    return Session(path, threads, device)
