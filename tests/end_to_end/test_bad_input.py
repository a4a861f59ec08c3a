"""What goes wrong around a run: each failure is classified, the rest is still reported, nothing is half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import psutil
import pytest
from kit.support import eventually, install_framework, start, write_project
from markdown_it import MarkdownIt

from gatekeeper.config.owners import STAGES, stage_names


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A third-party framework whose techniques misbehave, installed the way a package is."""
    return install_framework(tmp_path_factory.mktemp("plugins"), "hostile")


def report_of(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "gatekeeper-report/report.json").read_text())
    return report


KINDS = {
    "segfault_making": "SIGSEGV",
    "hang_making": "no answer within 8 s",
    "segfault": "SIGSEGV",
    "hang": "no answer within 8 s",
    "memory": "out of memory",
    "garbage": "something else than an answer",
    "error": "unsupported operator: Frobnicate",
    "unchanged": "it changed nothing: operators and weights are the original's",
    "nan": "NaN or infinite",
}


@pytest.fixture(scope="module")
def hostile_report(plugins: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One run in which every technique but `fine` misbehaves in its own way."""
    folder = tmp_path_factory.mktemp("hostile")
    file = write_project(folder, ", ".join(["fine", *KINDS]), timeout="8s")
    file.write_text(file.read_text().replace("max_rounds: 3, blocks: 2", "max_rounds: 2, blocks: 1"))
    words = [sys.executable, "-m", "gatekeeper", "run", str(file)]
    run = subprocess.run(words, cwd=folder, env=os.environ | plugins, capture_output=True, text=True, check=False)
    assert "Traceback" not in run.stderr
    return report_of(folder)


@pytest.mark.parametrize("technique", KINDS)
def test_a_failing_variant_is_classified(technique: str, hostile_report: dict[str, Any]) -> None:
    variants = {v["technique"]: v for v in hostile_report["targets"][0]["variants"]}
    bad = variants[technique]
    assert bad["verdict"] == ("fail" if technique == "nan" else "error")
    assert any(KINDS[technique] in g["reason"] for g in bad["gates"]), bad
    assert not any(g["verdict"] == "pass" for g in bad["gates"] if g["gate"] == "accuracy")


def test_the_other_variants_still_report(hostile_report: dict[str, Any]) -> None:
    fine = hostile_report["targets"][0]["variants"][0]
    assert fine["technique"] == "fine"
    assert fine["verdict"] in ("pass", "inconclusive")
    assert fine["performance"]["p50_ns"] > 0


def test_require_all_does_not_pass_with_an_error(plugins: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    file = write_project(tmp_path, "fine, segfault", timed=False)
    file.write_text(file.read_text().replace("gates: {", "gates: {require: all, "))
    assert gatekeeper("run", file, env=plugins).returncode == 4


LESS_OFTEN = pytest.mark.thorough
"""What test_evaluate_prepare.py and test_evaluate_look.py show of reading alone, here through a whole run."""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"y": np.zeros(5, dtype=int)}, "5 labels for 600 examples"),
        pytest.param({"x": np.zeros((600, 7), dtype=np.float32)}, "has shape 600x7", marks=LESS_OFTEN),
        pytest.param({"x": np.array(["a"] * 600)}, "the model expects float32", marks=LESS_OFTEN),
        pytest.param(
            {"x": np.zeros((0, 16), dtype=np.float32), "y": np.zeros(0, dtype=int)}, "has no examples", marks=LESS_OFTEN
        ),
        ({"y": np.full(600, 2)}, "every label is the same class"),
        ({"x": np.zeros((600, 16), dtype=np.float32)}, "1 distinct example of 600"),
    ],
)
def test_a_bad_dataset_is_an_error_before_anything_is_measured(
    change: dict[str, Any], says: str, plugins: dict[str, str], gatekeeper: Any, tmp_path: Path
) -> None:
    run = gatekeeper("run", write_project(tmp_path, **change), env=plugins)
    assert run.returncode == 4, run.stdout + run.stderr
    assert says in run.stdout.replace("\n", " ").replace("  ", " ")
    assert report_of(tmp_path)["verdict"] == "error"


def test_labels_at_random_are_chance_level_not_a_pass(plugins: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    labels = np.random.default_rng(9).integers(0, 4, 600)
    run = gatekeeper("run", write_project(tmp_path, y=labels, timed=False), env=plugins)
    assert run.returncode == 4
    assert "no better than chance" in run.stdout


def test_without_labels_the_gate_is_agreement(plugins: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    file = write_project(tmp_path, timed=False)
    x = np.load(tmp_path / "eval.npz")["x"]
    np.savez(tmp_path / "eval.npz", x=x)
    gatekeeper("run", file, env=plugins)
    gates = {g["gate"]: g for g in report_of(tmp_path)["targets"][0]["variants"][0]["gates"]}
    assert "accuracy" not in gates
    assert gates["agreement"]["verdict"] == "pass"


def test_without_a_dataset_accuracy_is_not_measured(plugins: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    file = write_project(tmp_path, timed=False)
    file.write_text("\n".join(line for line in file.read_text().splitlines() if "dataset" not in line))
    run = gatekeeper("run", file, env=plugins)
    assert run.returncode == 4
    assert "no evaluation set" in run.stdout


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b"hello, this is no model", "not"), (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull")],
)
def test_a_broken_model_is_a_usage_error(content: bytes, says: str, gatekeeper: Any, tmp_path: Path) -> None:
    file = write_project(tmp_path, "int8_dynamic", "onnx_runtime")
    (tmp_path / "model.onnx").write_bytes(content)
    run = gatekeeper("run", file)
    assert run.returncode == 2
    assert says in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "gatekeeper-report").exists()


def test_a_baseline_that_cannot_run_is_an_error(gatekeeper: Any, tmp_path: Path) -> None:
    file = write_project(tmp_path, "int8_dynamic", "onnx_runtime")
    model = onnx.load(tmp_path / "model.onnx")
    model.graph.node[0].op_type = "NoSuchOperator"
    onnx.save(model, tmp_path / "model.onnx")
    run = gatekeeper("run", file)
    assert run.returncode == 4
    assert "NoSuchOperator" in run.stdout.replace("\n", "")


NAMES = ("--flag", "modèle ünïcode 模型", "a|b`c <script>@team", "$(touch pwned); ::error::x")


@pytest.mark.parametrize("name", [" ".join(NAMES), *(pytest.param(name, marks=pytest.mark.thorough) for name in NAMES[1:])])
def test_hostile_names_reach_every_report_unharmed(name: str, plugins: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    from lxml import etree

    folder = tmp_path / name
    folder.mkdir()
    file = write_project(folder, timed=False)
    gatekeeper("run", file, "--output", tmp_path / "gatekeeper-report", env=plugins)
    report = report_of(tmp_path)
    assert report["model"]["path"].endswith(f"{name}/model.onnx")
    etree.parse(str(tmp_path / "gatekeeper-report/junit.xml"))
    markdown = (tmp_path / "gatekeeper-report/report.md").read_text()
    assert "<script>" not in MarkdownIt("gfm-like", {"linkify": False}).render(markdown)
    assert not any(line.startswith("::") for line in markdown.splitlines())
    assert not (tmp_path / "pwned").exists()


def test_an_unwritable_output_is_said_before_any_work(plugins: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    run = gatekeeper("run", write_project(tmp_path), "--output", tmp_path / "taken" / "report", env=plugins)
    assert run.returncode == 2
    assert "cannot be written" in run.stderr
    assert "optimizing" not in run.stderr


@pytest.mark.skipif(not Path("/dev/shm").is_dir() or os.geteuid() != 0, reason="needs root to mount a small file system")
def test_a_full_disk_is_an_error_and_leaves_no_half_report(plugins: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        run = gatekeeper("run", write_project(tmp_path, timed=False), "--output", small / "report", env=plugins)
        assert run.returncode in (2, 4), run.stdout
        assert "No space left" in run.stderr + run.stdout
        assert "Traceback" not in run.stderr
        assert not (small / "report/report.json").exists() or json.loads((small / "report/report.json").read_text())
    finally:
        subprocess.run(["umount", str(small)], check=True)


def wait_for_worker(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The workers of a run, once it has some."""
    assert eventually(lambda: psutil.Process(process.pid).children(recursive=True)), "no worker was started"
    return psutil.Process(process.pid).children(recursive=True)


def test_ctrl_c_ends_the_workers_and_writes_no_report(plugins: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    file = write_project(tmp_path, "fine, hang_making")
    file.write_text(file.read_text().replace("timeout: 60s", "timeout: 10m"))
    cache = tmp_path / "cache"
    process = start(file, plugins, "--cache-dir", str(cache))
    artifacts = cache / "artifacts"
    assert eventually(lambda: list(artifacts.glob("[!.]*")) and list(artifacts.glob(".making-*"))), "one is made, one being made"
    workers = wait_for_worker(process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert not any(w.is_running() and w.status() != psutil.STATUS_ZOMBIE for w in workers)
    assert not (tmp_path / "gatekeeper-report/report.json").exists()
    assert list(artifacts.glob("[!.]*")), "what was finished is kept"
    assert not list(artifacts.glob(".making-*")), "what was not is gone"


def test_two_runs_in_one_folder_do_not_mix(plugins: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    file = write_project(tmp_path, "hang_making")
    file.write_text(file.read_text().replace("timeout: 60s", "timeout: 10m"))
    process = start(file, plugins)
    wait_for_worker(process)
    second = gatekeeper("run", file, env=plugins)
    process.terminate()
    process.communicate(timeout=120)
    assert second.returncode == 2
    assert "another gatekeeper is writing here" in second.stderr


def test_killing_the_parent_leaves_no_worker(plugins: dict[str, str], tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("the kernel's parent-death signal is Linux's")
    file = write_project(tmp_path, "hang_making")
    file.write_text(file.read_text().replace("timeout: 60s", "timeout: 10m"))
    process = start(file, plugins)
    workers = wait_for_worker(process)
    process.kill()
    process.communicate(timeout=120)
    _, alive = psutil.wait_procs(workers, timeout=120)
    assert not alive


@pytest.mark.thorough
def test_a_target_this_machine_is_not_is_not_measured(plugins: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    file = write_project(tmp_path)
    text = file.read_text().replace("threads: 1}]", "threads: 1}, {name: phone, hardware: edge_tpu}]")
    file.write_text(text)
    run = gatekeeper("run", file, env=plugins)
    assert run.returncode == 4
    verdicts = {t["name"]: t["verdict"] for t in report_of(tmp_path)["targets"]}
    assert verdicts["phone"] == "error"
    alone = gatekeeper("run", file, "--target", "here", env=plugins)
    assert alone.returncode in (0, 3)


def test_every_stage_that_a_file_may_list_can_run() -> None:
    assert set(stage_names()) == set(STAGES.names)


@pytest.mark.thorough
def test_a_cache_folder_may_be_named_relatively(plugins: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    run = gatekeeper("run", write_project(tmp_path), "--cache-dir", "cache", env=plugins)
    assert run.returncode in (0, 3), run.stdout + run.stderr
    assert (tmp_path / "cache/artifacts").is_dir()
