"""Names of files that are no ASCII, or no text at all: they work, or are refused by name, and none ends as a bug."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from kit import command
from kit.support import write_project

from gatekeeper.errors import NotMeasured
from gatekeeper.process.isolate import Worker
from gatekeeper.process.messages import Done, Held, Request, pack

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")

ACCENTED, BROKEN = "modèle 模", "b\udcffd"
Call = Callable[..., subprocess.CompletedProcess[str]]
WORDS = {
    "pipeline file": ["run", "NAME/pipeline.yaml"],
    "model": ["run", "plain/pipeline.yaml", "--model", "NAME/model.onnx"],
    "data": ["run", "plain/elsewhere.yaml"],
    "cache": ["run", "plain/pipeline.yaml", "--cache-dir", "NAME/cache"],
    "a file that is missing": ["run", "NAME/missing.yaml"],
    "validate": ["validate", "NAME/pipeline.yaml"],
    "plan": ["plan", "NAME/pipeline.yaml", "--format", "json"],
    "assess": ["assess", "NAME/model.onnx"],
    "assess, as JSON": ["assess", "NAME/model.onnx", "--format", "json"],
    "init": ["init", "--model", "NAME/model.onnx", "--output", "NAME/new.yaml"],
    "output": ["run", "plain/pipeline.yaml", "--output", "NAME/out"],
    "policy": ["run", "plain/pipeline.yaml", "--policy", "NAME/pipeline.yaml"],
    "report": ["report", "NAME/gatekeeper-report", "--output", "NAME/again", "--format", "json"],
}
WRITTEN_ONLY = ("output", "policy", "report")
"""What no worker, framework or message is told of works with any name."""


ASCII, UTF8 = ("C", "0"), ("C.UTF-8", "")
"""The locale, and whether PYTHONUTF8 forbids what Python would do about it."""
in_ascii = pytest.mark.parametrize("called", [ASCII, pytest.param(UTF8, marks=pytest.mark.thorough)], indirect=True)
in_utf8 = pytest.mark.parametrize("called", [UTF8, pytest.param(ASCII, marks=pytest.mark.thorough)], indirect=True)


@pytest.fixture
def called(request: pytest.FixtureRequest) -> Call:
    """`called(words, folder)`, in an environment that reads names in one way or the other."""
    locale, mode = request.param
    env = {name: value for name, value in os.environ.items() if name not in ("LANG", "LC_ALL", "LC_CTYPE", "PYTHONUTF8")}
    env |= {"LC_ALL": locale} | ({"PYTHONUTF8": mode} if mode else {})

    def call(words: list[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gatekeeper", *words]
        return subprocess.run(command, cwd=folder, env=env | more, capture_output=True, encoding="utf-8", check=False)

    return call


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a report of its own, whose run is quick."""
    folder = tmp_path_factory.mktemp("names") / "plain"
    folder.mkdir()
    file = write_project(folder, "int8_dynamic", "onnx_runtime")
    file.write_text(file.read_text().replace("  model:", "  stages: [model_validation]\n  model:", 1))
    command.call(["run", file], folder, {})
    assert (folder / "gatekeeper-report/report.json").exists()
    return folder


def place(template: Path, tmp_path: Path, name: str) -> Path:
    """A folder with the project under a plain name, and under that one."""
    for each in ("plain", name):
        shutil.copytree(template, tmp_path / each)
    written = name.replace("\udcff", "\\udcff")
    text = (template / "pipeline.yaml").read_text()
    (tmp_path / "plain/elsewhere.yaml").write_text(text.replace("eval.npz", f'"../{written}/eval.npz"'), "utf-8")
    return tmp_path


@in_ascii
@pytest.mark.parametrize("case", WORDS)
def test_an_accented_name_works(case: str, called: Call, template: Path, tmp_path: Path) -> None:
    folder = place(template, tmp_path, ACCENTED)
    run = called([word.replace("NAME", ACCENTED) for word in WORDS[case]], folder)
    expected = 2 if "missing" in case else 4 if WORDS[case][0] in ("run", "report") else 0
    assert run.returncode == expected, run.stderr
    assert "\\u" not in run.stderr
    if case == "pipeline file":
        assert json.loads((folder / "gatekeeper-report/report.json").read_text("utf-8"))["pipeline"]["path"].startswith(ACCENTED)
        assert "accuracy 1 on 600 examples" in (folder / "gatekeeper-report/report.md").read_text("utf-8")
    if expected == 2:
        assert run.stderr.startswith(f"{ACCENTED}/missing.yaml: no such file")


@in_utf8
@pytest.mark.parametrize("case", WORDS)
def test_a_name_that_is_no_text_is_refused_or_works(case: str, called: Call, template: Path, tmp_path: Path) -> None:
    folder = place(template, tmp_path, BROKEN)
    run = called([word.replace("NAME", BROKEN) for word in WORDS[case]], folder)
    if case in WRITTEN_ONLY:
        assert run.returncode == 4, run.stderr
        report = folder / {"output": f"{BROKEN}/out", "policy": "gatekeeper-report", "report": f"{BROKEN}/again"}[case]
        assert json.loads((report / "report.json").read_bytes())["verdict"] == "error"
        return
    assert run.returncode == 2, run.stderr + run.stdout
    assert "/b\\xffd/" in run.stderr
    assert "the name is not UTF-8 text. Rename it" in run.stderr


@in_ascii
@pytest.mark.parametrize("name", ["TMPDIR", "GATEKEEPER_CACHE"])
def test_folders_of_the_environment_too(name: str, called: Call, template: Path, tmp_path: Path) -> None:
    folder = place(template, tmp_path, BROKEN)
    (folder / ACCENTED).mkdir()
    assert called(["run", "plain/pipeline.yaml"], folder, **{name: str(folder / ACCENTED)}).returncode == 4
    refused = called(["run", "plain/pipeline.yaml"], folder, **{name: str(folder / BROKEN)})
    assert refused.returncode == 2
    assert "/b\\xffd" in refused.stderr


@in_utf8
def test_the_folder_one_stands_in_too(called: Call, template: Path, tmp_path: Path) -> None:
    folder = place(template, tmp_path, BROKEN)
    run = called(["run", "pipeline.yaml"], folder / BROKEN)
    assert run.returncode == 2
    assert "/b\\xffd/pipeline.yaml: the name is not UTF-8 text" in run.stderr


@in_utf8
def test_images_whose_names_are_no_text_are_read(called: Call, template: Path, tmp_path: Path) -> None:
    """A dataset's own files may be called anything: they are listed and opened where they lie."""
    image = pytest.importorskip("PIL.Image")
    folder = place(template, tmp_path, ACCENTED) / "plain"
    (folder / "images/a").mkdir(parents=True)
    for i in range(4):
        image.fromarray(np.full((4, 4), 40 * i, np.uint8)).save(folder / f"images/a/{i}\udcff.png")
    file = folder / "pipeline.yaml"
    file.write_text(file.read_text().replace("{path: eval.npz}", "{path: images, image: {color: gray}}"))
    run = called(["run", "pipeline.yaml"], folder)
    assert run.returncode == 4
    assert "'x' has shape 4x1x4x4, the model expects examplesx16" in " ".join(run.stdout.split())
    (folder / "images/a/4\udcff.png").write_text("no image")
    run = called(["run", "pipeline.yaml"], folder)
    assert run.returncode == 4
    assert "cannot be read as an image" in " ".join(run.stdout.split())
    assert json.loads((folder / "gatekeeper-report/report.json").read_bytes())["verdict"] == "error"


class Named(Request, frozen=True, kw_only=True):
    """A request that holds a name."""

    path: str

    def answer(self, held: Held) -> Done:
        return Done()


def test_what_a_worker_cannot_be_told_is_said_with_its_name(tmp_path: Path) -> None:
    assert pack(Named(path=f"/{ACCENTED}"))
    with pytest.raises(NotMeasured, match=r"'/b\\udcffd' is not UTF-8 text, and cannot be told to a worker. Rename it."):
        pack(Named(path=f"/{BROKEN}"))
    with Worker(tmp_path, 10**9) as worker, pytest.raises(NotMeasured, match="cannot be told to a worker"):
        worker.ask(Named(path=BROKEN), Done, 60)
