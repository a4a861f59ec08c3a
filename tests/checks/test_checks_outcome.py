"""From a test to its check: what passes, what fails, and what says nothing."""

from __future__ import annotations

import http.client

import pytest

from gatekeeper.checks.asking import asked
from gatekeeper.checks.outcome import Broken, NoStandard, Skipped, Untested, checked, not_run
from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.records.base import Verdict

ENDS = {
    "broken": (Broken("differs"), Verdict.FAIL, "differs"),
    "skipped": (Skipped("no text"), Verdict.SKIP, "no text"),
    "untested": (Untested("the original cannot be tested"), Verdict.ERROR, "the original cannot be tested"),
    "no standard": (NoStandard("it died"), Verdict.ERROR, "the original gives nothing to compare with: it died"),
    "no error of a test's own": (ZeroDivisionError("by 0"), Verdict.ERROR, "cannot be judged: ZeroDivisionError: by 0"),
    "a message without end": (ValueError("x" * 10_000), Verdict.ERROR, "xxx"),
    "an assertion": (AssertionError(), Verdict.ERROR, "cannot be judged: AssertionError"),
    "a mistake in a name": (UsageError("no such framework"), Verdict.ERROR, "no such framework"),
    "a disk": (OSError(28, "No space left"), Verdict.ERROR, "No space left"),
}
ENDS |= {k: (NotMeasured(k, "why"), Verdict.FAIL, "why") for k in ("crash", "timeout", "memory", "garbage", "data", "model")}
ENDS |= {k: (NotMeasured(k, "why"), Verdict.ERROR, "why") for k in ("disk", "unsupported")}


@pytest.mark.parametrize("name", ENDS)
def test_what_a_test_raises_is_its_verdict(name: str) -> None:
    error, verdict, said = ENDS[name]

    def test() -> str:
        raise error

    found = checked("unit_tests", "zeros", test)
    assert (found.kind, found.name, found.verdict) == ("unit_tests", "zeros", verdict)
    assert said in found.reason
    assert len(found.reason) < 400
    assert found.seconds >= 0


def test_what_it_returns_is_why_it_passes() -> None:
    found = checked("unit_tests", "zeros", lambda: "finite")
    assert (found.verdict, found.reason) == (Verdict.PASS, "finite")


def test_ctrl_c_is_no_verdict() -> None:
    def test() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checked("unit_tests", "zeros", test)


@pytest.mark.parametrize("error", [ConnectionResetError("reset"), TimeoutError("late"), http.client.BadStatusLine("x")])
def test_a_server_that_cannot_be_asked_fails(error: Exception) -> None:
    def test() -> str:
        with asked():
            raise error

    found = checked("security_tests", "no_http", test)
    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith(f"the server could not be asked: {type(error).__name__}: ")


def test_what_was_not_run_is_an_error_each() -> None:
    found = not_run("security_tests", ["a", "b"], "no server")
    assert [(check.name, check.verdict, check.reason) for check in found] == [
        ("a", Verdict.ERROR, "not tested: no server"), ("b", Verdict.ERROR, "not tested: no server"),
    ]  # fmt: skip
