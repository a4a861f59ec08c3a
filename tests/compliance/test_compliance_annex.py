"""Annex IV, point by point: all of it is there, and what the report does not show is said not to be shown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from kit.certified import Place, certified
from kit.once import Once

from gatekeeper.compliance.annex import NOT_SHOWN

POINTS = [
    *("1(a)", "1(b)", "1(c)", "1(d)", "1(e)", "1(f)", "1(g)", "1(h)"),
    *("2(a)", "2(b)", "2(c)", "2(d)", "2(e)", "2(f)", "2(g)", "2(h)"),
    *("3", "4", "5", "6", "7", "8", "9"),
]
"""As the Regulation numbers them (OJ L, 2024/1689, 12.7.2024)."""
NEVER = {"1(b)", "1(f)", "1(g)", "1(h)", "2(b)", "2(f)", "4", "5", "7", "8", "9"}
"""What no measurement shows."""


@pytest.fixture
def place(once: Once, tmp_path: Path) -> Place:
    return certified(once, tmp_path)


def rows(place: Place) -> dict[str, str]:
    report: dict[str, Any] = json.loads(place.report.read_text())
    assert [each["point"] for each in report["evidence"]] == POINTS
    return {each["point"]: each["shown"] for each in report["evidence"]}


def test_every_point_is_there_with_its_evidence_or_without(place: Place) -> None:
    shown = rows(place)
    assert {point for point, said in shown.items() if said == NOT_SHOWN} == NEVER | {"6"}
    report = json.loads(place.report.read_text())
    assert "Telling four kinds of nothing apart." in shown["1(a)"]
    assert "The testers" in shown["1(a)"] and "1.2" in shown["1(a)"]
    assert "onnxruntime " in shown["1(c)"]
    assert report["targets"][0]["environment"]["cpu"] in shown["1(e)"]
    assert report["model"]["sha256"][:12] in shown["2(a)"]
    assert report["data"]["evaluation"]["sha256"][:12] in shown["2(d)"] and "licence CC-BY-4.0" in shown["2(d)"]
    assert report["created"] in shown["2(g)"] and "accuracy " in shown["2(g)"]
    assert shown["2(h)"].count("clean") == 2
    assert "It has seen no real example." in shown["3"] and "worst_class" in shown["3"]


def test_it_follows_from_the_report_whatever_stands_in_it(place: Place) -> None:
    """Whoever edits the table edits nothing: it is made anew wherever a report is written."""

    def lies(report: dict[str, Any]) -> None:
        for each in report["evidence"]:
            each["shown"] = "complies"
        report["commit"] = "c" * 40

    place.change_report(lies)
    from kit.command import call

    done = call(["report", "out/report.json", "--output", "again"], place.folder, {})
    assert done.returncode == 0, done.stderr
    again = json.loads((place.folder / "again/report.json").read_text())["evidence"]
    assert "complies" not in json.dumps(again)
    assert next(each["shown"] for each in again if each["point"] == "6") == f"commit {'c' * 12}"


def test_the_markdown_has_it_folded_and_never_says_compliant(place: Place) -> None:
    text = (place.folder / "out/report.md").read_text()
    folded = re.search(r"<details><summary>Compliance evidence.*?</details>", text, re.DOTALL)
    assert folded
    assert all(f"| {point} |" in folded[0] for point in POINTS)
    assert "Apache-2.0 OR MIT" in folded[0]
    assert not re.search(r"(?i)\bcompliant\b|\bcomplies\b|\bconforms?\b", folded[0])
