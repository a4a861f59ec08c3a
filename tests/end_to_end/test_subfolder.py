"""Run from a folder of a repository: what is shown on a pull request names files from its root."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kit.support import write_project

from gatekeeper.github.annotations import annotations
from gatekeeper.reports._place import place
from gatekeeper.reports._read import read_report


@pytest.mark.parametrize(
    ("where", "under", "file"),
    [
        ("a/p.yaml:3", "svc", "svc/a/p.yaml"), ("../p.yaml:3", "svc/a", "svc/p.yaml"), ("../../p.yaml:3", "svc", "p.yaml"),
        ("/abs/p.yaml:3", "svc", "p.yaml"), ("C:/x/p.yaml:3", "svc", "p.yaml"), ("", "svc", "svc/x.yaml"),
        ("p.yaml:3", "/etc", "etc/p.yaml"), ("p.yaml:3", "../..", "p.yaml"), ("p.yaml:3", "", "p.yaml"),
    ],
)  # fmt: skip
def test_a_place_is_seen_from_the_root(where: str, under: str, file: str) -> None:
    found, line = place(where, "x.yaml", under)
    assert found == file or (found, under) == (f"{under.rpartition('/')[2]}/p.yaml", "/etc")
    assert line == (3 if where else None)
    assert not found.startswith("/") and ".." not in found.split("/")


def test_through_the_front_door(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "svc/a").mkdir(parents=True)
    file = write_project(tmp_path / "svc/a", "fp16", "onnx_runtime", timed=False)
    file.write_text(file.read_text().replace("gates: {", "gates: {package_size: {max: 10B}, "))
    words = [sys.executable, "-m", "gatekeeper", "run", "a/pipeline.yaml"]
    done = subprocess.run(words, cwd=tmp_path / "svc", env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    results = json.loads((tmp_path / "svc/gatekeeper-report/report.sarif").read_text())["runs"][0]["results"]
    places = {each["physicalLocation"]["artifactLocation"]["uri"] for result in results for each in result["locations"]}
    assert places == {"svc/a/pipeline.yaml"}
    report = read_report(tmp_path / "svc/gatekeeper-report/report.json")
    assert all("file=svc/a/pipeline.yaml" in line for line in annotations(report))
