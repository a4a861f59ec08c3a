"""Models that take texts, and inputs that have a value of their own, through the front door, and by a bare loop beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from kit.command import call
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

FLOAT = TensorProto.FLOAT
CITIES = ["Aachen", "Bern", "Zürich", "Łódź", "東京", ""]
GATES = "gates: {speedup: disabled, memory: disabled, stability: disabled}"
node, value = helper.make_node, helper.make_tensor_value_info


def save(path: Path, nodes: list[Any], inputs: list[Any], **weights: Any) -> Path:
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", inputs, [value("logits", FLOAT, ["n", 4])], constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def towns(path: Path, known: list[str]) -> Path:
    """A class of numbers and of the town they were measured in; towns that are not known are one more."""
    r = np.random.default_rng(7)
    table, weight = r.standard_normal((7, 8)).astype(np.float32), r.standard_normal((8, 4)).astype(np.float32)
    numbers = {"keys_strings": known, "values_int64s": [CITIES.index(each) for each in known], "default_int64": len(CITIES)}
    nodes = [
        node("LabelEncoder", ["town"], ["number"], domain="ai.onnx.ml", **numbers),
        node("Squeeze", ["number", "one"], ["single"]),
        node("Gather", ["table", "single"], ["place"]),
        node("Add", ["place", "x"], ["a"]),
        node("MatMul", ["a", "w"], ["logits"]),
    ]
    inputs = [value("town", TensorProto.STRING, ["n", 1]), value("x", FLOAT, ["n", 8])]
    return save(path, nodes, inputs, table=2 * table, w=weight, one=np.array([1]))


def answers(model: Path, **feed: Any) -> Any:
    """A class for each example, asked one by one; what has no axis of examples is asked as it is."""
    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    rows = ({name: array[i : i + 1] if array.ndim else array for name, array in feed.items()} for i in range(len(feed["x"])))
    return np.array([session.run(None, row)[0][0].argmax() for row in rows])


def write(folder: Path, frameworks: str, variants: str, more: str = "") -> Path:
    file = folder / "p.yaml"
    file.write_text(f"""\
edge_ai_pipeline:
  stages: [model_validation, optimization{", testing" if "testing" in more else ""}]
  model: {{path: model.onnx, task: tabular_classification}}
  dataset: {{path: eval.npz, calibration: calib.npz}}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization:
    frameworks: [{frameworks}]
    techniques: {{{"onnx_runtime: [int8_dynamic, int8_static]" if frameworks == "onnx_runtime" else ""}}}
    variants: [{variants}]
  {GATES}
{more}""")
    return file


def ran(file: Path, code: int) -> dict[str, Any]:
    done = call(("run", file, "--output", file.parent / "report"), file.parent, {})
    assert done.returncode == code and "Traceback" not in done.stderr, done.stdout + done.stderr
    [target] = json.loads((file.parent / "report/report.json").read_text())["targets"]
    return {each["technique"]: each for each in target["variants"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of towns, and what it answers; a variant in 8 bits, and one that has forgotten a town."""
    place, r = tmp_path_factory.mktemp("towns"), np.random.default_rng(3)
    towns(place / "model.onnx", CITIES)
    towns(place / "forgetful.onnx", CITIES[:4] + CITIES[5:])
    quantize_dynamic(place / "model.onnx", place / "own.onnx", weight_type=QuantType.QInt8)
    town, x = r.choice([*CITIES, "Rom"], (700, 1)), r.standard_normal((700, 8)).astype(np.float32)
    y = answers(place / "model.onnx", town=town[:600], x=x[:600])
    np.savez(place / "eval.npz", town=town[:600], x=x[:600], y=y)
    np.savez(place / "calib.npz", town=town[600:], x=x[600:])
    return place


def test_texts_are_given_as_a_bare_loop_gives_them(folder: Path) -> None:
    data = np.load(folder / "eval.npz")
    lost = (answers(folder / "forgetful.onnx", town=data["town"], x=data["x"]) == data["y"]).mean()
    assert 0.5 < lost < 0.97, "the town matters"
    variants = ran(write(folder, "onnx_runtime", "{name: own, path: own.onnx}, {name: forgetful, path: forgetful.onnx}"), 0)
    for name, variant in variants.items():
        file = folder / "report" / variant["artifact"]["path"]
        right = (answers(file, town=data["town"], x=data["x"]) == data["y"]).mean()
        assert variant["quality"]["value"] == pytest.approx(right, abs=1e-9), name
        assert variant["verdict"] == ("fail" if name == "forgetful" else "pass"), (name, variant["reason"])
    assert set(variants) == {"int8_dynamic", "int8_static", "own", "forgetful"}


def test_what_takes_numbers_only_says_so(folder: Path, gatekeeper: Any) -> None:
    planned = gatekeeper("plan", write(folder, "openvino", ""), "--format", "json")
    said = "OpenVINO has tensors of numbers only, and the input town is texts"
    assert planned.returncode == 0 and all(said in each["skip"] for each in json.loads(planned.stdout)["legs"][0]["variants"])


@pytest.mark.thorough
def test_texts_are_sent_under_load_and_by_attackers(folder: Path, tmp_path: Path) -> None:
    for file in ("model.onnx", "eval.npz", "calib.npz", "own.onnx"):
        (tmp_path / file).symlink_to(folder / file)
    more = "  testing: {load_tests: smoke, security_tests: basic, integration_tests: smoke, unit_tests: basic}\n"
    file = write(tmp_path, "", "{name: own, path: own.onnx}", more)
    call(("run", file, "--output", tmp_path / "report"), tmp_path, {})
    report = json.loads((tmp_path / "report/report.json").read_text())
    [variant] = report["targets"][0]["variants"]
    gates = {each["gate"]: each for each in variant["gates"]}
    for name in ("security_tests", "integration_tests", "unit_tests"):
        assert gates[name]["verdict"] == "pass", gates[name]["reason"]
    assert "no request was answered" not in gates["error_rate"]["reason"], "how fast it is depends on the machine"


WRONG = {
    "numbers": (np.zeros((600, 1)), "'town' is float64, and the model takes texts. Save them as an array of strings."),
    "bytes that are none": (np.full((600, 1), b"\xff\xfe"), "'town' holds bytes that are not UTF-8. Save texts."),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_text_is_refused(what: str, folder: Path, tmp_path: Path, gatekeeper: Any) -> None:
    array, says = WRONG[what]
    data = dict(np.load(folder / "eval.npz"))
    (tmp_path / "model.onnx").symlink_to(folder / "model.onnx")
    np.savez(tmp_path / "calib.npz", x=data["x"], town=data["town"])
    np.savez(tmp_path / "eval.npz", **(data | {"town": array}))
    done = gatekeeper("validate", write(tmp_path, "onnx_runtime", ""))
    assert done.returncode == 2 and says in done.stderr, done.stderr


def moved(path: Path) -> Path:
    """Inputs beside x: a factor of 1 and what is added, 0, unless others are given; and a scale that has no axis of examples."""
    weight = np.random.default_rng(7).standard_normal((8, 4)).astype(np.float32)
    names = ["x", "factor", "shift", "sizes"]
    nodes = [node(kind, [a, b], [c]) for kind, a, b, c in (
        ("Mul", "x", "factor", "s"), ("Add", "s", "shift", "a"), ("Mul", "a", "sizes", "b"), ("MatMul", "b", "w", "logits"),
    )]  # fmt: skip
    shapes: list[Any] = [["n", 8], [], ["m", 8], [8]]
    inputs = [value(name, FLOAT, shape) for name, shape in zip(names, shapes, strict=True)]
    own = {"factor": np.float32(1), "shift": np.zeros((1, 8), np.float32), "sizes": np.ones(8, np.float32)}
    return save(path, nodes, inputs, w=weight, **own)


@pytest.mark.parametrize("given", [False, True])
def test_an_input_with_a_value_of_its_own_is_given_or_left(given: bool, tmp_path: Path) -> None:
    """One by the data and two by the pipeline file; or none, and then the model has its own."""
    model, r = moved(tmp_path / "model.onnx"), np.random.default_rng(5)
    x, shift = (r.standard_normal((700, 8)).astype(np.float32) for _ in range(2))
    sizes = np.array([1, 2, 3, 1, 2, 3, 1, 2], np.float32)
    more = {"shift": 2 * shift, "factor": np.array(-3, np.float32), "sizes": sizes} if given else {}
    fed = {name: array for name, array in more.items() if array.shape in ((), (8,))}
    y = session_answers(model, x, more.get("shift"), fed)
    assert not given or (y != session_answers(model, x, None, {})).mean() > 0.3, "they matter"
    quantize_dynamic(model, tmp_path / "own.onnx", weight_type=QuantType.QInt8)
    beside = {"shift": more["shift"]} if given else {}
    np.savez(tmp_path / "eval.npz", x=x[:600], y=y[:600], **{name: array[:600] for name, array in beside.items()})
    np.savez(tmp_path / "calib.npz", x=x[600:], **{name: array[600:] for name, array in beside.items()})
    stated = f"  inputs: {{factor: {{constant: -3}}, sizes: {{constant: {sizes.tolist()}}}}}\n" if given else ""
    variants = ran(write(tmp_path, "onnx_runtime", "{name: own, path: own.onnx}", stated), 0)
    assert set(variants) == {"int8_dynamic", "int8_static", "own"}
    for name, variant in variants.items():
        file = tmp_path / "report" / variant["artifact"]["path"]
        found = session_answers(file, x[:600], more["shift"][:600] if given else None, fed)
        assert variant["quality"]["value"] == pytest.approx((found == y[:600]).mean(), abs=1e-9), name
        assert variant["quality"]["value"] > 0.9, name


def session_answers(model: Path, x: Any, shift: Any, more: dict[str, Any]) -> Any:
    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    own = [{} if shift is None else {"shift": shift[i : i + 1]} for i in range(len(x))]
    return np.array([session.run(None, {"x": x[i : i + 1], **each, **more})[0][0].argmax() for i, each in enumerate(own)])


def test_a_value_for_all_examples_is_not_read_from_the_data(tmp_path: Path, gatekeeper: Any) -> None:
    moved(tmp_path / "model.onnx")
    x = np.zeros((600, 8), np.float32)
    np.savez(tmp_path / "eval.npz", x=x, y=np.arange(600) % 4, sizes=np.ones(8, np.float32))
    np.savez(tmp_path / "calib.npz", x=x)
    done = gatekeeper("validate", write(tmp_path, "onnx_runtime", ""))
    said = "'sizes' is [8], one value for all examples, which the model has, and the data give another. Say it with `inputs:"
    assert done.returncode == 2 and said in done.stderr


def test_an_optional_value_is_no_tensor(tmp_path: Path, gatekeeper: Any) -> None:
    kind = helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT, ["n", 8]))
    nodes = [node("OptionalGetElement", ["maybe"], ["m"]), node("Add", ["x", "m"], ["a"]), node("MatMul", ["a", "w"], ["logits"])]
    inputs = [value("x", FLOAT, ["n", 8]), helper.make_value_info("maybe", kind)]
    save(tmp_path / "model.onnx", nodes, inputs, w=np.ones((8, 4), np.float32))
    np.savez(tmp_path / "eval.npz", x=np.zeros((600, 8), np.float32), y=np.arange(600) % 4)
    np.savez(tmp_path / "calib.npz", x=np.zeros((60, 8), np.float32))
    done = gatekeeper("validate", write(tmp_path, "onnx_runtime", ""))
    assert done.returncode == 2 and "the model takes 'maybe' as an optional value, and only tensors can be given" in done.stderr
