"""From a pipeline file to legs and variants: what is planned, what is left out, and what cannot be, with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gatekeeper.config.load import load
from gatekeeper.errors import UsageError
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import framework
from gatekeeper.models.files import assess, digest
from gatekeeper.planning.plan import PLAN_SCHEMA, Plan, github_matrix, make_plan, read_plan

NOT_HERE = next(name for name in ("apple_mlx", "llama_cpp", "microsoft_olive", "openvino", "") if name not in FRAMEWORKS.names)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a model of one Gemm, and a calibration set."""
    import numpy as np

    tensors = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])]
    tensors += [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])]
    weight = numpy_helper.from_array(np.ones((4, 3), np.float32), "w")
    graph = helper.make_graph([helper.make_node("Gemm", ["x", "w"], ["y"])], "g", tensors[:1], tensors[1:], [weight])
    onnx.save(helper.make_model(graph), str(tmp_path / "model.onnx"))
    for name in ("eval.npz", "calib.npz"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def plan(folder: Path, body: str) -> Plan:
    file = folder / "p.yaml"
    file.write_text("edge_ai_pipeline:\n  model: {path: model.onnx}\n" + body)
    loaded = load(file)
    path = loaded.model_path()
    assert path is not None
    return make_plan(loaded, assess(path))


def test_without_targets_there_is_one_leg_for_this_machine(folder: Path) -> None:
    (leg,) = plan(folder, "").legs
    assert (leg.id, leg.target, leg.hardware, leg.framework) == ("local/onnx_runtime", "local", "cpu", "onnx_runtime")
    assert leg.runs_on == "ubuntu-latest"
    assert leg.extra == framework("onnx_runtime").EXTRA
    assert leg.error is None
    assert [v.technique for v in leg.variants] == list(framework("onnx_runtime").defaults("onnx", "cpu"))


def test_legs_are_targets_times_frameworks_in_the_order_of_the_file(folder: Path) -> None:
    found = plan(
        folder,
        "  optimization: {frameworks: [onnx_runtime, openvino, onnx_runtime]}\n"
        "  targets:\n"
        "    - {name: b, hardware: cpu, runs_on: [self-hosted, arm]}\n"
        "    - {name: a, hardware: intel_cpu, frameworks: [onnx_runtime]}\n",
    )
    assert found.leg_ids() == ["b/onnx_runtime", "b/openvino", "a/onnx_runtime"]
    assert [leg.runs_on for leg in found.legs] == [["self-hosted", "arm"], ["self-hosted", "arm"], "ubuntu-latest"]


def test_ids_are_unique_and_name_the_whole_way(folder: Path) -> None:
    found = plan(folder, "  targets: [{name: a, hardware: cpu}, {name: b, hardware: nvidia_gpu}]\n")
    ids = [v.id for leg in found.legs for v in leg.variants]
    assert len(ids) == len(set(ids))
    assert all(v.id == f"{leg.target}/{leg.framework}/{v.technique}" for leg in found.legs for v in leg.variants)


def test_a_default_that_does_not_apply_is_left_out_with_its_reason(folder: Path) -> None:
    (leg,) = plan(folder, "  dataset: {path: eval.npz}\n").legs
    reasons = {v.technique: (v.skip, v.error) for v in leg.variants}
    assert reasons["int8_dynamic"] == (None, None)
    for technique, words in (("int8_static", "dataset.calibration"), ("int4_weight_only", "MatMul")):
        skip, error = reasons[technique]
        assert words in (skip or "")
        assert error is None


def test_what_was_asked_for_and_does_not_apply_is_an_error(folder: Path) -> None:
    (leg,) = plan(folder, "  optimization: {techniques: {onnx_runtime: [int8_static, fp16]}}\n").legs
    assert [v.technique for v in leg.variants] == ["int8_static", "fp16"]
    assert "dataset.calibration" in (leg.variants[0].error or "")
    assert leg.variants[0].skip is None
    assert (leg.variants[1].skip, leg.variants[1].error) == (None, None)


def test_a_calibration_set_admits_static_quantization(folder: Path) -> None:
    (leg,) = plan(folder, "  dataset: {path: eval.npz, calibration: calib.npz}\n").legs
    assert {v.technique: v.skip for v in leg.variants}["int8_static"] is None


def test_a_device_has_its_own_defaults(folder: Path) -> None:
    (leg,) = plan(folder, "  targets: [{name: gpu, hardware: nvidia_gpu}]\n").legs
    assert [v.technique for v in leg.variants] == list(framework("onnx_runtime").defaults("onnx", "cuda"))


@pytest.mark.skipif(not NOT_HERE, reason="this version runs every framework")
def test_a_framework_that_cannot_run_yet_is_a_leg_with_an_error(folder: Path) -> None:
    (leg,) = plan(folder, f"  optimization: {{frameworks: [{NOT_HERE}], techniques: {{{NOT_HERE}: [x]}}}}\n").legs
    assert leg.id == f"local/{NOT_HERE}"
    assert f"cannot run {NOT_HERE}" in (leg.error or "")


def test_a_framework_that_does_not_support_a_target_is_a_leg_that_is_skipped_with_the_reason(folder: Path) -> None:
    found = plan(
        folder,
        "  optimization: {frameworks: [onnx_runtime, openvino]}\n"
        "  targets: [{name: gpu, hardware: intel_gpu}, {name: cpu, hardware: cpu}]\n",
    )
    skipped = {leg.id: leg.skip for leg in found.legs}
    assert "not on gpu" in (skipped["gpu/onnx_runtime"] or "")
    assert skipped["cpu/onnx_runtime"] is None
    assert "gpu/onnx_runtime" not in found.leg_ids(), "nobody needs to bring a result for it"
    assert "gpu/onnx_runtime" not in github_matrix(found)


def test_the_plan_names_its_pipeline_by_content(folder: Path) -> None:
    found = plan(folder, "")
    assert found.schema == PLAN_SCHEMA
    assert found.pipeline_sha256 == digest(folder / "p.yaml")


def test_the_matrix_is_one_line_with_a_job_for_every_leg(folder: Path) -> None:
    found = plan(folder, "  targets: [{name: a, hardware: cpu, runs_on: [x, y]}, {name: b, hardware: cpu}]\n")
    text = github_matrix(found)
    assert "\n" not in text
    jobs = json.loads(text)["include"]
    assert [(job["leg"], job["slug"]) for job in jobs] == [(f"{t}/onnx_runtime", f"{t}.onnx_runtime") for t in "ab"]
    assert [(job["target"], job["runs_on"]) for job in jobs] == [("a", ["x", "y"]), ("b", "ubuntu-latest")]
    assert {(job["framework"], job["extra"]) for job in jobs} == {("onnx_runtime", "onnx-runtime")}


def test_a_plan_comes_back_from_its_file(folder: Path) -> None:
    found = plan(folder, "")
    (folder / "plan.json").write_bytes(msgspec.json.encode(found))
    assert read_plan(folder / "plan.json") == found


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"not json",
        b'{"schema": "gatekeeper/plan/v2", "pipeline": "p", "pipeline_sha256": "0", "legs": []}',
        b'{"schema": "gatekeeper/plan/v1", "pipeline": "p", "pipeline_sha256": "0", "legs": [1]}',
        b'{"schema": "\xff\xfe"}',
        b'{"\xff": 1}',
        b'{"x": ' + b"[" * 100_000,
        b"\x00\x01\x02",
    ],
    ids=["empty", "object", "list", "text", "other version", "no leg", "not utf-8", "key not utf-8", "deep", "binary"],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(UsageError, match="gatekeeper plan --format json"):
        read_plan(tmp_path / "plan.json")


@pytest.mark.parametrize("name", ["none.json", "."])
def test_a_plan_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_plan(tmp_path / name)
