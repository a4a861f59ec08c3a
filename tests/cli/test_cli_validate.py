"""`gatekeeper validate`, as a shell sees it: what is accepted, exit code 2, and `file:line:col: message`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from kit.support import MISSION

from gatekeeper.cli._main import cli

IOS = """\
  packaging:
    mobile_deployment:
      ios:
        framework: apple_mlx
        quantization: int4
        memory_mapping: true
        background_execution: limited
        packaging: {format: mlx, bundle_size: <50MB}
"""
ANDROID = """\
  packaging:
    mobile_deployment:
      android:
        framework: llama_cpp
        quantization: q4_k_m
        threading: android_optimized
        memory_management: conservative
        packaging: {format: gguf, apk_size: <100MB}
      cross_platform:
        framework: onnx_runtime
        quantization: int8
        execution_provider: cpu
        packaging: {format: onnx, shared_libraries: minimal}
"""
EDGE = """\
  packaging:
    edge_server:
      intel_based:
        framework: openvino
        optimization: {quantization: int8, acceleration: cpu_gpu_auto, batch_processing: dynamic}
        deployment: {container: openvino_runtime, orchestration: kubernetes, scaling: horizontal}
      nvidia_based:
        framework: microsoft_olive
        optimization: {quantization: int4, acceleration: cuda, tensor_parallelism: true}
        deployment: {container: nvidia_triton, orchestration: kubernetes, scaling: gpu_aware}
"""


@pytest.mark.parametrize("packaging", ["", IOS, ANDROID, EDGE], ids=["mission", "ios", "android", "edge"])
def test_the_mission_s_file_is_valid(tmp_path: Path, packaging: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(MISSION + packaging)
    result = CliRunner().invoke(cli, ["validate", str(file)])
    assert result.exit_code == 0, result.output
    assert f"{file}: valid. 6 stages, 1 target (local)" in result.output
    assert "llama_cpp, openvino, microsoft_olive" in result.output


@pytest.mark.parametrize("change", [(": <50MB", ": 50"), ("int4", "int5"), ("limited", "limitd"), ("true", "yes")])
def test_packaging_is_checked_like_the_rest(tmp_path: Path, gatekeeper: Callable, change: tuple[str, str]) -> None:
    (tmp_path / "p.yaml").write_text(MISSION + IOS.replace(*change))
    result = gatekeeper("validate", "p.yaml")
    assert result.returncode == 2
    assert re.match(r"p\.yaml:3[0-9]:\d+: packaging\.mobile_deployment\.ios", result.stderr)


BAD = {
    "several problems": b"edge_ai_pipeline:\n  stges: []\n  gates: {sped: {}, speedup: {min: 0}}\n",
    "duplicate key": b"edge_ai_pipeline:\n  gates: {}\n  gates: {}\n",
    "tab": b"edge_ai_pipeline:\n\tgates: {}\n",
    "laughs": b"a: &a [x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 8)) for c in range(ord("b"), ord("i"))),
    "recursion": b"edge_ai_pipeline: &a {gates: *a}\n",
    "object": b"edge_ai_pipeline: !!python/object/apply:os.system [ls]\n",
    "object scalar": b"edge_ai_pipeline: {model: !!python/name:os.system x}\n",
    "nan": b"edge_ai_pipeline:\n  gates: {speedup: {min: .nan}}\n",
    "overflow": b"edge_ai_pipeline:\n  gates: {speedup: {min: 1e999}}\n",
    "fraction": b"edge_ai_pipeline:\n  measure: {max_rounds: 24.0}\n",
    "escape": b'edge_ai_pipeline:\n  model: {path: "\\UFFFFFFFF"}\n',
    "surrogate": b'edge_ai_pipeline:\n  model: {path: "\\ud800"}\n',
    "long name": b"edge_ai_pipeline:\n  model: {path: %s.onnx}\n" % (b"a" * 300),
    "terminal escape": b'edge_ai_pipeline:\n  "\\e[2J\\e[31mx": 1\n',
    "empty": b"",
    "list": b"- a\n",
    "null": b"edge_ai_pipeline:\n",
    "deep": b"[" * 20_000,
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_exit_2_with_every_place(tmp_path: Path, gatekeeper: Callable, name: str) -> None:
    (tmp_path / "p.yaml").write_bytes(BAD[name])
    result = gatekeeper("validate", "p.yaml")
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines
    assert all(re.match(r"p\.yaml:\d+:\d+: \S", line) for line in lines)
    assert "\x1b" not in result.stderr
    if name == "several problems":
        assert [line.split(": ")[0] for line in lines] == ["p.yaml:2:3", "p.yaml:3:11", "p.yaml:3:36"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe\x00", "not UTF-8"),
        (bytes(range(256)), "not UTF-8"),
        (b"# " + b"x" * (1 << 20), "larger than"),
        (None, "no such file"),
    ],
    ids=["utf-16", "binary", "large", "missing"],
)
def test_a_file_that_cannot_be_read_is_exit_2(tmp_path: Path, gatekeeper: Callable, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "p.yaml").write_bytes(content)
    result = gatekeeper("validate", "p.yaml")
    assert result.returncode == 2
    assert result.stderr.startswith("p.yaml: ")
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_folder_is_exit_2(tmp_path: Path, gatekeeper: Callable) -> None:
    result = gatekeeper("validate", tmp_path)
    assert result.returncode == 2
    assert "is a folder" in result.stderr


def test_a_missing_model_on_the_command_line_is_exit_2(tmp_path: Path, gatekeeper: Callable) -> None:
    (tmp_path / "p.yaml").write_text("edge_ai_pipeline: {}\n")
    result = gatekeeper("validate", "p.yaml", "--model", "none.onnx")
    assert result.returncode == 2
    assert "none.onnx" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["validat", "p.yaml"], "did you mean 'validate'?"),
        (["validate"], "Missing argument"),
        (["validate", "--nonsense", "p.yaml"], "--nonsense"),
        (["validate", "a", "b"], "unexpected extra argument"),
    ],
)
def test_a_wrong_command_line_is_exit_2(gatekeeper: Callable, words: list[str], said: str) -> None:
    result = gatekeeper(*words)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_help_lists_the_exit_codes(gatekeeper: Callable) -> None:
    result = gatekeeper("--help")
    assert result.returncode == 0
    assert "0 pass, 1 a gate failed, 2 usage or configuration, 3 inconclusive" in result.stdout
    assert result.stderr == ""


def test_the_output_may_be_closed_early(tmp_path: Path) -> None:
    import subprocess
    import sys

    (tmp_path / "p.yaml").write_text(MISSION)
    process = subprocess.Popen(
        [sys.executable, "-m", "gatekeeper", "validate", str(tmp_path / "p.yaml")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as errors:
        said = errors.read()
    assert process.wait() in (0, 141)
    assert "Traceback" not in said
