"""Whatever becomes of a run, nothing in its folder says what an earlier one found: killed, called wrongly, its disk full."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kit import sample_reports
from kit.support import REPOSITORY, install_plugin, write_project

from gatekeeper.errors import UsageError
from gatekeeper.reports import _folder
from gatekeeper.reports._base import REGISTRY, reporter
from gatekeeper.reports._write import write_reports

STEPS = REPOSITORY / "tests/kit/steps.py"
PASSING = sample_reports.report(
    [sample_reports.target("edge", [sample_reports.variant("edge/f/int8", [sample_reports.waived()])])]
)
"""With something to tell in every format, so that none reads as another run's."""
EARLIER = {name: reporter(name).render(PASSING) for name in REGISTRY.builtin}
QUICK = "  stages: [model_validation]\n  model:"
"""A run that ends in `error`, as no variant is measured: no report of its own may say pass either."""


def plant(folder: Path) -> Path:
    """The folder as a run that passed leaves it, with something of the user's own beside it."""
    write_reports(PASSING, folder)
    assert sorted(stands(folder)) == sorted(_folder.FILES)
    assert json.loads((folder / "report.json").read_text())["verdict"] == "pass"
    (folder / "notes.txt").write_text("the user's own")
    return folder


def project(folder: Path) -> Path:
    """A project whose run is quick, and the report of an earlier one."""
    folder.mkdir(exist_ok=True)
    file = write_project(folder, "int8_dynamic", "onnx_runtime")
    file.write_text(file.read_text().replace("  model:", QUICK, 1))
    plant(folder / "gatekeeper-report")
    return file


def stands(folder: Path) -> list[str]:
    """Files that still say what the earlier run found."""
    return [f.name for f in folder.iterdir() if f.is_file() and f.read_text("utf-8", "replace") in EARLIER.values()]


def check(folder: Path, own: str = "error") -> None:
    """Nothing of the earlier run, nothing half, and nothing that was not ours is gone."""
    assert stands(folder) == []
    assert (folder / "notes.txt").read_text() == "the user's own"
    if (folder / "report.json").exists():
        assert json.loads((folder / "report.json").read_text())["verdict"] == own
        assert {*_folder.FILES} <= {f.name for f in folder.iterdir()}


def killed(place: Path, own: str = "error") -> list[str]:
    """What a run in a copy of a project was about to do when it was killed, step by step, the last of them before its end."""
    words = [sys.executable, str(STEPS), "--each", "gatekeeper-report", str(place), "run", "pipeline.yaml"]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *before, (end, _, last) = (line.partition(" ") for line in done.stdout.splitlines())
    assert {code for code, _, _ in before} == {"-9"}
    assert (int(end) >= 0, last) == (True, "")
    for step in range(2, len(before) + 2):
        left = place.with_name(f"step-{step}") / "gatekeeper-report"
        if step > len(_folder.FILES):  # at each of those steps one file more is gone, report.json first
            check(left, own)
        else:
            assert not (left / "report.json").exists()
    return [event for _, _, event in before]


def test_the_files_named_are_those_the_formats_write() -> None:
    written = {reporter(name).FILE_NAME for name in REGISTRY.builtin}
    assert set(_folder.FILES) == written - {None}
    assert _folder.FILES[0] == reporter("json").FILE_NAME


def test_what_a_repair_beside_them_found_goes_with_them(tmp_path: Path) -> None:
    (tmp_path / _folder.REPAIR).parent.mkdir()
    (tmp_path / _folder.REPAIR).write_text("of an earlier run")
    with _folder.cleared(plant(tmp_path)):
        assert not (tmp_path / _folder.REPAIR).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_a_run_killed_at_any_step_leaves_nothing_of_the_earlier_one(tmp_path: Path) -> None:
    project(tmp_path / "project")
    events = [event.partition(" ")[0] for event in killed(tmp_path / "project")]
    assert events[:4] == ["os.remove"] * 4
    assert events[-4:] == ["os.rename"] * 4
    assert "subprocess.Popen" in events
    left = tmp_path / f"step-{len(events) - 1}/gatekeeper-report"
    assert len(list(left.glob(".writing-*"))) == 2, "written, and not yet in place"
    again = [sys.executable, "-m", "gatekeeper", "run", "missing.yaml"]
    assert subprocess.run(again, cwd=left.parent, capture_output=True, check=False).returncode == 2
    assert {f.name for f in left.iterdir()} == {".lock", ".gitignore", "notes.txt"}


@pytest.mark.thorough
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_a_run_that_would_pass_killed_at_any_step_leaves_no_half_verdict(tmp_path: Path) -> None:
    file = project(tmp_path / "project")
    file.write_text(file.read_text().replace(QUICK, "  model:"))
    subprocess.run([sys.executable, "-m", "gatekeeper", "run", file], cwd=file.parent, check=False, capture_output=True)
    shutil.rmtree(file.parent / "gatekeeper-report")
    plant(file.parent / "gatekeeper-report")
    events = killed(tmp_path / "project", "pass")
    assert len(events) >= 40
    report = json.loads((tmp_path / f"step-{len(events) + 1}/gatekeeper-report/report.json").read_text())
    assert report["verdict"] == "pass"


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_temporary_folders_of_a_killed_run_go_with_the_next(gatekeeper: Any, tmp_path: Path) -> None:
    """Those where temporary files lie, and those of what was being made for the cache."""
    project(tmp_path / "project")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env, cache = {"TMPDIR": str(temporary)}, tmp_path / "cache"
    told = ["run", "pipeline.yaml", "--cache-dir", str(cache)]
    # Before the first worker git is asked where in a repository this is, and Linux whether it can hold a program.
    first = "3" if sys.platform == "linux" else "2"
    command = [sys.executable, str(STEPS), "nothing", first, str(tmp_path / "mark"), *told]
    killed = subprocess.run(command, cwd=tmp_path / "project", env=os.environ | env, capture_output=True, check=False)
    assert killed.returncode == -9
    assert (tmp_path / "mark").read_text().startswith("subprocess.Popen")
    assert [f.name.partition("-")[0] for f in temporary.iterdir()] == ["gatekeeper"]
    assert len(list((cache / "datasets").glob(".making-*"))) == 1
    run = gatekeeper("run", tmp_path / "project/pipeline.yaml", "--cache-dir", cache, env=env)
    assert run.returncode == 4
    assert list(temporary.iterdir()) == []
    assert not any(f.name.startswith(".making-") for f in cache.rglob("*"))
    assert list((cache / "datasets").iterdir()) != []


WRONG: dict[str, tuple[list[str], dict[str, str]]] = {
    "no such file": (["run", "missing.yaml"], {}),
    "no file at all": (["run"], {}),
    "an unknown option": (["run", "pipeline.yaml", "--outptu", "x"], {}),
    "an option's value": (["run", "--attempt", "0", "pipeline.yaml"], {}),
    "the folder named, the rest wrong": (["run", "--output=gatekeeper-report", "--attempt", "x", "pipeline.yaml"], {}),
    "a target that is none": (["run", "pipeline.yaml", "--target", "nowhere"], {}),
    "a model that is none": (["run", "pipeline.yaml", "--model", "missing.onnx"], {}),
    "a policy that is none": (["run", "pipeline.yaml", "--policy", "missing.yaml"], {}),
    "a ref outside of a repository": (["run", "pipeline.yaml", "--policy-ref", "main"], {}),
    "a base that is none": (["run", "pipeline.yaml", "--baseline-report", "missing.json"], {}),
    "an attempt that is none": (["run", "pipeline.yaml"], {"GITHUB_RUN_ATTEMPT": "x"}),
    "a cache that cannot be": (["run", "pipeline.yaml", "--cache-dir", "pipeline.yaml/cache"], {}),
    "a format from elsewhere that is broken": (["run", "pipeline.yaml"], {"PYTHONPATH": "broken"}),
}
"""Ways to end with 2."""


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_leaves_nothing_of_the_earlier_run(case: str, gatekeeper: Any, tmp_path: Path) -> None:
    project(tmp_path)
    words, env = WRONG[case]
    if env.get("PYTHONPATH"):
        env = install_plugin(tmp_path / "broken", {"bad": "import nothing_of_that_name"}, "[gatekeeper.reports]\nbad = bad\n")
    run = gatekeeper(*words, env=env)
    assert run.returncode == 2, run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    check(tmp_path / "gatekeeper-report")


@pytest.mark.parametrize("what", ["model.onnx", "pipeline.yaml"])
@pytest.mark.parametrize("content", [b"", b"junk", b"version https://git-lfs.github.com/spec/v1\n"])
def test_junk_leaves_nothing_of_the_earlier_run(what: str, content: bytes, gatekeeper: Any, tmp_path: Path) -> None:
    file = project(tmp_path)
    (tmp_path / what).write_bytes(content)
    assert gatekeeper("run", file).returncode == 2
    check(tmp_path / "gatekeeper-report")


def test_help_is_no_run(gatekeeper: Any, tmp_path: Path) -> None:
    project(tmp_path)
    assert gatekeeper("run", "--help").returncode == 0
    assert sorted(stands(tmp_path / "gatekeeper-report")) == sorted(_folder.FILES)


def test_the_file_of_a_format_from_elsewhere_goes_too(gatekeeper: Any, tmp_path: Path) -> None:
    code = 'FILE_NAME = "report.html"\n\n\ndef render(report):\n    return f"<p>{report.verdict}"\n'
    plugins = install_plugin(tmp_path / "plugin", {"page": code}, "[gatekeeper.reports]\npage = page\n")
    project(tmp_path)
    page = tmp_path / "gatekeeper-report/report.html"
    page.write_text("<p>pass")
    assert gatekeeper("run", "missing.yaml", env=plugins).returncode == 2
    assert not page.exists()
    check(tmp_path / "gatekeeper-report")


def test_what_is_not_gatekeepers_own_stays(gatekeeper: Any, tmp_path: Path) -> None:
    """Also where the reports are asked for in a folder of the user's."""
    file = project(tmp_path)
    own = {".gitignore": "*.npz\n", "artifacts/mine.txt": "mine", "artifacts/v1__2.txt": "mine too", "samples.txt": "and this"}
    (tmp_path / "artifacts").mkdir()
    for name, text in own.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "artifacts/here__onnx_runtime__fp16.onnx").write_text("of an earlier run")
    assert gatekeeper("run", file, "--output", ".").returncode == 4
    assert {name: (tmp_path / name).read_text() for name in own} == own
    assert not (tmp_path / "artifacts/here__onnx_runtime__fp16.onnx").exists()
    assert json.loads((tmp_path / "report.json").read_text())["verdict"] == "error"


def test_a_report_that_cannot_be_merged_leaves_no_earlier_merge(gatekeeper: Any, tmp_path: Path) -> None:
    plant(tmp_path / "leg")
    merged = plant(tmp_path / "merged")
    (tmp_path / "bad").write_text("{")
    for wrong in (
        ["bad"],
        ["missing"],
        ["leg", "leg"],
        ["leg", "--plan", "bad"],
        ["leg", "--policy", "missing"],
        ["leg", "--plan"],
    ):
        plant(merged)
        run = gatekeeper("report", *wrong[:1], "--output", "merged", *wrong[1:])
        assert run.returncode == 2, run.stderr
        check(merged)


def test_what_a_report_is_made_from_is_never_taken_away(gatekeeper: Any, tmp_path: Path) -> None:
    """A folder may be written anew out of its own report.json."""
    for named in ("same", "same/report.json", tmp_path / "same"):
        folder = plant(tmp_path / "same")
        assert gatekeeper("report", named, "--output", "same", "--plan", "missing").returncode == 2
        assert stands(folder) == ["report.json"]
    (tmp_path / "base").mkdir()
    shutil.copy(folder / "report.json", tmp_path / "base/report.json")
    words = ("report", "base", "--output", "same", "--baseline-report", "same/report.json", "--plan", "missing")
    assert gatekeeper(*words).returncode == 2
    assert stands(folder) == ["report.json"]


@contextmanager
def disk(place: Path, bytes_: int) -> Iterator[Path]:
    """A file system of that size."""
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={bytes_}", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(place: Path, left: int) -> None:
    """Leave so many bytes of a disk."""
    state = os.statvfs(place)
    (place / "filler").write_bytes(b"x" * max(0, state.f_bavail * state.f_frsize - left))


@pytest.mark.parametrize("pages", range(12))
def test_reports_on_a_full_disk_are_all_there_or_none(pages: int, tmp_path: Path) -> None:
    """Every amount of room from none to enough, one page more each time."""
    with disk(tmp_path / "small", 128 << 10) as small:
        folder = small / "report"
        folder.mkdir()
        fill(small, pages * 4096)
        room = True
        try:
            write_reports(PASSING, folder)
        except UsageError as error:
            room = False
            assert "No space left" in str(error)
        assert room == (pages >= 4), "four files of one page each"
        assert {f.name for f in folder.iterdir()} - {".lock"} == ({*_folder.FILES} if room else set())


@pytest.mark.parametrize("pages", [0, 2, 4, 14, *(pytest.param(n, marks=pytest.mark.thorough) for n in (1, 3, 5, 9))])
def test_a_run_whose_disk_is_full_leaves_nothing_of_the_earlier_one(pages: int, gatekeeper: Any, tmp_path: Path) -> None:
    file = project(tmp_path)
    with disk(tmp_path / "small", 256 << 10) as small:
        left = plant(small / "report")
        (left / ".lock").unlink(missing_ok=True)
        fill(small, pages * 4096)
        run = gatekeeper("run", file, "--output", left)
        assert "Traceback" not in run.stderr
        assert run.returncode in (2, 4), run.stderr
        assert (left / "report.json").exists() == (run.returncode == 4)
        check(left)


@pytest.mark.parametrize("place", ["cache", "TMPDIR", "stdout"])
def test_a_full_disk_elsewhere_is_said(place: str, gatekeeper: Any, tmp_path: Path) -> None:
    file = project(tmp_path)
    with disk(tmp_path / "small", 64 << 10) as small:
        fill(small, 0)
        if place == "stdout":
            command = [sys.executable, "-m", "gatekeeper", "run", str(file)]
            with Path("/dev/full").open("w") as full:
                run = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            assert run.returncode == 4, "as the report says"
            assert "standard output cannot be written" in run.stderr
        else:
            if place == "TMPDIR":  # with no room at all Python takes another folder
                (small / "filler").write_bytes(b"x" * (60 << 10))
            words, env = (["--cache-dir", small / "c"], {}) if place == "cache" else ([], {"TMPDIR": str(small)})
            run = gatekeeper("run", file, *words, env=env)
            assert run.returncode == 4, run.stderr
            assert "is full: " in run.stdout.replace("\n", " ").replace("  ", " ")
        assert "Traceback" not in run.stderr
        check(tmp_path / "gatekeeper-report")


@pytest.mark.skipif(sys.platform == "win32", reason="has no /dev/full, and closes pipes otherwise")
def test_who_reads_a_report_changes_no_verdict(tmp_path: Path) -> None:
    file = project(tmp_path)
    gate = [sys.executable, "-m", "gatekeeper"]
    read, write = os.pipe()
    os.close(read)
    for words in (["run", str(file)], ["report", "gatekeeper-report"]):
        run = subprocess.run([*gate, *words], cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
        assert run.returncode == 4, run.stderr
        assert "Traceback" not in run.stderr
    os.close(write)
    with Path("/dev/full").open("w") as full:
        command = [*gate, "report", "gatekeeper-report", "--format", "json"]
        run = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 2
    assert "standard output cannot be written: No space left" in run.stderr
