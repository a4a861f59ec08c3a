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
from kit.support import install_framework, spec
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.frameworks._spec import TextSpec, text_spec
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
        text = text_spec(about, folder, framework)
        inputs = self.folder / "prompts.npz"
        tokens = np.random.default_rng(1).integers(1, about.text.vocabulary, (2, 12))
        np.savez(inputs, tokens=tokens, new_tokens=np.full(2, 8))
        return self.subject(artifact, framework, folder, text=text, inputs=inputs)


@contextmanager
def odd_shelf(folder: Path, **limits: Any) -> Iterator[Shelf]:
    """A shelf, with the framework `odd` in the workers' path."""
    env = install_framework(folder / "plugin", "odd")
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
