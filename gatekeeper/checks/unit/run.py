"""Contract tests of one variant against the original: each its own `Check`, whatever the model does meanwhile."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Literal, cast

import msgspec

from gatekeeper.checks.unit.base import Answered, Broken, Case, NoStandard, Seen, Setting, Skipped, cases
from gatekeeper.checks.unit.lab import Observe, Observed, Ready, Setup
from gatekeeper.checks.unit.own_run import own_checks
from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._spec import ModelSpec
from gatekeeper.making.subject import Subject
from gatekeeper.process.isolate import Worker
from gatekeeper.process.messages import Failed
from gatekeeper.records.base import Verdict
from gatekeeper.records.tested import Check

KIND: Literal["unit_tests"] = "unit_tests"
LEAST_S, LOADS, RUNS = 30.0, 20, 500
"""A test may take this long, and this many loads and runs of the model besides: one that takes longer hangs."""
MOST_SAID = 300
ITS_FAULT = ("crash", "timeout", "memory", "garbage", "data", "model")
"""Kinds of failure that are the model's own, and not of the machine."""


def unit_checks(
    subject: Subject, baseline: Subject, level: str, own_tests: Sequence[Path], folder: Path | None = None
) -> list[Check]:
    """The contract tests of a level, and the user's pytest files; `folder` is where those import from."""
    found: list[Check] = []
    with _Bench(subject, "the variant", keeps=False) as variant, _Bench(baseline, "the original", keeps=True) as original:
        opened = _opens(variant, original)
        found.append(opened)
        for case in cases(level, subject.spec.text is not None):
            if opened.verdict is Verdict.PASS:
                found.append(_check(case, variant, original))
            else:
                reason = f"not tested: {opened.reason}"
                found.append(Check(kind=KIND, name=case.name, verdict=Verdict.ERROR, reason=reason))
    return found + own_checks(subject, baseline, own_tests, folder)


def _opens(variant: _Bench, original: _Bench) -> Check:
    """The first test of all: the model can be opened and answers."""
    started, verdict = time.monotonic(), Verdict.PASS
    try:
        original.limit_s()
        try:
            variant.limit_s()
            reason = "it opens and answers"
        except NotMeasured as failure:
            verdict, reason = _of_failure(failure)
    except NotMeasured as failure:
        verdict, reason = Verdict.ERROR, f"the original cannot be tested: {failure}"
    return Check(kind=KIND, name="opens", verdict=verdict, reason=reason, seconds=time.monotonic() - started)


def _check(case: Case, variant: _Bench, original: _Bench) -> Check:
    started, verdict = time.monotonic(), Verdict.PASS
    standard = original.try_observe(case)
    try:
        if isinstance(standard, Skipped):
            raise standard
        found = variant.observe(case)
        if isinstance(standard, NotMeasured):
            raise NoStandard(str(standard))
        reason = case.judge(found, standard)
    except Broken as broken:
        verdict, reason = Verdict.FAIL, str(broken)
        variant.close()  # what one test broke must not fail the next
    except Skipped as skipped:
        verdict, reason = Verdict.SKIP, str(skipped)
    except NoStandard as missing:
        verdict, reason = Verdict.ERROR, f"the original gives nothing to compare with: {missing}"
    except NotMeasured as failure:
        verdict, reason = _of_failure(failure)
        if isinstance(standard, NotMeasured) and standard.kind == failure.kind:
            reason = f"{reason.rstrip('.')}. The original does the same."
    except Exception as error:  # answers that no test foresaw, of shapes that do not fit together
        verdict, reason = Verdict.ERROR, f"what it answered cannot be judged: {type(error).__name__}: {str(error)[:MOST_SAID]}"
    return Check(kind=KIND, name=case.name, verdict=verdict, reason=reason, seconds=time.monotonic() - started)


def _of_failure(failure: NotMeasured) -> tuple[Verdict, str]:
    """A model that crashes, hangs or eats the memory fails the test; a full disk is nobody's failure."""
    return (Verdict.FAIL if failure.kind in ITS_FAULT else Verdict.ERROR), str(failure)


class _Bench(AbstractContextManager["_Bench"]):
    """One model in a worker; in a fresh one where the last did not survive.

    The original's observations are kept in the scratch folder, for the variants that come after.
    """

    def __init__(self, subject: Subject, who: str, keeps: bool):
        self.subject, self.who, self.keeps = subject, who, keeps
        name = hashlib.sha256(msgspec.json.encode([subject.spec, str(subject.inputs)])).hexdigest()[:16]
        self.folder = subject.space.scratch / f"contract-{name}"
        self.folder.mkdir(exist_ok=True)
        self._worker: Worker | None = None
        self._ready: Ready | None = None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def limit_s(self) -> float:
        """How long one test may take; opens the model the first time."""
        kept = self.folder / "ready.json"
        if self._ready is None and self.keeps and kept.exists():
            self._ready = msgspec.json.decode(kept.read_bytes(), type=Ready)
        if self._ready is None:
            self._ready = self._open()
            kept.write_bytes(msgspec.json.encode(self._ready))
        expected = LEAST_S + (LOADS * self._ready.load_ns + RUNS * self._ready.run_ns) / 1e9
        return min(self.subject.space.timeout_s, expected)

    def try_observe(self, case: Case) -> Seen | Skipped | NotMeasured:
        """What the model does in a test, or why that could not be observed."""
        try:
            return self.observe(case)
        except (Skipped, NotMeasured) as failure:
            return failure

    def observe(self, case: Case) -> Seen:
        """What the model does in a test. A failure is kept too: an original that hangs does so only once."""
        trials: dict[str, Answered] = {}
        numbers: dict[str, float] = {}
        for setting in case.settings:
            kept = self.folder / f"{case.name}-{setting}.json"
            if self.keeps and kept.exists():
                answer = msgspec.json.decode(kept.read_bytes(), type=Observed | Failed)
            else:
                answer = self._observe(case.name, setting, kept.with_suffix(".npz"))
                kept.write_bytes(msgspec.json.encode(answer))
            if isinstance(answer, Failed):
                raise NotMeasured(answer.kind, answer.message)
            if answer.skip:
                raise Skipped(answer.skip)
            trials |= _read(answer, kept.with_suffix(".npz"), f"{setting}/" if setting else "")
            numbers |= answer.numbers
        return Seen(self.who, trials, numbers)

    def _observe(self, name: str, setting: Setting, destination: Path) -> Observed | Failed:
        request, space = Observe(check=name, destination=str(destination)), self.subject.space
        try:
            if setting:
                with Worker(space.scratch, space.memory_limit) as fresh:
                    self._setup(fresh, _others(self.subject.spec) if setting == "threads" else self.subject.spec)
                    return fresh.ask(request, Observed, self.limit_s())
            limit_s = self.limit_s()
            if self._worker is None:
                self._open()
            return cast(Worker, self._worker).ask(request, Observed, limit_s)
        except NotMeasured as failure:
            if self._worker is not None and not self._worker.alive:
                self.close()
            said = f"it does not end: {failure}" if failure.kind == "timeout" else str(failure)
            return Failed(kind=failure.kind, message=said)

    def _open(self) -> Ready:
        self.close()
        self._worker = Worker(self.subject.space.scratch, self.subject.space.memory_limit)
        try:
            return self._setup(self._worker, self.subject.spec)
        except NotMeasured:
            self.close()
            raise

    def _setup(self, worker: Worker, spec: ModelSpec) -> Ready:
        subject = self.subject
        request = Setup(
            spec=spec,
            inputs=str(subject.inputs.resolve()),
            tensors=[msgspec.to_builtins(tensor) for tensor in subject.model.inputs],
        )
        return worker.ask(request, Ready, subject.space.timeout_s)

    def close(self) -> None:
        """End the worker; the next test gets a fresh one."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None


def _others(spec: ModelSpec) -> ModelSpec:
    """The same model with another number of threads."""
    return msgspec.structs.replace(spec, threads=1 if spec.threads > 1 else 2)


def _read(answer: Observed, file: Path, prefix: str) -> dict[str, Answered]:
    """The trials with their arrays; a file that does not fit the answer is garbage."""
    import zipfile

    import numpy as np

    found: dict[str, Answered] = {}
    try:
        with np.load(file, allow_pickle=False) as arrays:
            for i, trial in enumerate(answer.trials):
                outputs = {name: arrays[f"{i}.{j}"] for j, (name, _) in enumerate(trial.outputs)}
                found[prefix + trial.label] = Answered(trial.error, outputs, dict(trial.outputs))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise NotMeasured("garbage", f"the answers of a test cannot be read back: {error}.") from None
    return found
