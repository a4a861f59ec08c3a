"""The worker's side of the user's own pytest files: pytest runs here, and every outcome is written down as it comes.

A test that takes the process with it leaves the line that it began, so it is known which one that was.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import msgspec

from gatekeeper.errors import NotMeasured
from gatekeeper.process.messages import Done, Held, Request

if TYPE_CHECKING:
    import pytest

MAX_REASON = 500
_NO_TESTS, _TESTS_FAILED, _OK = 5, 1, 0  # pytest's exit codes


class OwnTests(Request, frozen=True, kw_only=True):
    """Run the user's pytest files; a line of JSON for each test goes to `destination`."""

    files: list[str]
    folder: str  # of the pipeline file; imports start there
    done: list[str]  # tests that ran already, by their pytest ids
    options: dict[str, str]  # of the plugin, without their dashes
    destination: str

    def answer(self, held: Held) -> Done:
        """Write the lines."""
        return run_own(self)


class OutcomeLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A test is to run, began, or how it ended. `error` is trouble outside the test itself: a fixture, an unreadable file."""

    test: str
    outcome: Literal["collected", "began", "passed", "failed", "skipped", "error", "left"]
    reason: str = ""
    seconds: float = 0.0


def run_own(request: OwnTests) -> Done:
    """Run what is not done yet; `NotMeasured` where pytest ended before all of it had run, whatever code it ended with.

    `pytest.exit` may name any code, also that of a pass, so that the code alone says nothing of the tests that were left.
    """
    import pytest

    folder, destination = Path(request.folder), Path(request.destination)
    empty = destination.with_suffix(".ini")
    empty.write_text("[pytest]\n")
    # What a pipeline file names must run the same everywhere: no configuration and no plugin that happens to be there.
    arguments = ["-c", str(empty), "--rootdir", str(folder), "--confcutdir", str(folder), "--import-mode", "importlib"]
    arguments += ["-p", "no:cacheprovider", "-p", "no:gatekeeper", "-p", "gatekeeper.checks.plugin", "-q", "--tb", "short"]
    # That one comes with gatekeeper's own `testing` extra, and takes a second to start.
    arguments += ["-p", "no:schemathesis", "--continue-on-collection-errors"]
    arguments += [f"--gatekeeper-{name}={value}" for name, value in request.options.items()]
    sys.path.insert(0, str(folder))
    with destination.open("ab", buffering=0) as lines:
        recorder = _Recorder(lines, frozenset(request.done))
        code = int(pytest.main([*arguments, *request.files], plugins=[recorder]))
    said = f": {recorder.interrupted}" if recorder.interrupted else ""
    if recorder.began or recorder.waiting:
        where = f"in {recorder.began}" if recorder.began else f"before {len(recorder.waiting)} of its tests"
        raise NotMeasured("data", f"pytest ended with code {code} {where}{said}.")
    if code not in (_OK, _TESTS_FAILED, _NO_TESTS) or recorder.interrupted:
        raise NotMeasured("data", f"pytest ended with code {code} {'after' if recorder.ran else 'before'} its tests{said}.")
    if code == _TESTS_FAILED and not recorder.failed:
        raise NotMeasured("data", f"pytest ended with code {code}, though no test of it failed.")
    return Done()


class _Recorder:
    """Hooks of pytest that write down what happens, and leave out what is done."""

    def __init__(self, lines: IO[bytes], done: Collection[str]):
        self.lines, self.done = lines, done
        self.waiting: set[str] = set()  # to run, and no outcome yet
        self.began = ""
        self.ran = self.failed = False
        self.interrupted = ""

    def write(self, line: OutcomeLine) -> None:
        self.lines.write(msgspec.json.encode(line) + b"\n")
        if line.outcome in ("passed", "failed", "skipped", "error"):
            self.waiting.discard(line.test)
            self.ran, self.failed = True, self.failed or line.outcome in ("failed", "error")

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        # By the whole id: --deselect takes away every test whose id begins so, test_10 with test_1.
        if over := [item for item in items if item.nodeid in self.done]:
            config.hook.pytest_deselected(items=over)
            items[:] = [item for item in items if item.nodeid not in self.done]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            self.write(OutcomeLine(test=item.nodeid, outcome="collected"))
            self.waiting.add(item.nodeid)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.interrupted = " ".join(excinfo.exconly().split())[:MAX_REASON]  # a KeyboardInterrupt, or pytest.exit

    def pytest_runtest_logstart(self, nodeid: str, location: object) -> None:
        self.began = nodeid
        self.write(OutcomeLine(test=nodeid, outcome="began"))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome: Literal["passed", "failed", "skipped", "error"]
        if report.failed:
            outcome = "failed" if report.when == "call" else "error"
        elif report.skipped:
            outcome = "skipped"
        elif report.when == "call":
            outcome = "passed"
        else:
            return
        self.write(OutcomeLine(test=report.nodeid, outcome=outcome, reason=_reason(report), seconds=report.duration))

    def pytest_runtest_logfinish(self, nodeid: str, location: object) -> None:
        self.began = ""
        self.write(OutcomeLine(test=nodeid, outcome="left"))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.write(OutcomeLine(test=report.nodeid, outcome="error", reason=_reason(report)))
        elif report.skipped:
            self.write(OutcomeLine(test=report.nodeid, outcome="skipped", reason=_reason(report)))


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """One line: where, and what was said."""
    said: object = report.longrepr
    if said is None:
        return ""
    if isinstance(said, tuple):  # of a skip: file, line, reason
        text = str(said[2]).removeprefix("Skipped: ")
    elif crash := getattr(said, "reprcrash", None):
        text = f"{Path(crash.path).name}:{crash.lineno}: {crash.message}"
    else:
        text = _last_words(str(said))
    text = " ".join(text.split())[:MAX_REASON]
    return text.encode("utf-8", "backslashreplace").decode()


def _last_words(text: str) -> str:
    """Of a file that cannot be read: the last place that is named, and the exception."""
    import re

    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
    places = [match for line in lines if (match := re.match(r'(?:E\s+)?(?:File ")?([^"]+?\.py)(?:", line |:)(\d+)', line))]
    where = f"{Path(places[-1][1]).name}:{places[-1][2]}: " if places else ""
    return where + (errors[-1] if errors else lines[-1] if lines else "it cannot be read")
