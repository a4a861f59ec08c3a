"""Models under test: real ones in ONNX Runtime, and one of a framework that misbehaves as its artifact says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import psutil
import pytest
from kit.support import install_plugin, spec
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.frameworks._spec import TextSpec
from gatekeeper.making.cache import Cache
from gatekeeper.making.subject import Subject
from gatekeeper.making.workspace import Workspace
from gatekeeper.models.files import assess
from gatekeeper.progress import Silent
from gatekeeper.records.base import Verdict
from gatekeeper.records.tested import Check

FEATURES, CLASSES = 16, 4
node = helper.make_node


def write_onnx(
    path: Path,
    nodes: list[onnx.NodeProto] | None = None,
    batch: str | int = "n",
    output: str = "y",
    dtype: int = TensorProto.FLOAT,
    **weights: Any,
) -> Path:
    """y = relu(x W), unless `nodes` say otherwise."""
    weights = {"w": np.random.default_rng(0).standard_normal((FEATURES, CLASSES)).astype(np.float32)} | weights
    graph = helper.make_graph(
        nodes or [node("MatMul", ["x", "w"], ["a"]), node("Relu", ["a"], [output])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, FEATURES])],
        [helper.make_tensor_value_info(output, dtype, [batch, CLASSES])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


ODD = '''
"""x @ w and a rectifier in numpy; the artifact is a text that says what is wrong with this one."""
import ctypes, os, threading, time
import numpy as np
EXTRA, REQUIRES, TECHNIQUES = "odd", ("numpy",), {}
RUNTIME = "numpy"
KEPT = []
def supports(model_format, device): return None
def defaults(model_format, device): return ()
def refuses(technique, model, calibrated): return None
def optimize(job): raise NotImplementedError
W = np.random.default_rng(0).standard_normal((16, 4)).astype(np.float32)
class Session:
    inputs, outputs, CONCURRENT = ("x",), ("y",), True
    def __init__(self, ill):
        self.ill, self.calls, self.last = ill, 0, None
        if ill == "leaks": KEPT.append(np.ones(4_000_000))
    def run(self, feed):
        self.calls += 1
        x, ill = feed["x"], self.ill
        if x.dtype != np.float32 or x.ndim != 2 or x.shape[1] != 16:
            if ill == "polite": return [np.zeros((1, 4), np.float32)]
            if ill == "stuck": self.ill = "stuck now"
            raise ValueError("x must be float32 [n, 16]")
        if ill == "stuck now": raise RuntimeError("it is broken since")
        if ill == "crashes" and np.isnan(x).any(): ctypes.string_at(0)
        if ill == "hangs" and np.isnan(x).any(): time.sleep(3600)
        if ill == "eats" and np.isnan(x).any(): KEPT.append(np.ones(10**9 // 8)); KEPT.append(np.ones(10**9 // 8)); time.sleep(60)
        if ill == "third" and self.calls > 2: os.abort()
        if ill == "empty" and not len(x): raise ValueError("nothing to do")
        if ill == "slow": time.sleep(0.05)
        if ill == "delays" and self.calls % 35 == 0: time.sleep(0.15)
        if ill == "errs" and self.calls % 40 == 0: raise RuntimeError("the kernel fell over")
        if ill == "swells": KEPT.append(np.ones(4_000))
        y = np.maximum(x @ W, 0)
        if ill == "mixes": y = y - y.mean(axis=0)
        if ill == "counts": y = y + np.float32(1e-3) * self.calls
        if ill == "pid": y = y + np.float32(1e-3) * (os.getpid() % 1000 + 1)
        if ill == "racy":
            self.last = y; time.sleep(0.002); y = self.last
        return [y]
def open_session(path, threads, device):
    ill = path.read_text()
    if ill == "never": raise RuntimeError("no such kernel")
    if ill == "second" and KEPT: raise RuntimeError("one at a time")
    if ill == "second": KEPT.append(0)
    return Session(ill)
'''
ODD_ENTRY = "[gatekeeper.frameworks]\nodd = odd\n"


class Shelf:
    """Subjects in one folder."""

    def __init__(self, folder: Path, timeout_s: float = 60.0, memory_limit: int = 4 << 30):
        self.folder = folder
        for name in ("scratch", "cache"):
            (folder / name).mkdir()
        self.space = Workspace(Cache(folder / "cache"), folder / "scratch", timeout_s, memory_limit)
        self.original = write_onnx(folder / "original.onnx")
        self.inputs = folder / "inputs.npz"
        x = np.random.default_rng(1).standard_normal((6, 1, FEATURES)).astype(np.float32)
        np.savez(self.inputs, x=x)

    def subject(
        self,
        artifact: Path,
        framework: str = "onnx_runtime",
        model: Path | None = None,
        text: TextSpec | None = None,
        **changes: Any,
    ) -> Subject:
        values: dict[str, Any] = {
            "id": artifact.stem, "spec": spec(artifact, framework, threads=2, text=text),
            "model": assess(model or self.original), "task": None, "inputs": self.inputs, "space": self.space,
            "progress": Silent(),
        }  # fmt: skip
        return Subject(**(values | changes))

    def odd(self, ill: str = "well") -> Subject:
        path = self.folder / f"{ill}.odd"
        path.write_text(ill)
        return self.subject(path, "odd")

    def text(self, artifact: Path, framework: str, folder: Path) -> Subject:
        """A text model made from a Hugging Face folder."""
        about = assess(folder)
        assert about.text is not None
        text = TextSpec(model=str(folder), framework=framework, vocabulary=about.text.vocabulary, end=about.text.end,
                    context=about.text.context)  # fmt: skip
        inputs = self.folder / "prompts.npz"
        tokens = np.random.default_rng(1).integers(1, about.text.vocabulary, (2, 12))
        np.savez(inputs, tokens=tokens, new_tokens=np.full(2, 8))
        return self.subject(artifact, framework, folder, text=text, inputs=inputs)


@contextmanager
def odd_shelf(folder: Path, **limits: Any) -> Iterator[Shelf]:
    """A shelf, with the framework `odd` in the workers' path."""
    env = install_plugin(folder / "plugin", {"odd": ODD}, ODD_ENTRY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", env["PYTHONPATH"])
        yield Shelf(folder, **limits)


def left() -> list[psutil.Process]:
    """Processes of gatekeeper that this one has."""
    return [p for p in psutil.Process().children(recursive=True) if "gatekeeper" in " ".join(p.cmdline())]


def by_verdict(checks: list[Check]) -> dict[Verdict, set[str]]:
    """Names of checks."""
    return {v: {c.name for c in checks if c.verdict is v} for v in Verdict}


def reason(checks: list[Check], name: str) -> str:
    return next(c.reason for c in checks if c.name == name)
