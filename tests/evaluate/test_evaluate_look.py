"""What `validate` says of the data is what `run` would say of it, much later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from kit.command import call
from kit.tiny_llm import write_llama
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.evaluate import look_some
from gatekeeper.evaluate.datasets.npz import some_rows


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("look")
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])] for name, width in (("x", 6), ("logits", 3))]
    weights = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["logits"])], "g", *ends, [numpy_helper.from_array(weights, "w")]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx")
    x = np.random.default_rng(1).standard_normal((600, 6)).astype(np.float32)
    np.savez(folder / "eval.npz", x=x, y=(x @ weights).argmax(axis=1))
    file = folder / "p.yaml"
    file.write_text("""\
edge_ai_pipeline:
  model: {path: model.onnx, task: tabular_classification}
  dataset: {path: eval.npz}
  optimization: {frameworks: [onnx_runtime], techniques: {onnx_runtime: [int8_dynamic]}}
  gates: {speedup: disabled, memory: disabled, stability: disabled}
""")
    return file


def arrays(project: Path) -> dict[str, Any]:
    with np.load(project.parent / "eval.npz") as found:
        return {name: found[name] for name in found.files}


def wrong(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Sets that do not fit, by what is said of them."""
    x, y = known["x"], known["y"]
    spoilt = x.copy()
    spoilt[-1] = np.nan
    return {
        "has shape": {"x": x[:, 1:], "y": y},
        "no array for the model's input": {"a": x, "b": x, "y": y},
        "labels for": {"x": x, "y": y[:-5]},
        "NaN or infinite": {"x": spoilt, "y": y},
        "Convert it when saving the file": {"x": x.astype(complex), "y": y},
        "nothing uses kinds": {"x": x, "kinds": y},
        "pickle": {"x": x, "y": np.array([{}] * len(y), dtype=object)},
    }


CASES = [
    "has shape", "no array for the model's input", "labels for", "NaN or infinite", "Convert it when saving the file",
    "nothing uses kinds", "pickle",
]  # fmt: skip


@pytest.mark.parametrize("said", CASES)
@pytest.mark.parametrize(("packed", "large"), [(False, False), (False, True), (True, True)])
def test_what_does_not_fit_is_said_before_anything_runs(
    said: str, packed: bool, large: bool, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look_some, "ENOUGH", 0 if large else look_some.ENOUGH)
    good = arrays(project)
    file = project.parent / "eval.npz"
    kept = file.read_bytes()
    try:
        (np.savez_compressed if packed else np.savez)(file, **wrong(good)[said])
        told = call(("validate", project), project.parent, {})
        quick = call(("validate", project, "--quick"), project.parent, {})
        late = call(("run", project, "--output", project.parent / "report"), project.parent, {})
    finally:
        file.write_bytes(kept)
    assert quick.returncode == 0, quick.stderr
    if packed and said == "NaN or infinite":  # the last row of what is packed is not read
        assert told.returncode == 0 and late.returncode == 4
        return
    assert told.returncode == 2 and said in told.stderr and f"{project}:" in told.stderr, told.stderr
    message = told.stderr.split(f"{file}", 1)[1].strip().split(". ")[0]
    assert late.returncode == 4 and message in " ".join(late.stdout.split()), late.stdout


def test_good_data_is_valid(project: Path) -> None:
    assert call(("validate", project), project.parent, {}).returncode == 0


def test_a_row_in_the_middle_of_a_small_set_is_seen(project: Path) -> None:
    good, file = arrays(project), project.parent / "eval.npz"
    kept = file.read_bytes()
    good["x"][377, 2] = np.inf
    try:
        np.savez_compressed(file, **good)
        told = call(("validate", project), project.parent, {})
    finally:
        file.write_bytes(kept)
    assert told.returncode == 2 and "NaN or infinite" in told.stderr


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_of_every_array_are_as_they_are_in_the_file(packed: bool, order: Any, tmp_path: Path) -> None:
    x = np.asarray(np.random.default_rng(0).standard_normal((500, 3, 4)), order=order)
    (np.savez_compressed if packed else np.savez)(tmp_path / "a.npz", x=x, rate=np.float32(3), few=np.arange(4))
    rows, counts = some_rows(tmp_path / "a.npz", 16)
    assert counts == {"x": 500, "rate": 1, "few": 4}
    assert rows["rate"] == 3 and (rows["few"] == np.arange(4)).all()
    assert all(any((row == whole).all() for whole in x) for row in rows["x"])
    if not packed:
        assert len(rows["x"]) <= 16 and (rows["x"][0] == x[0]).all() and (rows["x"][-1] == x[-1]).all()


QUESTION = '{"prompt": "one and one", "answer": "two"}\n'
TEXTS = {
    ("eval.txt", "some text", ""): "",
    ("eval.jsonl", QUESTION, ""): "",
    ("eval.jsonl", QUESTION, "metric: exact_match"): "",
    ("eval.jsonl", QUESTION + '{"question": "a", "answer": "b"}', ""): "eval.jsonl:2: needs the text `text`, or one of `prompt`",
    ("eval.jsonl", QUESTION + "{", ""): "eval.jsonl:2: not JSON",
    ("eval.jsonl", QUESTION, "metric: acc"): "acc needs lines with `choices`",
    ("eval.txt", "some text", "metric: contains"): "contains needs lines with `prompt` (or `messages`) and `answer` in a .jsonl",
    ("eval.csv", "a,b", ""): "text_generation reads .txt and .jsonl",
}


@pytest.mark.parametrize("case", TEXTS)
def test_texts_are_read(case: tuple[str, str, str], tmp_path: Path) -> None:
    name, content, more = case
    write_llama(tmp_path / "model")
    (tmp_path / name).write_text(content)
    (tmp_path / "p.yaml").write_text(f"""\
edge_ai_pipeline:
  model: {{path: model, task: text_generation}}
  dataset: {{path: {name}, {more}}}
  optimization: {{frameworks: [llama_cpp]}}
""")
    done = call(("validate", tmp_path / "p.yaml"), tmp_path, {})
    assert (done.returncode, TEXTS[case] in done.stderr) == (2 if TEXTS[case] else 0, True), done.stderr
