"""Reports are written through no link: neither the folder nor a file in it leads to another's file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from kit.hand_built import report, variant
from kit.support import write_project

from gatekeeper.reports._base import reporter
from gatekeeper.reports._folder import FILES, LOCK

Command = Callable[..., subprocess.CompletedProcess[str]]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need rights there")
OTHERS = "another's\n"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "report.json").write_text(reporter("json").render(report(variant("x86/onnx_runtime/int8"))), "utf-8")
    return folder


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A folder of somebody else's, with a file of each name that a report has."""
    folder = tmp_path / "other"
    (folder / "artifacts" / "x86__onnx_runtime__int8").mkdir(parents=True)
    for name in (*FILES, ".gitignore", "artifacts/x86__onnx_runtime__int8/model.onnx"):
        (folder / name).write_text(OTHERS)
    return folder


def untouched(folder: Path) -> bool:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return len(files) == len(FILES) + 2 and all(file.read_text() == OTHERS for file in files)


def refused(done: subprocess.CompletedProcess[str]) -> bool:
    return done.returncode == 2 and done.stdout == "" and "is a link" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("where", ["out", "deep/out", "out/deep", "out/"])
@pytest.mark.parametrize("dangling", [False, True])
def test_a_folder_that_is_a_link_is_refused(
    gatekeeper: Command, tmp_path: Path, results: Path, other: Path, where: str, dangling: bool
) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("out", "deep/out"):
        (tmp_path / name).symlink_to(tmp_path / "nowhere" if dangling else other)
    assert refused(gatekeeper("report", results, "--output", where))
    assert untouched(other)
    assert not (tmp_path / "nowhere").exists()


def test_an_absolute_link_elsewhere_is_refused_too(gatekeeper: Command, tmp_path: Path, results: Path, other: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "out").symlink_to(other)
    assert refused(gatekeeper("report", results, "--output", tmp_path / "out", cwd=tmp_path / "work"))
    assert untouched(other)


@pytest.mark.parametrize("way", ["symbolic", "hard"])
def test_files_that_are_links_are_replaced_and_not_followed(
    gatekeeper: Command, tmp_path: Path, results: Path, other: Path, way: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in FILES:
        (out / name).symlink_to(other / name) if way == "symbolic" else (out / name).hardlink_to(other / name)
    gatekeeper("report", results, "--output", out)
    assert untouched(other)
    assert "gatekeeper/report/v1" in (out / "report.json").read_text()
    assert not (out / "report.json").is_symlink()


@pytest.mark.parametrize("way", ["symbolic", "hard"])
def test_a_lock_that_is_another_file_is_refused_before_it_is_emptied(
    gatekeeper: Command, tmp_path: Path, results: Path, other: Path, way: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    lock, its = out / LOCK, other / ".gitignore"
    lock.symlink_to(its) if way == "symbolic" else lock.hardlink_to(its)
    assert refused(gatekeeper("report", results, "--output", out))
    assert untouched(other)


def test_a_run_follows_no_link_either(gatekeeper: Command, tmp_path: Path, other: Path) -> None:
    file = write_project(tmp_path, "fp16", "onnx_runtime", timed=False)
    (tmp_path / "gatekeeper-report").symlink_to(other)
    assert refused(gatekeeper("run", file))
    (tmp_path / "gatekeeper-report").unlink()
    (tmp_path / "gatekeeper-report").mkdir()
    (tmp_path / "gatekeeper-report/artifacts").symlink_to(other / "artifacts")
    assert refused(gatekeeper("run", file))
    assert untouched(other)
    (tmp_path / "gatekeeper-report/artifacts").unlink()
    (tmp_path / "gatekeeper-report/artifacts").mkdir()
    (tmp_path / "gatekeeper-report/artifacts/.here__onnx_runtime__fp16.onnx").symlink_to(other / "report.json")
    assert gatekeeper("run", file).returncode == 0
    assert untouched(other)
    assert (tmp_path / "gatekeeper-report/artifacts/here__onnx_runtime__fp16.onnx").is_file()


def test_a_plan_and_a_comparison_are_written_through_no_link(gatekeeper: Command, tmp_path: Path, other: Path) -> None:
    write_project(tmp_path, "fp16", "onnx_runtime", timed=False)
    (tmp_path / "out").symlink_to(other)
    assert refused(gatekeeper("compare", "model.onnx", "model.onnx", "--data", "eval.npz", "--output", "out"))
    (tmp_path / ".github").symlink_to(other)
    done = gatekeeper("init", "--model", "model.onnx", "--output", "new.yaml", "--workflow", "--action", "me/gatekeeper@v1")
    assert refused(done) or (done.returncode == 2 and "is a link" in done.stderr)
    assert untouched(other)
