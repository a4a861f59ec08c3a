"""What an extra of this distribution allows, and what is said where a machine has something else."""

from __future__ import annotations

import pytest

from gatekeeper.frameworks import _missing
from gatekeeper.frameworks._base import REGISTRY, TEXT_FORMATS, needs
from gatekeeper.frameworks._missing import missing_packages
from gatekeeper.version import required


def test_an_extra_of_extras_allows_what_they_do() -> None:
    found = required("olive")
    assert {"olive-ai", "onnxruntime", "torch", "pydantic"} <= found.keys()
    assert not found["pydantic"].contains("2.14.0")
    assert required("llama-cpp,huggingface").keys() >= {"llama-cpp-python", "torch"}
    assert required("no-such-extra") == {}


@pytest.mark.parametrize("model_format", ["onnx", *TEXT_FORMATS])
@pytest.mark.parametrize("name", REGISTRY.builtin)
def test_every_package_a_framework_needs_comes_with_its_extra(name: str, model_format: str) -> None:
    wanted = needs(name, model_format)
    indirect = {"numpy", "onnx"}  # of gatekeeper itself; and by nearly all
    assert set(wanted.packages) - indirect <= required(wanted.extra).keys()
    assert missing_packages(name, model_format) is None, "the tests' own environment has everything"


def test_a_version_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_missing, "installed", lambda package: {"openvino": "2024.1.0", "nncf": None}.get(package, "99"))
    said = missing_packages("openvino", "onnx")
    assert said is not None
    assert "nncf is not installed" in said
    assert "openvino 2024.1.0 is installed, and >=2026.0 is needed" in said
    assert said.endswith('pip install ".[openvino]" in a checkout of gatekeeper')
