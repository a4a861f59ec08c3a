"""modelaudit's answers, read strictly: nothing that is not known to be harmless adds up to clean."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gatekeeper.scans import _modelaudit
from gatekeeper.scans._base import Unscanned

FILE = Path("/somewhere/model.pkl")
BUILDS = "Found invoked allowlisted global without trusted loaded implementation: torch._utils._rebuild_tensor_v2"


def said(severity: str, message: str = "something", code: str | None = None, status: str = "failed") -> Any:
    return SimpleNamespace(severity=severity, message=message, rule_code=code, status=status, location="", name="a check")


def answer(**changes: Any) -> Any:
    sound: dict[str, Any] = {
        "success": True, "issues": [], "checks": [], "metadata": {}, "scanner_name": "pickle", "bytes_scanned": 9,
    }  # fmt: skip
    return SimpleNamespace(**(sound | changes))


def judged(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[str]:
    monkeypatch.setattr(_modelaudit, "_scan", lambda path: answer(**changes))
    return [found.rule for found in _modelaudit.judged(FILE)]


def test_a_whole_look_without_a_finding_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(monkeypatch) == []
    assert judged(monkeypatch, checks=[said("critical", status="passed")]) == []


@pytest.mark.parametrize(
    ("found", "rule"),
    [
        (said("critical", code="S101"), "runs_code"),
        (said("warning", code="S201"), "runs_code"),
        (said("critical", code="S405"), "archive_content"),
        (said("warning", code="NON_ALLOWLISTED_GLOBAL"), "unknown_import"),
        (said("critical"), "suspect"),
        (
            said("warning", BUILDS.replace("torch._utils._rebuild_tensor_v2", "torch.evil"), "NON_ALLOWLISTED_GLOBAL"),
            "unknown_import",
        ),
    ],
)
def test_what_is_grave_is_a_finding(monkeypatch: pytest.MonkeyPatch, found: Any, rule: str) -> None:
    assert judged(monkeypatch, issues=[found]) == [rule]
    assert judged(monkeypatch, checks=[found]) == [rule], "also where it is only among the checks"
    assert judged(monkeypatch, issues=[found], success=False, metadata={"scan_outcome": "inconclusive"}) == [rule]


@pytest.mark.parametrize(
    "changes",
    [
        {"success": False},
        {"metadata": {"scan_outcome": "inconclusive"}},
        {"metadata": {"operational_error": True}},
        {"metadata": {"analysis_incomplete": True}},
        {"scanner_name": "unknown"},
        {"bytes_scanned": 0},
        {"checks": [said("info", "it would run something")]},
        {"checks": [said("debug", "it would run something")]},
        {"issues": [said("info", "it would run something")]},
        {"issues": [said("warning", "Not a valid zip file", "S902")]},
        {"issues": [said("critical", "Nested pickle analysis did not complete", "S213")]},
        {"issues": [said("warning", BUILDS)], "success": False, "metadata": {"scan_outcome": "inconclusive"}},
    ],
)
def test_what_it_is_not_sure_of_is_not_clean(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    with pytest.raises(Unscanned):
        judged(monkeypatch, **changes)


def test_what_only_builds_a_tensor_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so of names that it holds to be harmless, wherever torch is not imported by the process that scans."""
    assert judged(monkeypatch, issues=[said("warning", BUILDS, "NON_ALLOWLISTED_GLOBAL")], success=False) == []
    mere = "Pickle serialization format detected: GLOBAL(3), REDUCE(10) opcodes detected"
    assert judged(monkeypatch, checks=[said("info", mere, "S201")]) == []
    assert judged(monkeypatch, checks=[said("warning", mere, "S201")]) == ["runs_code"]
