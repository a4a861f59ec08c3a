"""`frameworks: auto` and `techniques: auto` in a pipeline file: what is planned, with the reason, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from kit.command import Command
from kit.support import write_model
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.config.load import load
from gatekeeper.config.wishes import wish_of
from gatekeeper.errors import ConfigError
from gatekeeper.planning.plan import Plan, make_plan, model_of
from gatekeeper.records.wish import Wish


def written(folder: Path, optimization: str, target: str = "hardware: cpu", more: str = "") -> Path:
    write_model(folder / "model.onnx")
    file = folder / "p.yaml"
    file.write_text(
        "edge_ai_pipeline:\n  model: {path: model.onnx}\n"
        f"  optimization: {{{optimization}}}\n  targets: [{{name: t, {target}}}]\n{more}"
    )
    return file


def planned(file: Path) -> Plan:
    loaded = load(file)
    return make_plan(loaded, model_of(loaded)[1])


def test_auto_plans_what_the_tables_say_with_the_reasons(tmp_path: Path) -> None:
    legs = planned(written(tmp_path, "frameworks: auto, techniques: auto")).legs
    assert [leg.framework for leg in legs] == ["onnx_runtime", "openvino"]
    assert all(leg.why for leg in legs)
    assert all(variant.why for leg in legs for variant in leg.variants)


def test_what_does_not_apply_is_left_out_and_blocks_nothing(tmp_path: Path) -> None:
    """There is no calibration set here, which int8_static needs."""
    for leg in planned(written(tmp_path, "frameworks: auto, techniques: auto")).legs:
        assert any(not variant.skip for variant in leg.variants)
        assert all("calibration" in variant.skip for variant in leg.variants if variant.skip)
        assert not any(variant.error for variant in leg.variants)


def test_frameworks_alone_choose_their_techniques_unless_these_are_named(tmp_path: Path) -> None:
    file = written(tmp_path, "frameworks: auto, techniques: {onnx_runtime: [fp16]}")
    ort, other = planned(file).legs
    assert [(v.technique, v.why) for v in ort.variants] == [("fp16", "")]
    assert all(v.why for v in other.variants)


def test_techniques_alone_are_chosen_for_the_frameworks_that_are_named(tmp_path: Path) -> None:
    [leg] = planned(written(tmp_path, "frameworks: [microsoft_olive], techniques: auto")).legs
    assert (leg.why, leg.framework) == ("", "microsoft_olive")
    assert all(variant.why for variant in leg.variants)


def test_a_target_with_frameworks_of_its_own_keeps_them(tmp_path: Path) -> None:
    [leg] = planned(written(tmp_path, "frameworks: auto", "hardware: cpu, frameworks: [openvino]")).legs
    assert (leg.framework, leg.why) == ("openvino", "")


def test_a_file_without_auto_is_planned_as_before(tmp_path: Path) -> None:
    [leg] = planned(written(tmp_path, "frameworks: [onnx_runtime]")).legs
    assert leg.why == "" and not any(variant.why for variant in leg.variants)


def test_the_plan_shows_it(tmp_path: Path, gatekeeper: Command) -> None:
    file = written(tmp_path, "frameworks: auto, techniques: auto")
    shown = gatekeeper("plan", file, env={"COLUMNS": "200"}).stdout
    assert "auto: lightweight and cross-platform" in shown and "second on Any CPU" in shown
    legs = json.loads(gatekeeper("plan", file, "--format", "json").stdout)["legs"]
    assert legs[0]["why"] == "lightweight and cross-platform"
    assert gatekeeper("validate", file).stdout.endswith("frameworks auto.\n")


def test_where_nothing_runs_auto_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no listed framework supports apple_silicon"):
        load(written(tmp_path, "frameworks: auto", "hardware: apple_silicon"))


@pytest.mark.parametrize(
    ("said", "wish"),
    [
        ("select: memory", Wish(select="memory")),
        ("preferences: {speed: 2, memory: 1}", Wish(select="preferences", weights={"speed": 2, "memory": 1})),
        ("preferences: {energy: 0.5, speed: 0}", Wish(select="preferences", weights={"energy": 0.5})),
        ("", Wish()),
    ],
)  # fmt: skip
def test_what_is_preferred_is_known_with_its_place(tmp_path: Path, said: str, wish: Wish) -> None:
    found = wish_of(load(written(tmp_path, said)))
    assert found.same(wish)
    assert found.where.endswith("p.yaml:3") is bool(said)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("preferences: {speed: -1}", "optimization.preferences.speed is -1; it must be at least 0"),
        ("preferences: {speed: 0, memory: 0}", "every weight is 0"),
        ("preferences: {}", "every weight is 0"),
        ("preferences: {speed: 1}, select: memory", "which both choose. Remove one"),
        ("preferences: {sped: 1}", "did you mean 'speed'"),
        ("preferences: {speed: .inf}", "inf"),
        ("preferences: {speed: .nan}", "nan"),
        ("select: cheapest", "Allowed: accuracy, balanced, memory, speed"),
        ("frameworks: all", "auto"),
        ("frameworks: [auto]", "Allowed: "),
        ("techniques: best", "auto"),
    ],
)
def test_what_contradicts_itself_is_refused_with_its_place(tmp_path: Path, said: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(written(tmp_path, said))
    [problem] = refused.value.problems
    assert problem.line == 3
    assert message in problem.message, problem.message


def test_techniques_of_what_auto_does_not_choose_are_refused(tmp_path: Path, gatekeeper: Command) -> None:
    done = gatekeeper("plan", written(tmp_path, "frameworks: auto, techniques: {microsoft_olive: [fp16]}"))
    assert done.returncode == 2
    assert "p.yaml:3: auto chooses onnx_runtime, openvino for this model, and not microsoft_olive" in done.stderr


def test_a_model_of_which_nothing_can_be_made_is_refused_with_every_reason(tmp_path: Path, gatekeeper: Command) -> None:
    """It holds 8-bit weights already, and on that GPU there is nothing to try."""
    file = written(tmp_path, "frameworks: auto, techniques: auto", "hardware: intel_gpu")
    graph = helper.make_graph(
        [helper.make_node("DequantizeLinear", ["w", "s"], ["f"]), helper.make_node("MatMul", ["x", "f"], ["y"])],
        "quantized",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(np.ones((4, 3), np.int8), "w"), numpy_helper.from_array(np.float32(1), "s")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), tmp_path / "model.onnx")
    done = gatekeeper("plan", file)
    assert done.returncode == 2
    assert "p.yaml:3: auto finds no framework that can make a variant" in done.stderr
    assert "openvino: the model is already quantized" in done.stderr and "llama_cpp: " in done.stderr
    mine = file.read_text().replace("techniques: auto", "techniques: auto, variants: [{name: ours, path: other.onnx}]")
    write_model(tmp_path / "model.onnx", seed=1)
    (tmp_path / "model.onnx").rename(tmp_path / "other.onnx")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), tmp_path / "model.onnx")
    file.write_text(mine)
    assert gatekeeper("plan", file).returncode == 0
