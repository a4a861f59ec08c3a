"""`gatekeeper init`: files that `validate` accepts, whatever the model is called."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from gatekeeper.config.load import load
from gatekeeper.errors import ConfigError
from gatekeeper.evaluate.metrics._base import of_family
from gatekeeper.evaluate.tasks._base import REGISTRY, is_text
from gatekeeper.starting.init import pipeline_text

WORKFLOW = Path(".github/workflows/gatekeeper.yml")


def save(path: Path, operator: str = "MatMul") -> Path:
    weight = numpy_helper.from_array(np.ones((4, 3) if operator == "MatMul" else (2, 3, 3, 3), np.float32), "w")
    shape = ["n", 4] if operator == "MatMul" else ["n", 3, 8, 8]
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [weight],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


def datasets(folder: Path, prefix: str = "") -> None:
    for name in ("eval", "calib"):
        np.savez(folder / f"{prefix}{name}.npz", x=np.zeros((2, 4), np.float32), y=np.arange(2))


def test_it_writes_files_that_validate_accepts(tmp_path: Path, gatekeeper: Callable) -> None:
    save(tmp_path / "model.onnx")
    datasets(tmp_path)
    result = gatekeeper("init")
    assert result.returncode == 0, result.stderr
    assert "next: gatekeeper run edge_ai_pipeline.yaml" in result.stdout
    assert gatekeeper("validate", "edge_ai_pipeline.yaml").returncode == 0
    loaded = load(tmp_path / "edge_ai_pipeline.yaml")
    assert loaded.pipeline.dataset is not None
    assert (loaded.pipeline.dataset.path, loaded.pipeline.dataset.calibration) == ("eval.npz", "calib.npz")
    assert "int8_static" in loaded.pipeline.optimization.techniques.by_framework()["onnx_runtime"]
    workflow = yaml.safe_load((tmp_path / WORKFLOW).read_text())
    assert workflow["jobs"]["gatekeeper"]["with"]["config"] == "edge_ai_pipeline.yaml"


def test_the_plan_of_what_it_writes_has_no_error(tmp_path: Path, gatekeeper: Callable) -> None:
    save(tmp_path / "model.onnx", "Conv")
    datasets(tmp_path)
    assert gatekeeper("init", "--no-workflow").returncode == 0
    assert not (tmp_path / WORKFLOW).exists()
    assert '"error":null' in gatekeeper("plan", "edge_ai_pipeline.yaml", "--format", "json").stdout.replace(" ", "")
    text = (tmp_path / "edge_ai_pipeline.yaml").read_text()
    assert "task: image_classification" in text
    assert "int4_weight_only: it quantizes constant matrices of MatMul" in text


def ir(path: Path) -> Path:
    """The same model as OpenVINO's two files."""
    import openvino

    openvino.save_model(openvino.Core().read_model(str(save(path.with_suffix(".onnx")))), path, compress_to_fp16=False)
    path.with_suffix(".onnx").unlink()
    return path


def test_a_model_of_another_format_gets_the_framework_that_reads_it(tmp_path: Path, gatekeeper: Callable) -> None:
    ir(tmp_path / "model.xml")
    datasets(tmp_path)
    (tmp_path / "junit.xml").write_text("<testsuites/>")
    result = gatekeeper("init")
    assert result.returncode == 0, result.stderr
    loaded = load(tmp_path / "edge_ai_pipeline.yaml")
    assert loaded.pipeline.model is not None and loaded.pipeline.model.path == "model.xml"
    assert loaded.pipeline.optimization.frameworks == ("openvino",)
    assert '"error":null' in gatekeeper("plan", "edge_ai_pipeline.yaml", "--format", "json").stdout.replace(" ", "")


def text_model(folder: Path, name: str = "llama") -> Path:
    """A Hugging Face folder, or a .gguf, of a model that writes text."""
    path = folder / name
    if path.suffix == ".gguf":
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_tokenizer_model("gpt2")
        writer.add_token_list(["a", "b"])
        writer.add_tensor("token_embd.weight", np.ones((2, 32), np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path
    path.mkdir(parents=True)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 2}
    (path / "config.json").write_text(json.dumps(config))
    (path / "tokenizer.json").write_text("{}")
    save_file({"model.embed_tokens.weight": np.ones((2, 32), np.float32)}, path / "model.safetensors")
    return path


@pytest.mark.parametrize("name", ["llama", "small.gguf"])
def test_a_model_that_writes_text_gets_a_file_for_text(tmp_path: Path, gatekeeper: Callable, name: str) -> None:
    text_model(tmp_path, name)
    for file in ("requirements.txt", "requirements-test.txt", "notes.txt", "held-out.eval.jsonl", "eval.npz"):
        (tmp_path / file).write_text("{}")
    result = gatekeeper("init")
    assert result.returncode == 0, result.stderr
    assert "next: gatekeeper run edge_ai_pipeline.yaml" in result.stdout
    loaded = load(tmp_path / "edge_ai_pipeline.yaml")
    assert loaded.pipeline.model is not None and loaded.pipeline.dataset is not None
    assert (loaded.pipeline.model.path, loaded.pipeline.model.task) == (name, "text_generation")
    assert loaded.pipeline.dataset.path == "held-out.eval.jsonl"
    assert loaded.pipeline.optimization.frameworks == ("llama_cpp",)
    assert '"error":null' in gatekeeper("plan", "edge_ai_pipeline.yaml", "--format", "json").stdout.replace(" ", "")


def test_without_a_text_it_says_what_to_change(tmp_path: Path, gatekeeper: Callable) -> None:
    text_model(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    result = gatekeeper("init")
    assert result.returncode == 0, result.stderr
    assert "no such dataset: CHANGE-me.txt" in result.stdout
    assert "no such dataset: CHANGE-me.npz" not in result.stdout


def test_what_lies_in_a_model_folder_is_no_other_model(tmp_path: Path, gatekeeper: Callable) -> None:
    save(text_model(tmp_path) / "onnx" / "model.onnx")
    assert gatekeeper("init").returncode == 0
    text_model(tmp_path, "small.gguf")
    result = gatekeeper("init", "--force")
    assert result.returncode == 2
    assert "several models found: small.gguf, llama." in result.stderr


def test_a_model_folder_may_be_where_it_is_run(tmp_path: Path, gatekeeper: Callable) -> None:
    result = gatekeeper("init", cwd=text_model(tmp_path))
    assert result.returncode == 0, result.stderr
    loaded = yaml.safe_load((tmp_path / "llama" / "edge_ai_pipeline.yaml").read_text())
    assert loaded["edge_ai_pipeline"]["model"]["path"] == "."


def test_a_config_json_alone_is_no_model(tmp_path: Path, gatekeeper: Callable) -> None:
    (tmp_path / "config.json").write_text("{}")
    result = gatekeeper("init")
    assert result.returncode == 2
    assert "no model (.gguf, .onnx, .xml, a Hugging Face folder (with config.json))" in result.stderr
    save(tmp_path / "m.onnx")
    assert gatekeeper("init").returncode == 0


def test_a_folder_with_a_pickle_says_how_to_convert_it(tmp_path: Path, gatekeeper: Callable) -> None:
    (text_model(tmp_path) / "model.safetensors").rename(tmp_path / "llama" / "pytorch_model.bin")
    result = gatekeeper("init")
    assert result.returncode == 2
    assert "save_pretrained" in result.stderr


def test_a_folder_that_writes_no_text_is_refused(tmp_path: Path, gatekeeper: Callable) -> None:
    (text_model(tmp_path) / "config.json").write_text('{"architectures": ["BertForSequenceClassification"]}')
    result = gatekeeper("init")
    assert result.returncode == 2
    assert "Export it to ONNX" in result.stderr


def test_xml_files_of_other_kinds_are_no_models(tmp_path: Path, gatekeeper: Callable) -> None:
    (tmp_path / "pom.xml").write_text("<project/>")
    result = gatekeeper("init")
    assert result.returncode == 2
    assert "no model" in result.stderr


def test_without_a_dataset_it_says_what_to_change(tmp_path: Path, gatekeeper: Callable) -> None:
    save(tmp_path / "model.onnx")
    result = gatekeeper("init", "--task", "regression")
    assert result.returncode == 0
    assert "complete what is marked CHANGE" in result.stdout
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "edge_ai_pipeline.yaml")
    assert [p.message.split(":")[0] for p in caught.value.problems] == ["no such dataset"]


def test_a_folder_of_images_is_an_evaluation_set(tmp_path: Path, gatekeeper: Callable) -> None:
    save(tmp_path / "model.onnx", "Conv")
    for label in ("cat", "dog"):
        (tmp_path / "eval" / label).mkdir(parents=True)
        (tmp_path / "eval" / label / "1.png").write_bytes(b"x")
    assert gatekeeper("init").returncode == 0
    loaded = load(tmp_path / "edge_ai_pipeline.yaml")
    assert loaded.pipeline.dataset is not None
    assert (loaded.folder / str(loaded.pipeline.dataset.path)).is_dir()


def test_it_overwrites_nothing(tmp_path: Path, gatekeeper: Callable) -> None:
    save(tmp_path / "model.onnx")
    (tmp_path / "edge_ai_pipeline.yaml").write_text("mine")
    result = gatekeeper("init")
    assert result.returncode == 2
    assert "--force" in result.stderr
    assert (tmp_path / "edge_ai_pipeline.yaml").read_text() == "mine"
    assert not (tmp_path / WORKFLOW).exists()


def test_a_workflow_that_is_there_stops_it_before_it_writes(tmp_path: Path, gatekeeper: Callable) -> None:
    save(tmp_path / "model.onnx")
    (tmp_path / WORKFLOW).parent.mkdir(parents=True)
    (tmp_path / WORKFLOW).write_text("mine")
    assert gatekeeper("init").returncode == 2
    assert (tmp_path / WORKFLOW).read_text() == "mine"
    assert not (tmp_path / "edge_ai_pipeline.yaml").exists()


def test_force_overwrites(tmp_path: Path, gatekeeper: Callable) -> None:
    save(tmp_path / "model.onnx")
    (tmp_path / "edge_ai_pipeline.yaml").write_text("mine")
    assert gatekeeper("init", "--force").returncode == 0
    assert "mine" not in (tmp_path / "edge_ai_pipeline.yaml").read_text()


def test_several_models_are_a_choice(tmp_path: Path, gatekeeper: Callable) -> None:
    save(tmp_path / "a.onnx")
    save(tmp_path / "deep" / "b.onnx")
    result = gatekeeper("init")
    assert result.returncode == 2
    assert "a.onnx" in result.stderr
    assert str(Path("deep/b.onnx")) in result.stderr
    assert "--model" in result.stderr
    assert gatekeeper("init", "--model", "deep/b.onnx").returncode == 0
    assert yaml.safe_load((tmp_path / "edge_ai_pipeline.yaml").read_text())["edge_ai_pipeline"]["model"]["path"] == "deep/b.onnx"


@pytest.mark.parametrize("place", ["gatekeeper-report/artifacts", ".venv/lib", "node_modules/x"])
def test_models_that_are_not_the_users_are_not_found(tmp_path: Path, gatekeeper: Callable, place: str) -> None:
    save(tmp_path / place / "other.onnx")
    result = gatekeeper("init")
    assert result.returncode == 2
    assert "no model" in result.stderr
    save(tmp_path / "mine.onnx")
    assert gatekeeper("init").returncode == 0


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.onnx", None, "no such model"),
        ("m.txt", b"x", "unknown model format"),
        ("m.onnx", b"hello", "m.onnx"),
        ("m.onnx", b"", "empty"),
    ],
)
def test_a_model_that_cannot_be_read_writes_nothing(
    tmp_path: Path, gatekeeper: Callable, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = gatekeeper("init", "--model", name)
    assert result.returncode == 2
    assert words in result.stderr
    assert not (tmp_path / "edge_ai_pipeline.yaml").exists()


def test_a_file_elsewhere_points_at_the_model(tmp_path: Path, gatekeeper: Callable) -> None:
    save(tmp_path / "model.onnx")
    datasets(tmp_path)
    assert gatekeeper("init", "--output", "ci/p.yaml").returncode == 0
    assert gatekeeper("validate", "ci/p.yaml").returncode == 0


NAMES = [
    "a b", "a: b", "a #b", 'a"b', "a'b", "ü", "模型", "😀", "a\nb", "a\tb", "a\\b", "\x7f", "\x85", "\u2028", "- a", "*a", "!a",
    "%a", "@a", "`a", "{a}", "[a]", "null", "1e5", "a$HOME", "a,b", "? a", "~", "# a", "a:", "--help",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_any_file_name_comes_back_from_the_file(tmp_path: Path, name: str) -> None:
    from gatekeeper.starting.init import pipeline_text

    model = save(tmp_path / f"{name}.onnx")
    datasets(tmp_path, f"{name} ")
    (tmp_path / "p.yaml").write_text(pipeline_text(model, tmp_path), encoding="utf-8")
    loaded = load(tmp_path / "p.yaml")
    assert loaded.pipeline.model is not None
    assert loaded.pipeline.model.path == f"{name}.onnx"
    assert loaded.pipeline.dataset is not None
    assert loaded.pipeline.dataset.path == f"{name} eval.npz"
    assert loaded.pipeline.dataset.calibration == f"{name} calib.npz"


@pytest.mark.parametrize("name", ["a b: #c", "😀", "a\nb"], ids=repr)
def test_any_file_name_is_found_and_written(tmp_path: Path, gatekeeper: Callable, name: str) -> None:
    save(tmp_path / f"{name}.onnx")
    datasets(tmp_path, name)
    result = gatekeeper("init")
    assert result.returncode == 0, result.stderr[-300:]
    assert gatekeeper("validate", "edge_ai_pipeline.yaml").returncode == 0


def test_every_input_is_named_where_there_are_several(tmp_path: Path, gatekeeper: Callable) -> None:
    names = ("ids", "mask", "scale")
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in names]
    nodes = [helper.make_node("Sum", list(names), ["y"])]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])])
    onnx.save(helper.make_model(graph), tmp_path / "model.onnx")
    done = gatekeeper("init", "--model", "model.onnx")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "edge_ai_pipeline.yaml").read_text()
    assert ".npz with an array for each input (ids, mask, scale), and y" in text and "folder of images" not in text


def test_what_nothing_tells_is_to_be_said(tmp_path: Path, gatekeeper: Callable) -> None:
    save(tmp_path / "model.onnx")
    result = gatekeeper("init")
    assert result.returncode == 0 and "model.task is 'CHANGE-me'" in result.stdout, result.stdout
    refused = gatekeeper("init", "--force", "--task", "regresion")
    assert refused.returncode == 2 and "did you mean 'regression'?" in refused.stderr
    result = gatekeeper("init", "--force", "--task", "regression")
    assert "task: regression" in (tmp_path / "edge_ai_pipeline.yaml").read_text()


def test_states_and_single_values_of_a_recurrent_model_are_written(tmp_path: Path, gatekeeper: Callable) -> None:
    """What it writes is what `run` needs: the answers of its steps are those of a bare loop."""
    ends = {
        "x": ["n", 4],
        "state": ["n", 4],
        "sr": [],
    }
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends.items()]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("out", "stateN")]
    nodes = [
        helper.make_node("Add", ["x", "state"], ["stateN"]),
        helper.make_node("Mul", ["stateN", "sr"], ["out"]),
    ]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", inputs, outputs)), tmp_path / "model.onnx")
    x = np.random.default_rng(0).standard_normal((40, 5, 4)).astype(np.float32)
    np.savez(tmp_path / "eval.npz", x=x, sr=np.float32(2))
    assert gatekeeper("init", "--task", "regression").returncode == 0
    text = (tmp_path / "edge_ai_pipeline.yaml").read_text()
    assert "state: {carry: stateN}" in text and "# sr: {constant: 16000}" in text and "arrays x and y" in text
    done = gatekeeper("validate", "edge_ai_pipeline.yaml")
    assert done.returncode == 0, done.stderr
    assert load(tmp_path / "edge_ai_pipeline.yaml").pipeline.inputs["state"].carry == "stateN"


SAID = {
    "object_detection": ["# metric: map    # map_50,", "# boxes: {layout: ", "COCO's .json as `annot", "# y: [examples, most"],
    "transcription": ["# metric: character_error_rate    # word_err", "# symbols: {vocabulary: ", "# y: [examples]: the text;"],
    "regression": ["# metric: r2    # mae, rmse,", "  # .csv, or `loader", "# y: as many numbers an example as the output has"],
    "image_classification": ["# metric: accuracy    # macro_f1, top5_accuracy,", "a folder of images (one subfolder a class)"],
}


@pytest.mark.parametrize("task", REGISTRY.names)
def test_labels_and_metrics_are_those_of_the_task(task: str, tmp_path: Path) -> None:
    if is_text(task):
        return
    save(tmp_path / "model.onnx")
    (tmp_path / "eval.npz").write_bytes(b"")
    text = pipeline_text(tmp_path / "model.onnx", tmp_path, task=task)
    for said in SAID.get(task, []):
        assert said in text, text
    assert all(each in text.partition("metric: ")[2].partition("\n")[0] for each in of_family(REGISTRY.get(task).FAMILY))


def test_a_model_that_is_a_link_is_called_as_it_is_here(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    save(tmp_path / "elsewhere.onnx")
    (tmp_path / "here/model.onnx").symlink_to(tmp_path / "elsewhere.onnx")
    assert "    path: model.onnx\n" in pipeline_text(tmp_path / "here/model.onnx", tmp_path / "here")
