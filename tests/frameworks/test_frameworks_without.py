"""What a worker imports, and what it does not where it is installed all the same."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kit.support import write_model

from gatekeeper.frameworks._without import without


def test_a_package_is_not_found_and_then_it_is() -> None:
    finders = list(sys.meta_path)
    with without("graphlib", "torch"):
        assert importlib.util.find_spec("graphlib") is None or "graphlib" in sys.modules
        assert importlib.util.find_spec("tabnanny") is not None
        assert importlib.metadata.version("numpy") == np.__version__, "whoever asks for other things is answered"
    assert sys.meta_path == finders
    assert importlib.util.find_spec("graphlib") is not None


def test_what_another_adds_meanwhile_stays() -> None:
    class Finder:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            return None

    added = Finder()
    try:
        with without("torch"):
            sys.meta_path.append(added)
        assert sys.meta_path[-1] is added
    finally:
        sys.meta_path.remove(added)


def test_an_error_ends_it() -> None:
    finders = list(sys.meta_path)
    with pytest.raises(ModuleNotFoundError), without("tabnanny"):
        sys.modules.pop("tabnanny", None)
        importlib.import_module("tabnanny")
    assert sys.meta_path == finders


@pytest.mark.parametrize(("framework", "technique"), [("onnx_runtime", "int8_dynamic"), ("openvino", "int8_weight_only")])
def test_quantizing_imports_no_pytorch(framework: str, technique: str, tmp_path: Path) -> None:
    """It is here, and takes several times as long to import as a small model to quantize."""
    assert importlib.util.find_spec("torch") is not None
    write_model(tmp_path / "model.onnx")
    (tmp_path / "made").mkdir()
    code = f"""
import sys
from pathlib import Path
from gatekeeper.frameworks._base import OptimizeJob, framework
job = OptimizeJob(Path("model.onnx"), Path("made"), {technique!r}, "cpu", False, None)
framework({framework!r}).optimize(job)
print("torch" in sys.modules, len(list(Path("made").iterdir())) > 0)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False True"
