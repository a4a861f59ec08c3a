"""A pipeline file repaired through the command line, of a framework whose makers are real processes that break and hang."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.support import eventually, install_framework, write_project

LINE = "optimization: {frameworks: [mendable], techniques: {mendable: [coarse]}}"
MENDED = "optimization: {frameworks: [mendable], techniques: {mendable: [{coarse: {equalize: true}}]}}"
ENTRIES = ("artifacts", "predictions", "repair", "datasets")


class Project:
    """A pipeline file that fails, with a cache of its own that all tests of this file share."""

    def __init__(self, folder: Path):
        self.folder, self.cache = folder, folder / "cache"
        self.plugin = install_framework(folder / "site", "mendable")
        self.file = write_project(folder, "coarse", "mendable", timed=False, timeout="15s")
        x = np.random.default_rng(5).standard_normal((80, 16)).astype(np.float32)
        np.savez(folder / "calib.npz", x=x)
        text = self.file.read_text().replace("{path: eval.npz}", "{path: eval.npz, calibration: calib.npz}")
        self.file.write_text(text.replace("edge_ai_pipeline:\n", "# ours\nedge_ai_pipeline:\n", 1))

    def clone(self, place: Path) -> Path:
        """The file and what it names in another folder, where nothing was run."""
        place.mkdir()
        for name in (self.file.name, "model.onnx", "eval.npz", "calib.npz"):
            shutil.copy(self.folder / name, place / name)
        return place / self.file.name

    def words(self, command: str, file: Path, *more: str) -> list[str]:
        return [sys.executable, "-m", "gatekeeper", command, str(file), "--cache-dir", str(self.cache), "--quiet", *more]

    def ask(self, command: str, file: Path, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(command, file, *more),
            cwd=file.parent,
            env=os.environ | self.plugin,
            capture_output=True,
            text=True,
            check=False,
        )

    def repair(self, file: Path, *more: str) -> tuple[int, dict[str, Any]]:
        """The exit code, and what was found."""
        done = self.ask("repair", file, "--budget", "5m", "--format", "json", *more)
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return done.returncode, found

    def entries(self) -> dict[str, int]:
        """What is whole in the cache, by its place, and which file it is: what is made again is another file."""
        found = [entry for kind in ENTRIES for entry in (self.cache / kind).glob("*/entry.hmac")]
        return {str(entry.relative_to(self.cache)): entry.stat().st_ino for entry in found}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("mendable"))


@pytest.fixture(scope="module")
def repaired(project: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of a run that was killed three times while it made and measured, and started again each time."""
    return killed_and_resumed(project, tmp_path_factory.mktemp("killed") / "clone", moments=3)


def killed_and_resumed(project: Project, place: Path, moments: int) -> dict[str, Any]:
    """The process and all of its workers are killed at random moments; whatever was whole then must be the same in the end."""
    file, draw = project.clone(place), random.Random(moments)
    whole: dict[str, int] = {}
    for _ in range(moments):
        run = subprocess.Popen(
            project.words("repair", file, "--budget", "5m"), cwd=file.parent, env=os.environ | project.plugin,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        grown = len(project.entries()) + 1
        eventually(lambda run=run, grown=grown: run.poll() is not None or len(project.entries()) >= grown)
        time.sleep(draw.random())
        kill_with_children(run)
        now = project.entries()
        assert whole.items() <= now.items()
        whole = now
    code, found = project.repair(file)
    assert code == 0
    assert whole.items() <= project.entries().items()
    return found


def kill_with_children(run: subprocess.Popen[bytes]) -> None:
    import psutil

    try:
        children = psutil.Process(run.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    run.send_signal(signal.SIGKILL)
    run.wait()
    for child in children:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue


def tried(found: dict[str, Any], remedy: str) -> dict[str, Any]:
    [each] = [each for each in found["tried"] if each["remedy"] == remedy]
    return dict(each)


def test_the_patch_is_what_is_needed_and_no_more(project: Project, repaired: dict[str, Any]) -> None:
    assert repaired["outcome"] == "repaired"
    assert [line[1:].strip() for line in repaired["patch"].splitlines() if line[:2] in ("- ", "+ ")] == [LINE, MENDED]
    [line] = repaired["lines"]
    assert [lost["gate"] for lost in line["lost"]] == ["accuracy", "worst_class"]
    assert repaired["attempts"] == [2]
    [accuracy] = [gate for gate in repaired["gates"] if gate["gate"] == "accuracy"]
    assert (accuracy["verdict"], accuracy["lower"] >= 0.95) == ("pass", True)


def test_what_was_rejected_says_the_gate_it_lost_and_by_how_much(repaired: dict[str, Any]) -> None:
    [lost] = tried(repaired, "per_channel")["lost"]
    assert (lost["gate"], lost["limit"], lost["estimated"]) == ("accuracy", 0.95, True)
    assert lost["observed"] < 0.9


@pytest.mark.thorough
def test_remedies_that_break_or_hang_while_they_are_made_are_said(project: Project, tmp_path: Path) -> None:
    file = project.clone(tmp_path / "clone")
    file.write_text(file.read_text().replace("[coarse]", "[stubborn]"))
    code, found = project.repair(file)
    assert (code, found["outcome"]) == (0, "repaired")
    broken, hung = tried(found, "unsigned_weights"), tried(found, "reduced_range")
    assert (broken["step"], hung["step"]) == ("unmade", "unmade")
    assert "no kernel for unsigned weights" in broken["reason"]
    assert "no answer within 15 s" in hung["reason"]


def test_once_more_nothing_is_made_or_measured(project: Project, repaired: dict[str, Any], tmp_path: Path) -> None:
    before = project.entries()
    code, again = project.repair(project.clone(tmp_path / "clone"))
    assert code == 0
    assert project.entries() == before
    assert again["patch"] == repaired["patch"]
    assert all(each["kept"] for each in again["tried"] if each["step"] in ("cheap", "confirmed"))


def test_applied_in_a_fresh_clone_it_passes(project: Project, repaired: dict[str, Any], tmp_path: Path) -> None:
    file = project.clone(tmp_path / "clone")
    file.chmod(0o640)
    before = file.read_text()
    done = project.ask("repair", file, "--apply", "--budget", "5m")
    assert done.returncode == 0, done.stderr
    assert file.read_text() == before.replace(LINE, MENDED)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert project.ask("run", file).returncode == 0


def test_a_read_only_file_is_refused_before_anything_is_done(project: Project, tmp_path: Path) -> None:
    file = project.clone(tmp_path / "clone")
    file.chmod(0o444)
    before = file.read_bytes()
    done = project.ask("repair", file, "--apply")
    assert done.returncode == 2
    assert "is read-only" in done.stderr
    assert file.read_bytes() == before
    assert sorted(each.name for each in file.parent.iterdir()) == ["calib.npz", "eval.npz", "model.onnx", file.name]


def test_without_time_nothing_is_begun_and_that_is_said(project: Project, repaired: dict[str, Any], tmp_path: Path) -> None:
    done = project.ask("repair", project.clone(tmp_path / "clone"), "--budget", "1ms", "--format", "json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["outcome"], found["attempts"]) == (3, "no", [])
    assert [each["word"] for each in found["no"] if "equalization" in each["remedies"]] == ["not_tried"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda about: about | {"version": ["0.0.1"]}, "another version of gatekeeper"),
        (lambda about: about | {"file": "0" * 64}, "another pipeline file"),
    ],
    ids=["version", "file"],
)
def test_a_journal_of_something_else_is_named(
    project: Project, repaired: dict[str, Any], tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], said: str
) -> None:
    file = project.clone(tmp_path / "clone")
    project.repair(file)
    place = file.parent / "gatekeeper-repair/journal.json"
    journal = json.loads(place.read_text())
    assert [each["remedy"] for each in journal["steps"] if each["passed"]] == ["equalization"]
    place.write_text(json.dumps(journal | {"about": change(journal["about"])}))
    _, again = project.repair(file)
    assert said in again["notes"][0]
    assert again["patch"] == repaired["patch"]


def test_what_nothing_can_pass_is_said_with_numbers(project: Project, repaired: dict[str, Any], tmp_path: Path) -> None:
    """Gates that no variant holds together: it must answer as before, and fit into ten bytes."""
    file = project.clone(tmp_path / "clone")
    file.write_text(file.read_text().replace("speedup: disabled", "speedup: disabled, package_size: {max: 10B}"))
    code, found = project.repair(file)
    assert (code, found["outcome"], found["patch"], found["edits"]) == (1, "no", "", [])
    [size] = [each for each in found["no"] if each["gate"] == "package_size"]
    assert (size["word"], size["limit"], size["reached"] > 10) == ("not_reached", 10.0, True)
    assert found["attempts"], "what looked best was measured"


@pytest.mark.thorough
def test_without_calibration_data_what_needs_none_is_measured(project: Project, repaired: dict[str, Any], tmp_path: Path) -> None:
    file = project.clone(tmp_path / "clone")
    file.write_text(file.read_text().replace(", calibration: calib.npz", ""))
    code, found = project.repair(file)
    assert (code, found["outcome"]) == (0, "repaired")
    assert tried(found, "equalization")["kl"] is None
    assert "names no calibration set" in tried(found, "calibration_method")["reason"]


def test_a_gate_that_says_so_has_a_run_look_for_a_repair(project: Project, repaired: dict[str, Any], tmp_path: Path) -> None:
    file = project.clone(tmp_path / "clone")
    file.write_text(
        file.read_text().replace("speedup: disabled", "speedup: disabled, accuracy: {retention: 0.95, on_fail: repair}")
    )
    done = project.ask("run", file)
    assert done.returncode == 1  # the verdict stands
    assert "passes with this change (equalization)" in done.stdout
    found = json.loads((file.parent / "gatekeeper-report/repair/repair.json").read_text())
    assert found["outcome"] == "repaired"
    report = json.loads((file.parent / "gatekeeper-report/report.json").read_text())
    assert report["verdict"] == "fail"


def test_a_report_that_says_it_passes_is_judged_again_and_held_to_the_data(
    project: Project, repaired: dict[str, Any], tmp_path: Path
) -> None:
    """Whoever writes `pass` into it must not be told that there is nothing to repair."""
    file = project.clone(tmp_path / "clone")
    assert project.ask("run", file).returncode == 1
    place = file.parent / "gatekeeper-report/report.json"
    report = json.loads(place.read_text())
    done = project.ask("repair", file, "--report", str(place), "--budget", "1ms", "--format", "json")
    assert json.loads(done.stdout)["outcome"] == "no", "as it is it may be used"
    lie = report | {"verdict": "pass", "targets": [each | {"verdict": "pass"} for each in report["targets"]]}
    place.write_text(json.dumps(lie))
    done = project.ask("repair", file, "--report", str(place), "--budget", "1ms")
    assert done.returncode == 2 and "judged again it is fail" in done.stderr, done.stdout + done.stderr
    place.write_text(json.dumps(report))
    x = np.random.default_rng(6).standard_normal((80, 16)).astype(np.float32)
    np.savez(file.parent / "calib.npz", x=x)
    done = project.ask("repair", file, "--report", str(place), "--budget", "1ms")
    assert done.returncode == 2 and "the calibration set of it was another one" in done.stderr


def test_what_is_kept_depends_on_every_file_that_is_named(tmp_path: Path) -> None:
    """A measurement that is taken over must be one of the same code, and of the same files."""
    from gatekeeper.config.load import load
    from gatekeeper.repair.known import known_by

    file = write_project(tmp_path, "int8_dynamic", "onnx_runtime")
    (tmp_path / "own.py").write_text("def score(a, b):\n    return 1.0\n")
    shutil.copy(tmp_path / "model.onnx", tmp_path / "theirs.onnx")
    own = "variants: [{name: theirs, path: theirs.onnx, framework: onnx_runtime}], "
    text = (
        file.read_text()
        .replace("optimization: {", f"optimization: {{{own}")
        .replace("{path: eval.npz", "{path: eval.npz, metric: own:score")
    )
    file.write_text(text)
    seen = [known_by(load(file))]
    (tmp_path / "own.py").write_text("def score(a, b):\n    return 0.5\n")
    seen.append(known_by(load(file)))
    (tmp_path / "theirs.onnx").write_bytes((tmp_path / "model.onnx").read_bytes() + b"\0")
    seen.append(known_by(load(file)))
    np.savez(tmp_path / "eval.npz", x=np.zeros((4, 16), np.float32), y=np.zeros(4, np.int64))
    seen.append(known_by(load(file)))
    assert len({tuple(each) for each in seen}) == 4, seen


@pytest.mark.thorough
def test_killed_at_twenty_moments_it_comes_to_the_same_patch(repaired: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Project(tmp_path / "other")
    assert killed_and_resumed(other, tmp_path / "clone", moments=20)["patch"] == repaired["patch"]
