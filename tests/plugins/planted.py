"""Three techniques, one of which gives another class where the first input is large."""

from gatekeeper.frameworks import onnx_runtime as ort

EXTRA, REQUIRES = "none", ("onnxruntime",)
TECHNIQUES = {name: name for name in ("one", "two", "planted")}


def supports(model_format, device):
    return None


def defaults(model_format, device):
    return ("one",)


def refuses(technique, model, calibrated):
    return None


def optimize(job):
    ort._onnx_quantize.fp16(job, job.destination / "model.onnx")
    (job.destination / "technique").write_text(job.technique)


class Session:
    """The planted variant gives another class where the first input is large."""

    def __init__(self, path, threads, device):
        mark = path / "technique"
        self.planted = mark.exists() and mark.read_text() == "planted"
        self.inner = ort.open_session(path, threads, device)
        self.inputs, self.outputs = self.inner.inputs, self.inner.outputs

    def run(self, feed):
        [scores] = self.inner.run(feed)
        if self.planted:
            scores = scores.copy()
            scores[feed["x"][:, 0] > 1.5] = scores[feed["x"][:, 0] > 1.5][:, [1, 2, 3, 0]]
        return [scores]


def open_session(path, threads, device):
    return Session(path, threads, device)
