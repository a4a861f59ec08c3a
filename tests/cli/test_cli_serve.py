"""`gatekeeper serve`: what it takes, what it refuses, and text over HTTP."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from kit.served import serving
from kit.support import write_model
from kit.tiny_llm import write_llama, write_tokenizer

from gatekeeper.frameworks._base import ORIGINAL, OptimizeJob, framework


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_model(tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def test_help_teaches(gatekeeper: Callable[..., Any]) -> None:
    said = gatekeeper("serve", "--help").stdout
    assert "Open Inference Protocol" in said and "curl http://127.0.0.1:8000" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.onnx"], "nothing.onnx: no such file"),
        (["model.onnx", "--framework", "onnx_runtim"], "did you mean 'onnx_runtime'?"),
        (["model.onnx", "--timeout", "soon"], "Durations are written"),
        (["model.onnx", "--max-body", "big"], "sizes 64MiB"),
        (["model.onnx", "--host", "no.such.host.invalid"], "cannot listen there"),
        (["model.onnx", "--framework", "llama_cpp"], "model.onnx"),
        (["text.onnx"], "text.onnx"),
    ],
)
def test_a_mistake_is_a_message(gatekeeper: Callable[..., Any], model: Path, words: list[str], said: str) -> None:
    (model.parent / "text.onnx").write_text("this is no model")
    found = gatekeeper("serve", *words)
    assert found.returncode == 2 and said in found.stderr and "Traceback" not in found.stderr, found.stderr


def test_a_port_that_is_taken_is_named(gatekeeper: Callable[..., Any], model: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = gatekeeper("serve", model, "--port", port)
    assert found.returncode == 2
    assert f"127.0.0.1:{port}: cannot listen there" in found.stderr and "--port" in found.stderr


def test_an_artifact_of_a_report_is_opened_by_the_framework_in_its_name(model: Path) -> None:
    artifact = model.with_name("edge__openvino__int8.onnx")
    model.rename(artifact)
    with serving(artifact) as running:
        about = requests.get(f"{running.url}/v2/models/edge__openvino__int8", timeout=60).json()
        assert about["platform"] == "gatekeeper_openvino"


@pytest.fixture(scope="module")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random Llama as GGUF."""
    folder = tmp_path_factory.mktemp("text")
    source = write_llama(folder / "hf")
    write_tokenizer(source)
    job = {"device": "cpu", "vnni": False, "calibration": None}
    (folder / "gguf").mkdir()
    framework("llama_cpp").optimize(OptimizeJob(source=source, destination=folder / "gguf", technique=ORIGINAL, **job))
    return next((folder / "gguf").glob("*.gguf"))


def test_text_is_generated_whole_and_as_a_stream(text_model: Path) -> None:
    session: Any = framework("llama_cpp").open_session(text_model, 1, "cpu")
    tokenizer: Any = framework("llama_cpp").open_tokenizer(text_model)  # type: ignore[attr-defined]
    prompt = np.asarray(tokenizer.encode("a b c"), np.int64)
    direct = tokenizer.decode(list(session.generate({"tokens": prompt, "new_tokens": 8})))
    with serving(text_model, "--name", "tiny") as running:
        url = f"{running.url}/v2/models/tiny"
        asked = {"text_input": "a b c", "parameters": {"max_tokens": 8}}
        whole = requests.post(f"{url}/generate", json=asked, timeout=60).json()
        lines = requests.post(f"{url}/generate_stream", json=asked, timeout=60).text.split("\n\n")
        pieces = [json.loads(line.removeprefix("data: ")) for line in lines if line]
        assert whole["text_output"] == direct and whole["model_name"] == "tiny"
        assert "".join(piece["text_output"] for piece in pieces) == direct
        assert [piece["done"] for piece in pieces] == [False] * (len(pieces) - 1) + [True]
        stopped = requests.post(
            f"{url}/generate", json=asked | {"parameters": {"max_tokens": 8, "stop": [direct[3]]}}, timeout=60
        )
        assert stopped.json()["text_output"] == direct[: direct.find(direct[3])]
        for bad, said in (
            ({"text_input": ""}, "is empty"),
            ({"text_input": "a", "parameters": {"max_tokens": -1}}, "max_tokens"),
            ({"text_input": "a " * 5000}, "do not hold it"),
            ({"text_input": "a", "parameters": {"temperature": 0.7}}, "likeliest"),
            ({"text": "a"}, "no request for text"),
        ):
            for way in ("generate", "generate_stream"):
                refused = requests.post(f"{url}/{way}", json=bad, timeout=60)
                assert refused.status_code == 422 and said in refused.json()["error"], refused.text
        tokens = {"name": "tokens", "shape": [1, len(prompt)], "datatype": "INT64", "data": prompt.tolist()}
        logits = requests.post(f"{url}/infer", json={"inputs": [tokens]}, timeout=60).json()["outputs"][0]
        assert logits["shape"][:2] == [1, len(prompt)]
