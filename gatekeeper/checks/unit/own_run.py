"""The user's own pytest files: each run by pytest in a worker of its own, and in a fresh one after a test that took it along."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gatekeeper.checks.unit.own import OutcomeLine, OwnTests
from gatekeeper.errors import NotMeasured
from gatekeeper.files import open_itself
from gatekeeper.making.subject import Subject
from gatekeeper.process.messages import Done
from gatekeeper.records.base import Verdict
from gatekeeper.records.tested import Check

MOST_DEATHS = 5
MOST_BYTES = 8 << 20
_VERDICTS = {"passed": Verdict.PASS, "failed": Verdict.FAIL, "skipped": Verdict.SKIP, "error": Verdict.ERROR}


def own_checks(subject: Subject, baseline: Subject, tests: Sequence[Path], folder: Path | None = None) -> list[Check]:
    """A check for each test; `folder` is what they import from, by default the one that holds all of the files."""
    missing = [
        Check(kind="unit_tests", name=path.name, verdict=Verdict.ERROR, reason=f"{path}: there is no such file.")
        for path in tests
        if not path.is_file()
    ]
    files = [path.resolve() for path in tests if path.is_file()]
    if not files:
        return missing
    root = folder.resolve() if folder else Path(os.path.commonpath([path.parent for path in files]))
    found = missing
    for file in dict.fromkeys(files):  # what one file says of the tests of another is nothing
        with tempfile.TemporaryDirectory(dir=subject.space.scratch, prefix="own-") as place:
            found += _Run(subject, baseline, file, root, Path(place)).checks()
    return found


class _Run:
    """One of the files, in as many workers as it takes."""

    def __init__(self, subject: Subject, baseline: Subject, file: Path, root: Path, place: Path):
        self.subject, self.file, self.root, self.place = subject, file, root, place
        self.name = os.path.relpath(file, root).replace(os.sep, "/")
        self.options = {
            "artifact": subject.spec.artifact,
            "framework": subject.spec.framework,
            "baseline": baseline.spec.artifact,
            "baseline-framework": baseline.spec.framework,
            "inputs": str(subject.inputs.resolve()),
            "threads": str(subject.spec.threads),
            "device": subject.spec.device,
            "id": subject.id,
        }
        self.by_test: dict[str, Check] = {}
        self.collected: dict[str, None] = {}

    def checks(self) -> list[Check]:
        """Run until every test has an outcome."""
        for number in range(MOST_DEATHS):
            outcomes = self.place / str(number) / "outcomes.jsonl"  # in a folder of its own: whatever a test has left beside it
            outcomes.parent.mkdir()
            outcomes.touch()
            failure = self._ask(outcomes)
            pending = self._read(outcomes)
            if failure is None and pending is None:
                break
            if failure is None:
                self._put(str(pending), Verdict.FAIL, "it began, and pytest ended without saying how it did.")
                continue
            if pending is None:  # between tests, or before the first
                self._put(self.name, Verdict.ERROR, f"its tests could not go on: {failure}")
                break
            hangs = failure.kind == "timeout"
            self._put(pending, Verdict.FAIL, f"it does not end: {failure}" if hangs else str(failure))
        else:
            self._put(self.name, Verdict.ERROR, f"{MOST_DEATHS} tests took their process with them; the rest was not run.")
        for test in [test for test in self.collected if test not in self.by_test]:
            self._put(test, Verdict.ERROR, "it did not run: what ran before it ended the run.")
        if not self.by_test:
            self._put(self.name, Verdict.ERROR, "it holds no test. Name functions test_..., or take the file out of `tests`.")
        return list(self.by_test.values())

    def _ask(self, outcomes: Path) -> NotMeasured | None:
        space = self.subject.space
        request = OwnTests(
            files=[str(self.file)],
            folder=str(self.root),
            done=[name for name in self.by_test if "::" in name],
            options=self.options,
            destination=str(outcomes),
        )
        try:
            space.ask_own(request, Done, outcomes.parent)
        except NotMeasured as failure:
            return failure
        return None

    def _read(self, outcomes: Path) -> str | None:
        """Take in what was written down; the test that began and did not end, if there is one."""
        pending: str | None = None
        try:
            with open_itself(outcomes) as file:
                content = file.read(MOST_BYTES + 1)
            lines = content[:MOST_BYTES].splitlines()
            if len(content) > MOST_BYTES:
                self._put(self.name, Verdict.ERROR, f"it says more than {MOST_BYTES >> 20} MB of its tests. Split the file.")
        except OSError:  # a test took it away, or put something else in its place
            lines = []
        for raw in lines:
            try:
                line = msgspec.json.decode(raw, type=OutcomeLine)
            except msgspec.DecodeError:
                continue  # cut short by what ended the process
            if line.test.partition("::")[0] != self.name and line.outcome != "error":
                continue  # no test of this file
            if line.outcome == "collected":
                self.collected[line.test] = None
            elif line.outcome == "began":
                pending = line.test
            elif line.outcome == "left":
                pending = None
            elif line.test not in self.by_test or self.by_test[line.test].verdict is Verdict.PASS:  # a later step may still fail
                self._put(line.test, _VERDICTS[line.outcome], line.reason, line.seconds)
        return pending

    def _put(self, name: str, verdict: Verdict, reason: str, seconds: float = 0.0) -> None:
        self.by_test[name] = Check(kind="unit_tests", name=name, verdict=verdict, reason=reason, seconds=seconds)
