"""The user's own pytest files, run on a variant by the testing stage."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.subjects import Shelf, by_verdict, reason, write_onnx

from gatekeeper.checks.unit.own_run import own_checks
from gatekeeper.records.base import Verdict
from gatekeeper.records.tested import Check

GOOD = """
import numpy as np
import pytest
from helping import close

def test_agrees(session, baseline, example_inputs):
    for feed in example_inputs:
        assert close(session.run(feed)[0], baseline.run(feed)[0])

@pytest.mark.parametrize("size", [1, 5])
def test_batches(session, size):
    assert session.run({"x": np.zeros((size, 16), np.float32)})[0].shape == (size, 4)

def test_fails(session, variant_id):
    assert variant_id == "another"

def test_left_out():
    pytest.skip("not today")

@pytest.fixture
def broken():
    raise RuntimeError("no ground truth")

def test_needs(broken):
    pass

def test_no_secrets():
    import os
    assert "GITHUB_TOKEN" not in os.environ
"""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("shelf"))


def run(shelf: Shelf, folder: Path, **files: str) -> list[Check]:
    paths = []
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
        if name.startswith("test"):
            paths.append(folder / f"{name}.py")
    variant = write_onnx(folder / "variant.onnx")
    return own_checks(shelf.subject(variant), shelf.subject(shelf.original), paths, folder)


def test_every_test_is_a_check(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")  # of the user's own runs, not of this one
    helping = "import numpy as np\ndef close(a, b):\n    return np.allclose(a, b)\n"
    found = run(shelf, tmp_path, test_mine=GOOD, helping=helping)
    verdicts = by_verdict(found)
    assert verdicts[Verdict.PASS] == {
        "test_mine.py::test_agrees", "test_mine.py::test_batches[1]", "test_mine.py::test_batches[5]",
        "test_mine.py::test_no_secrets",
    }  # fmt: skip
    assert verdicts[Verdict.FAIL] == {"test_mine.py::test_fails"}
    assert "test_mine.py:15: " in reason(found, "test_mine.py::test_fails")
    assert "'variant' == 'another'" in reason(found, "test_mine.py::test_fails")
    assert reason(found, "test_mine.py::test_left_out") == "not today"
    assert verdicts[Verdict.SKIP] == {"test_mine.py::test_left_out"}
    assert verdicts[Verdict.ERROR] == {"test_mine.py::test_needs"}
    assert "no ground truth" in reason(found, "test_mine.py::test_needs")
    assert all("\n" not in check.reason for check in found)


def test_a_file_that_cannot_be_read_is_an_error_with_its_line(shelf: Shelf, tmp_path: Path) -> None:
    found = run(
        shelf, tmp_path, test_a="def test_a():\n    pass\n", test_b="import os\n\ndef test_b(:\n    pass\n",
        test_c="import no_such_module\n", test_d="X = 1\n",
    )  # fmt: skip
    verdicts = by_verdict(found)
    assert verdicts[Verdict.PASS] == {"test_a.py::test_a"}
    assert verdicts[Verdict.ERROR] == {"test_b.py", "test_c.py", "test_d.py"}
    assert "test_b.py:3" in reason(found, "test_b.py")
    assert "test_c.py:1" in reason(found, "test_c.py")
    assert "no_such_module" in reason(found, "test_c.py")
    assert "holds no test" in reason(found, "test_d.py")


def test_a_test_that_takes_the_process_with_it_fails_alone(shelf: Shelf, tmp_path: Path) -> None:
    text = """\
import ctypes, os, sys
def test_one(): print("x" * 100_000)
def test_dies(): ctypes.string_at(0)
def test_leaves(): os._exit(0)
def test_two(): pass
"""
    found = run(shelf, tmp_path, test_mine=text)
    verdicts = by_verdict(found)
    assert verdicts[Verdict.PASS] == {"test_mine.py::test_one", "test_mine.py::test_two"}
    assert verdicts[Verdict.FAIL] == {"test_mine.py::test_dies", "test_mine.py::test_leaves"}
    assert "SIGSEGV" in reason(found, "test_mine.py::test_dies")
    assert len(found) == 4


@pytest.mark.thorough
def test_a_test_that_hangs_fails(tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    found = run(
        Shelf(tmp_path / "shelf", timeout_s=20.0),
        tmp_path,
        test_mine="import time\ndef test_a(): time.sleep(999)\ndef test_b(): pass\n",
    )
    assert by_verdict(found)[Verdict.FAIL] == {"test_mine.py::test_a"}
    assert "it does not end" in reason(found, "test_mine.py::test_a")
    assert by_verdict(found)[Verdict.PASS] == {"test_mine.py::test_b"}


def test_a_missing_file_is_an_error(shelf: Shelf, tmp_path: Path) -> None:
    [found] = own_checks(shelf.subject(shelf.original), shelf.subject(shelf.original), [tmp_path / "test_no.py"], tmp_path)
    assert (found.verdict, found.name) == (Verdict.ERROR, "test_no.py")
    assert "no such file" in found.reason


def test_files_of_folders_with_equal_names(shelf: Shelf, tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "test_x.py", tmp_path / "b" / "test_x.py"]
    for i, path in enumerate(paths):
        path.parent.mkdir()
        path.write_text(f"def test_it(): assert {i} == 0\n")
    found = own_checks(shelf.subject(shelf.original), shelf.subject(shelf.original), paths)
    assert {check.name: check.verdict for check in found} == {
        "a/test_x.py::test_it": Verdict.PASS,
        "b/test_x.py::test_it": Verdict.FAIL,
    }


WRITES = """
import gc, os
import msgspec
from gatekeeper.checks.unit.own import OutcomeLine, OwnTests

def test_writes_for_another():
    [request] = [each for each in gc.get_objects() if isinstance(each, OwnTests)]
    with open(request.destination, "ab") as file:
        for test in ("test_b.py::test_fails", "test_a.py::test_of_its_own", "test_a.py::test_writes_for_another"):
            file.write(msgspec.json.encode(OutcomeLine(test=test, outcome="passed")) + b"\\n")
            file.write(msgspec.json.encode(OutcomeLine(test=test, outcome="left")) + b"\\n")
    os._exit(0)
"""


def test_a_file_says_nothing_of_the_tests_of_another(shelf: Shelf, tmp_path: Path) -> None:
    found = run(shelf, tmp_path, test_a=WRITES, test_b="def test_fails(): assert False\n")
    verdicts = by_verdict(found)
    assert "test_a.py::test_of_its_own" in verdicts[Verdict.PASS]  # of its own it can lie
    assert verdicts[Verdict.FAIL] == {"test_b.py::test_fails"}


INTERRUPTED = """
import pytest
def test_1(): pass
def test_2(): raise KeyboardInterrupt("the model froze")
def test_20(): assert False  # its id begins as that of a test that is done
"""
EXITS = """
import pytest
def test_first(): pass
def test_exit(): pytest.exit("model is broken", returncode={code})
def test_last(): assert False
"""
ENDED_BY_A_FIXTURE = """
import pytest
@pytest.fixture(scope="module", autouse=True)
def ends():
    yield
    pytest.exit("no card left", returncode=0)
def test_alone(): pass
"""
STOPPED = """
def test_stops(request): request.session.shouldstop = "enough"
def test_after(): assert False
"""


def test_a_run_that_stops_early_is_no_pass(shelf: Shelf, tmp_path: Path) -> None:
    """Whatever ends it, and with whatever code: every test that was collected has an outcome, and none is a pass by silence."""
    found = run(
        shelf, tmp_path, test_a=INTERRUPTED, test_b=EXITS.format(code=0), test_c=EXITS.format(code=1),
        test_d=ENDED_BY_A_FIXTURE, test_e=STOPPED,
    )  # fmt: skip
    verdicts = by_verdict(found)
    assert verdicts[Verdict.PASS] == {
        "test_a.py::test_1",
        "test_b.py::test_first",
        "test_c.py::test_first",
        "test_e.py::test_stops",
    }
    assert verdicts[Verdict.FAIL] == {
        "test_a.py::test_2", "test_a.py::test_20", "test_b.py::test_exit", "test_b.py::test_last", "test_c.py::test_exit",
        "test_c.py::test_last", "test_d.py::test_alone",
    }  # fmt: skip
    assert verdicts[Verdict.ERROR] == {"test_e.py", "test_e.py::test_after"}
    assert "the model froze" in reason(found, "test_a.py::test_2")
    assert "model is broken" in reason(found, "test_b.py::test_exit")
    assert "before 1 of its tests" in reason(found, "test_e.py")


def test_a_run_that_pytest_itself_calls_failed_is_no_pass(shelf: Shelf, tmp_path: Path) -> None:
    hook = "import pytest\ndef pytest_sessionfinish(session): session.exitstatus = 1\n"
    found = run(shelf, tmp_path, test_a="def test_a(): pass\n", conftest=hook)
    assert by_verdict(found)[Verdict.ERROR] == {"test_a.py"}
    assert "no test of it failed" in reason(found, "test_a.py")
