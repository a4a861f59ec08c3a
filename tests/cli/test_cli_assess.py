"""`gatekeeper assess`: what it says of a model, and what it says when there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import onnx
import pytest
from kit.tiny_llm import write_llama
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.frameworks._base import REGISTRY, framework
from gatekeeper.hardware.selection import TARGETS

NASTY = "a[/bold]\x1b[31m\n| b"


def model(input_name: str = "x", dtype: int = TensorProto.FLOAT, producer: str = "tests") -> onnx.ModelProto:
    weight = numpy_helper.from_array(np.ones((4, 3), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", [input_name, "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info(input_name, dtype, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name=producer)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A model of one MatMul."""
    onnx.save(model(), str(tmp_path / "m.onnx"))
    return tmp_path / "m.onnx"


def test_the_text_describes_the_model(path: Path, gatekeeper: Callable) -> None:
    result = gatekeeper("assess", path, env={"COLUMNS": "200"})
    assert result.returncode == 0, result.stderr
    for words in ("mlp", "12 (float32 12)", "MatMul", "x: float32 [n, 4]  (dynamic)", "y: float32 [n, 3]", "ai.onnx 17", "tests"):
        assert words in result.stdout
    for name in REGISTRY.names:
        if framework(name).supports("onnx", "cpu") is None:
            assert all(technique in result.stdout for technique in framework(name).TECHNIQUES)


def test_the_json_is_the_same_for_programs(path: Path, gatekeeper: Callable) -> None:
    found = json.loads(gatekeeper("assess", path, "--format", "json").stdout)
    assert (found["parameters"], found["architecture"], found["format"], found["quantized"]) == (12, "mlp", "onnx", False)
    assert found["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["n", 4], "scalar": False}]
    assert found["recommended"]["framework"] == "onnx_runtime"
    assert found["techniques"]["onnx_runtime"]["int8_dynamic"] is None


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that writes text."""
    return write_llama(tmp_path_factory.mktemp("text") / "llama", hidden_size=64, intermediate_size=96)


def test_the_text_describes_a_model_that_writes_text(llama: Path, gatekeeper: Callable) -> None:
    result = gatekeeper("assess", llama, env={"COLUMNS": "200"})
    assert result.returncode == 0, result.stderr
    rows = dict(line.split("  ", 1) for line in result.stdout.splitlines() if line[:1].strip())
    rows = {key: value.strip() for key, value in rows.items()}
    expected = {
        "architecture": "transformer",
        "family": "llama",
        "dtype": "float32 (most weights)",
        "layers": "2 layers, hidden size 64, 4 heads (2 for keys and values)",
        "vocabulary": "512 tokens",
        "tokenizer": "tokenizer.json",
        "context": "256 tokens",
        "row lengths": "64, 96, 256 (what block-wise quantizers cut up)",
    }
    assert {key: rows[key] for key in expected} == expected
    assert rows["folder"].endswith("huggingface)")
    assert rows["recommended"].startswith("llama_cpp on cpu: text model")
    assert not {"opset", "operators"} & rows.keys()
    assert {n for n in REGISTRY.names if framework(n).supports("huggingface", "cpu") is None} <= rows.keys()


def test_the_json_of_a_model_that_writes_text(llama: Path, gatekeeper: Callable) -> None:
    found = json.loads(gatekeeper("assess", llama, "--format", "json").stdout)
    assert (found["format"], found["text"]["family"], found["text"]["row_lengths"]) == ("huggingface", "llama", [64, 96, 256])
    assert found["recommended"]["framework"] == "llama_cpp"


def test_what_a_gguf_does_not_say_is_left_out(tmp_path: Path, gatekeeper: Callable) -> None:
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", NASTY)
    writer.add_tensor("a.weight", np.ones((2, 32), np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    result = gatekeeper("assess", "m.gguf", env={"COLUMNS": "200"})
    assert result.returncode == 0, result.stderr
    assert "float16 (most weights)" in result.stdout
    assert "\x1b" not in result.stdout and "a[/bold]" in result.stdout
    assert not {"layers", "vocabulary", "context", "tokenizer", "producer"} & {
        line.split(" ")[0] for line in result.stdout.splitlines()
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "a folder without config.json. A model folder holds config.json, model.safetensors and"),
        ({"config.json": b"[]"}, "not an object"),
        ({"config.json": b"{}"}, "no model.safetensors in it"),
        ({"config.json": b"{}", "pytorch_model.bin": b"x"}, "safe_serialization"),
        ({"config.json": b'{"auto_map": {"AutoModel": "m.M"}}'}, "Python code"),
        ({"config.json": b"{}", "model.safetensors": b"version https://git-lfs.github.com/spec/v1"}, "git lfs pull"),
    ],
    ids=["empty", "list", "no weights", "pickle", "code", "lfs"],
)
def test_a_folder_that_is_no_model_is_exit_2(tmp_path: Path, gatekeeper: Callable, content: dict[str, bytes], words: str) -> None:
    (tmp_path / "model").mkdir()
    for name, data in content.items():
        (tmp_path / "model" / name).write_bytes(data)
    result = gatekeeper("assess", "model")
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith("model") and words in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("target", TARGETS.names)
def test_every_target_has_a_recommendation(path: Path, gatekeeper: Callable, target: str) -> None:
    """By the rule; where that framework cannot take the model, the next one that can, or none can, which is said."""
    expected = {"nvidia_gpu": "microsoft_olive", "apple_silicon": "apple_mlx", "cpu": "onnx_runtime", "other": "onnx_runtime"}
    found = json.loads(gatekeeper("assess", path, "--target", target, "--format", "json").stdout)
    assert found["recommended"]["framework"] == expected.get(target, "openvino")
    assert found["recommended"]["because"] and found["rule"]["framework"]
    assert bool(found["recommended"]["cannot"]) is (target in ("apple_silicon", "other"))
    assert bool(found["recommended"]["techniques"]) is not (target in ("apple_silicon", "other"))


def test_the_text_has_the_strategy_with_its_reasons(path: Path, gatekeeper: Callable) -> None:
    words = ("--target", "intel_cpu", "--goal", "enterprise", "--need", "ease")
    shown = " ".join(gatekeeper("assess", path, *words, env={"COLUMNS": "300"}).stdout.split())
    assert "recommended microsoft_olive on intel_cpu: second on Intel or AMD x86-64 CPU; ease: automatic" in shown
    assert "rule openvino: Intel hardware" in shown and "ask it for int8_" in shown
    assert "unified strategy openvino int8_static" in shown
    apple = " ".join(gatekeeper("assess", path, "--target", "apple_silicon", env={"COLUMNS": "300"}).stdout.split())
    assert "but no framework here takes this model to apple_silicon: MLX reads" in apple
    assert "unified strategy apple_mlx int4 (it does not take this model there" in apple


def test_what_does_not_apply_to_the_model_is_not_asked_for(path: Path, gatekeeper: Callable) -> None:
    found = json.loads(gatekeeper("assess", path, "--target", "nvidia_gpu", "--format", "json").stdout)
    olive = next(each for each in (found["recommended"], *found["then"]) if each["framework"] == "microsoft_olive")
    assert found["techniques"]["microsoft_olive"]["transformer_optimized"], "it is for transformers, and this is none"
    assert olive["techniques"] == ["fp16"]


def test_an_unknown_target_gets_the_nearest_name(path: Path, gatekeeper: Callable) -> None:
    result = gatekeeper("assess", path, "--target", "nvidia-gpu")
    assert result.returncode == 2
    assert "did you mean 'nvidia_gpu'?" in result.stderr


@pytest.mark.parametrize("form", ["text", "json"])
def test_names_in_the_model_cannot_reach_the_terminal(tmp_path: Path, gatekeeper: Callable, form: str) -> None:
    onnx.save(model(NASTY, producer=NASTY), str(tmp_path / "m.onnx"))
    result = gatekeeper("assess", "m.onnx", "--format", form, env={"COLUMNS": "200"})
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stdout
    assert "a[/bold]" in result.stdout


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.onnx", None, "no such model"),
        ("m.txt", b"x", "unknown model format '.txt'"),
        ("empty.onnx", b"", "empty"),
        ("text.onnx", b"hello, world\n", "not a"),
        ("lfs.onnx", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        ("cut.onnx", model().SerializeToString()[:-20], "cut short"),
    ],
)
def test_what_is_no_model_is_exit_2(tmp_path: Path, gatekeeper: Callable, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = gatekeeper("assess", name)
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith(f"{name}: ")
    assert words in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("form", ["text", "json"])
def test_dimensions_no_tensor_has_are_no_bug(tmp_path: Path, gatekeeper: Callable, form: str) -> None:
    made = model()
    made.graph.initializer[0].dims[:] = [2**62] * 300
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    result = gatekeeper("assess", "m.onnx", "--format", form)
    assert result.returncode == 2, result.stderr[-300:]


def test_a_file_name_may_be_any(tmp_path: Path, gatekeeper: Callable) -> None:
    name = "a b 'ü😀[red].onnx"
    onnx.save(model(), str(tmp_path / name))
    result = gatekeeper("assess", name, env={"COLUMNS": "200"})
    assert result.returncode == 0, result.stderr
    assert name in result.stdout


def test_a_model_without_weights_has_no_empty_brackets(tmp_path: Path, gatekeeper: Callable) -> None:
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", tensors[:1], tensors[1:])
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    lines = gatekeeper("assess", tmp_path / "m.onnx").stdout.splitlines()
    [said] = [line for line in lines if line.startswith("parameters")]
    assert said.split() == ["parameters", "0"]
