"""Contract tests of one variant against the original: each its own `Check`, whatever the model does meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import cast

import msgspec

from gatekeeper.checks.outcome import Broken, NoStandard, Skipped, Untested, checked, not_run
from gatekeeper.checks.unit.base import OPENS, Answered, Case, Seen, Setting, cases
from gatekeeper.checks.unit.lab import Observe, Observed, OpenLab, Ready
from gatekeeper.checks.unit.own_run import own_checks
from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._spec import ModelSpec
from gatekeeper.making.subject import Subject
from gatekeeper.process.isolate import Worker
from gatekeeper.process.messages import Failed
from gatekeeper.records.base import Verdict
from gatekeeper.records.tested import Check

KIND = "unit_tests"
LEAST_S, LOADS, RUNS = 30.0, 20, 500
"""A test may take this long, and this many loads and runs of the model besides: one that takes longer hangs."""


def unit_checks(
    subject: Subject, baseline: Subject, level: str, own_tests: Sequence[Path], folder: Path | None = None
) -> list[Check]:
    """The contract tests of a level, and the user's pytest files; `folder` is where those import from."""
    chosen = cases(level, subject.spec.text is not None)
    with _Model(subject, "the variant", keeps=False) as variant, _Model(baseline, "the original", keeps=True) as original:
        checks = [checked(KIND, OPENS.name, lambda: _opens(variant, original))]
        if checks[0].verdict is Verdict.PASS:
            checks += [checked(KIND, case.name, partial(_compared, case, variant, original)) for case in chosen]
        else:
            checks += not_run(KIND, [case.name for case in chosen], checks[0].reason)
    return checks + own_checks(subject, baseline, own_tests, folder)


def _opens(variant: _Model, original: _Model) -> str:
    try:
        original.limit_s()
    except NotMeasured as failure:
        raise Untested(f"the original cannot be tested: {failure}") from failure
    variant.limit_s()
    return "it opens and answers"


def _compared(case: Case, variant: _Model, original: _Model) -> str:
    """What a test says of the variant, beside what the original did in it."""
    standard = original.try_observe(case)
    if isinstance(standard, Skipped):
        raise standard
    try:
        seen = variant.observe(case)
    except NotMeasured as failure:
        if isinstance(standard, NotMeasured) and standard.kind == failure.kind:
            raise NotMeasured(failure.kind, f"{str(failure).rstrip('.')}. The original does the same.") from failure
        raise
    if isinstance(standard, NotMeasured):
        raise NoStandard(str(standard))
    try:
        return case.judge(seen, standard)
    except Broken:
        variant.close()  # what one test broke must not fail the next
        raise


class _Model(AbstractContextManager["_Model"]):
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
                    self._open_lab(fresh, _others(self.subject.spec) if setting == "threads" else self.subject.spec)
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
            return self._open_lab(self._worker, self.subject.spec)
        except NotMeasured:
            self.close()
            raise

    def _open_lab(self, worker: Worker, spec: ModelSpec) -> Ready:
        subject = self.subject
        request = OpenLab(
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

    trials: dict[str, Answered] = {}
    try:
        with np.load(file, allow_pickle=False) as arrays:
            for i, trial in enumerate(answer.trials):
                outputs = {name: arrays[f"{i}.{j}"] for j, (name, _) in enumerate(trial.outputs)}
                trials[prefix + trial.label] = Answered(trial.error, outputs, dict(trial.outputs))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise NotMeasured("garbage", f"the answers of a test cannot be read back: {error}.") from None
    return trials
