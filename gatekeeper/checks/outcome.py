"""From a test to its `Check`: a test returns why the model passes, and raises where it does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from gatekeeper.errors import NotMeasured
from gatekeeper.records.base import Verdict
from gatekeeper.records.tested import Check

Test = Callable[[], str]

NOBODYS_FAULT = ("disk", "unsupported")
"""Kinds of `NotMeasured` that say nothing of the model; one that crashes, hangs or eats the memory fails the test."""

MOST_SAID = 300


class Broken(Exception):
    """What was tested does not hold; says how."""


class Skipped(Exception):
    """The test does not apply; says why."""


class Untested(Exception):
    """The test could not be made; says why."""


class NoStandard(Untested):
    """The original did not do what the variant is to be compared with; says what."""

    def __str__(self) -> str:
        return f"the original gives nothing to compare with: {super().__str__()}"


def checked(kind: str, name: str, test: Test) -> Check:
    """Run one test. What could not be tested is no failure, and never a pass."""
    started, verdict = time.monotonic(), Verdict.PASS
    try:
        reason = test()
    except Broken as broken:
        verdict, reason = Verdict.FAIL, str(broken)
    except Skipped as skipped:
        verdict, reason = Verdict.SKIP, str(skipped)
    except Untested as untested:
        verdict, reason = Verdict.ERROR, str(untested)
    except NotMeasured as failure:
        verdict = Verdict.ERROR if failure.kind in NOBODYS_FAULT else Verdict.FAIL
        reason = str(failure)
    except Exception as error:  # answers that no test foresaw, of shapes that do not fit together
        verdict, reason = Verdict.ERROR, f"what it answered cannot be judged: {type(error).__name__}: {str(error)[:MOST_SAID]}"
    return Check(kind=kind, name=name, verdict=verdict, reason=reason, seconds=time.monotonic() - started)


def not_run(kind: str, names: Iterable[str], reason: str) -> list[Check]:
    """Checks that could not be run, because one before them did not pass."""
    return [Check(kind=kind, name=name, verdict=Verdict.ERROR, reason=f"not tested: {reason}") for name in names]
