"""`gatekeeper plan`: the table, the JSON a report is checked against, and the matrix of a workflow."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.planning.plan import read_plan
from gatekeeper.reports._plain import plain


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a model."""
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", tensors[:1], tensors[1:])
    onnx.save(helper.make_model(graph), str(tmp_path / "model.onnx"))
    return tmp_path


def write(folder: Path, body: str) -> None:
    (folder / "p.yaml").write_text("edge_ai_pipeline:\n  model: {path: model.onnx}\n" + body)


def test_the_json_is_what_report_reads(folder: Path, gatekeeper: Callable) -> None:
    write(folder, "")
    result = gatekeeper("plan", "p.yaml", "--format", "json")
    assert result.returncode == 0, result.stderr
    (folder / "plan.json").write_text(result.stdout)
    assert read_plan(folder / "plan.json").leg_ids() == ["local/onnx_runtime"]


def test_the_matrix_is_one_line(folder: Path, gatekeeper: Callable) -> None:
    write(folder, "  targets: [{name: a, hardware: cpu, runs_on: [self-hosted, 'x y']}]\n")
    result = gatekeeper("plan", "p.yaml", "--format", "github")
    assert result.stdout.count("\n") == 1
    (job,) = json.loads(result.stdout)["include"]
    assert job["runs_on"] == ["self-hosted", "x y"]
    assert result.stderr == ""


def test_the_table_names_every_leg_and_why_something_is_left_out(folder: Path, gatekeeper: Callable) -> None:
    write(folder, "  optimization: {frameworks: [onnx_runtime, apple_mlx]}\n  targets: [{name: a, hardware: cpu}]\n")
    result = gatekeeper("plan", "p.yaml", env={"COLUMNS": "200"})
    assert result.returncode == 0, result.stderr
    assert "a/onnx_runtime" in result.stdout
    assert "a/apple_mlx" in result.stdout
    assert "left out: the model has no 32-bit weights" in result.stdout
    assert "left out: MLX reads Hugging Face folders of language models, not onnx" in result.stdout


@pytest.mark.parametrize("label", ["[self-hosted, linux]", "[/bold]", "[red]x", "a\\b", "[link=x]y[/link]", "\x1b[31mx", "x\ny"])
def test_a_runner_label_is_shown_as_it_is(folder: Path, gatekeeper: Callable, label: str) -> None:
    write(folder, f"  targets: [{{name: a, hardware: cpu, runs_on: {json.dumps(label)}}}]\n")
    result = gatekeeper("plan", "p.yaml", env={"COLUMNS": "200"})
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stdout
    assert plain(label) in result.stdout


def test_a_model_on_the_command_line_is_planned(folder: Path, gatekeeper: Callable) -> None:
    (folder / "p.yaml").write_text("edge_ai_pipeline: {}\n")
    assert gatekeeper("plan", "p.yaml").returncode == 2
    assert gatekeeper("plan", "p.yaml", "--model", "model.onnx").returncode == 0


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("none.onnx", "no such model"),
        ("p.yaml", "unknown model format"),
        ("broken.onnx", "broken.onnx"),
        (".", "a folder without config.json"),
    ],
)
def test_a_model_that_cannot_be_read_is_exit_2(folder: Path, gatekeeper: Callable, model: str, words: str) -> None:
    (folder / "p.yaml").write_text("edge_ai_pipeline: {}\n")
    (folder / "broken.onnx").write_bytes(b"hello")
    result = gatekeeper("plan", "p.yaml", "--model", model)
    assert result.returncode in (2, 4), result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_without_a_model_the_message_says_how_to_name_one(folder: Path, gatekeeper: Callable) -> None:
    (folder / "p.yaml").write_text("edge_ai_pipeline: {}\n")
    result = gatekeeper("plan", "p.yaml")
    assert result.returncode == 2
    assert "--model" in result.stderr


def test_a_bad_file_is_exit_2(folder: Path, gatekeeper: Callable) -> None:
    write(folder, "  gates: {sped: {}}\n")
    result = gatekeeper("plan", "p.yaml", "--format", "github")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("p.yaml:3:11: unknown key 'sped'")


def test_an_unknown_format_is_exit_2(folder: Path, gatekeeper: Callable) -> None:
    write(folder, "")
    result = gatekeeper("plan", "p.yaml", "--format", "xml")
    assert result.returncode == 2
    assert "github" in result.stderr


def test_the_support_matrix_asks_every_framework_about_every_device(folder: Path, gatekeeper: Callable) -> None:
    write(folder, "")
    result = gatekeeper("plan", "p.yaml", "--format", "support", env={"COLUMNS": "200"})
    assert result.returncode == 0, result.stderr
    rows = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if line.startswith("│")}
    assert rows.keys() == set(FRAMEWORKS.names)
    assert "yes" in rows["onnx_runtime"] and "yes" in rows["openvino"]
    assert "yes" not in rows["apple_mlx"] and "not onnx" in rows["apple_mlx"]


def test_a_leg_that_is_left_out_is_listed_with_its_reason(folder: Path, gatekeeper: Callable) -> None:
    write(folder, "  optimization: {frameworks: [apple_mlx, onnx_runtime]}\n")
    result = gatekeeper("plan", "p.yaml", env={"COLUMNS": "200"})
    assert "local/apple_mlx" in result.stdout and "left out: MLX reads Hugging Face folders" in result.stdout
    assert "local/apple_mlx" not in gatekeeper("plan", "p.yaml", "--format", "github").stdout


def test_a_matrix_of_nothing_is_refused_with_the_reasons(folder: Path, gatekeeper: Callable) -> None:
    write(folder, "  optimization: {frameworks: [apple_mlx, onnx_runtime]}\n")
    result = gatekeeper("plan", "p.yaml", "--format", "github", "--framework", "apple_mlx")
    assert (result.returncode, result.stdout) == (2, "")
    assert "no leg is left to run (local/apple_mlx: MLX reads Hugging Face folders" in result.stderr


def test_more_jobs_than_github_starts_are_refused_and_fewer_at_a_time_are_not(folder: Path, gatekeeper: Callable) -> None:
    targets = ", ".join(f"{{name: t{i}, hardware: cpu}}" for i in range(257))
    write(folder, f"  targets: [{targets}]\n")
    result = gatekeeper("plan", "p.yaml", "--format", "github")
    assert (result.returncode, result.stdout) == (2, "")
    assert "257 legs are more than the 256 jobs" in result.stderr
    assert "--target" in result.stderr
    one = gatekeeper("plan", "p.yaml", "--format", "github", "--target", "t7")
    assert [job["leg"] for job in json.loads(one.stdout)["include"]] == ["t7/onnx_runtime"]


def test_a_plan_may_be_of_some_legs(folder: Path, gatekeeper: Callable) -> None:
    write(folder, "  optimization: {frameworks: [openvino, onnx_runtime]}\n")
    result = gatekeeper("plan", "p.yaml", "--format", "json", "--framework", "openvino", env={"GITHUB_SHA": "a" * 64})
    found = json.loads(result.stdout)
    assert [leg["id"] for leg in found["legs"]] == ["local/openvino"]
    assert found["commit"] == "a" * 64
    wrong = gatekeeper("plan", "p.yaml", "--framework", "openvin")
    assert wrong.returncode == 2
    assert "did you mean 'openvino'?" in wrong.stderr


def test_a_policy_is_checked_when_planning_and_the_matrix_stays_alone(folder: Path, gatekeeper: Callable) -> None:
    write(folder, "  gates: {speedup: {min: 1.5}}\n")
    (folder / "base.yaml").write_text("edge_ai_pipeline: {targets: [{name: gone, hardware: cpu}]}\n")
    result = gatekeeper("plan", "p.yaml", "--format", "github", "--policy", "base.yaml")
    assert result.returncode == 0
    assert json.loads(result.stdout)["include"]
    assert result.stderr.splitlines() == [
        "not applied: gates.speedup.min: 2.0 in the policy, 1.5 here (p.yaml:3)",
        "refused: target gone of the policy is missing",
    ]
    (folder / "base.yaml").write_text("edge_ai_pipeline: {gates: {sped: {}}}\n")
    broken = gatekeeper("plan", "p.yaml", "--policy", "base.yaml")
    assert (broken.returncode, broken.stdout) == (2, "")
    assert "base.yaml:1:28: unknown key 'sped'" in broken.stderr


def test_a_column_that_would_be_empty_is_left_out(folder: Path, gatekeeper: Callable) -> None:
    write(folder, "  optimization: {techniques: {onnx_runtime: [graph_optimized]}}\n")
    lines = gatekeeper("plan", "p.yaml", env={"COLUMNS": "200"}).stdout.splitlines()
    assert lines[1].count("┃") == 5 and "variant" in lines[1]


def test_a_variant_of_ones_own_is_listed_with_its_file(folder: Path, gatekeeper: Callable) -> None:
    (folder / "ours.onnx").write_bytes((folder / "model.onnx").read_bytes())
    write(folder, "  optimization: {frameworks: [], variants: [{name: ours, path: ours.onnx}]}\n")
    result = gatekeeper("plan", "p.yaml", env={"COLUMNS": "200"})
    assert result.returncode == 0 and "your own: ours.onnx" in result.stdout
    plan = json.loads(gatekeeper("plan", "p.yaml", "--format", "json").stdout)
    [leg] = plan["legs"]
    assert (leg["id"], leg["baseline"]) == ("local/onnx_runtime", "")
    assert [each["id"] for each in leg["variants"]] == ["local/onnx_runtime/ours"]
