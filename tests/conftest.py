"""Shared fixtures: the examples, built once in a folder of the session, and a cache that is not the user's."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.busy import spin
from kit.command import Command, call
from kit.once import Once

REPOSITORY = Path(__file__).resolve().parents[1]

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # for what tests run in this process; workers report to nobody anyway


LONGEST = (
    "end_to_end/test_text_models", "end_to_end/test_act", "load/test_load_run", "deploy/test_deploy_live",
    "deploy/test_deploy_rehearsal", "end_to_end/test_examples", "end_to_end/test_testing_stage", "monitor/test_monitor_served",
    "end_to_end/test_trust", "end_to_end/test_baseline", "end_to_end/test_inputs", "evaluate/test_broken_variants",
    "end_to_end/test_left_reports", "monitor/test_monitor_rehearsal", "end_to_end/test_bad_input", "end_to_end/test_user_code",
    "checks/test_checks_unit_run", "test_contributing", "end_to_end/test_cross_validation", "end_to_end/test_broken_detectors",
    "end_to_end/test_tasks", "scans/test_scans_torchscript", "end_to_end/test_judged", "process/test_process_isolate",
    "end_to_end/test_act_release", "github/test_github_action",
)  # fmt: skip
"""Files that take half a minute and more, the longest first, so that no process is left with one of them when all others are
done. Of those that go in pairs the ones that say most of latencies begin, beside those that need least of the machine.
"""
LONG = ("end_to_end", "frameworks", "checks", "stats", "load", "serve", "measure")
"""Rooms whose files take long; they come next."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first."""
    order = {}
    for path in {item.path for item in items}:
        place = path.relative_to(REPOSITORY / "tests")
        name, room = place.with_suffix("").as_posix(), place.parts[0]
        own = LONGEST.index(name) if name in LONGEST else len(LONGEST)
        order[path] = own, LONG.index(room) if room in LONG else len(LONG)
    items.sort(key=lambda item: order[item.path])


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """`once(name, fill)`: a folder that is filled once for every process that runs these tests."""
    return Once(tmp_path_factory)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(once: Once) -> Iterator[None]:
    """Work of the tests is kept apart from the user's cache, and shared among the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEKEEPER_CACHE", str(once("cache", lambda _: None)))
        yield


@pytest.fixture(scope="session")
def example(once: Once, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`example(name)`: a copy of examples/<name> in which make_model.py has run."""
    root = tmp_path_factory.mktemp("examples")

    def make(name: str, folder: Path) -> None:
        left_out = shutil.ignore_patterns("*.onnx", "*.npz", "gatekeeper-report", "model", "eval.txt")
        shutil.copytree(REPOSITORY / "examples" / name, folder, ignore=left_out, dirs_exist_ok=True)
        fewer = os.environ | {"GATEKEEPER_EXAMPLE_STEPS": "100"}
        subprocess.run([sys.executable, str(folder / "make_model.py")], check=True, capture_output=True, env=fewer)

    def build(name: str) -> Path:
        if not (root / name).exists():  # tests write beside the model, so that each process has its own copy
            shutil.copytree(once(f"example-{name}", lambda folder: make(name, folder)), root / name)
        return root / name

    return build


@pytest.fixture
def gatekeeper(tmp_path: Path) -> Command:
    """`gatekeeper("run", file, ...)` as a user's shell would, in a folder of its own."""

    def told(*words: object, cwd: Path = tmp_path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return call(words, cwd, env or {})

    return told


@pytest.fixture
def busy_machine() -> Iterator[None]:
    """Two loops beside the test that want a core each."""
    context = multiprocessing.get_context("spawn")
    loops = [context.Process(target=spin, daemon=True) for _ in range(2)]
    for loop in loops:
        loop.start()
    yield
    for loop in loops:
        loop.kill()
        loop.join()


@pytest.fixture
def api() -> Iterator[Any]:
    """The stand-in of GitHub's API; a request or an answer that its description does not allow fails the test."""
    from kit.github_api import StandIn

    with StandIn() as running:
        yield running
    assert running.violations == []
