"""Outputs and the summary: read back the way GitHub's runner does."""

from __future__ import annotations

from pathlib import Path

import kit.gfm as gfm
import pytest
from kit.runner import read_outputs
from kit.sample_reports import RUN, many, two_targets

from gatekeeper.errors import UsageError
from gatekeeper.github.outputs import MOST_OUTPUT_BYTES, append_summary, entry, write_outputs
from gatekeeper.reports.markdown import SUMMARY_BYTES, render


def test_outputs_come_back(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("earlier=1\n")
    values = {"verdict": "fail", "matrix": '{"include": []}', "empty": "", "lines": "a\nb\r\n\nEOF\nx<<y\nname=value\n"}
    assert write_outputs(values, {"GITHUB_OUTPUT": str(file)})
    assert read_outputs(file.read_bytes().decode()) == {"earlier": "1"} | values


def test_delimiters_are_never_the_same() -> None:
    assert entry("a", "b") != entry("a", "b")


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a<<b", "a\nb", "1a", "é", "a" * 101, "a\0"])
def test_a_name_that_could_break_out_is_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / "out"
    with pytest.raises(UsageError, match="name of an output"):
        write_outputs({"fine": "1", name: "x"}, {"GITHUB_OUTPUT": str(file)})
    assert not file.exists()


@pytest.mark.parametrize("value", ["a\0b", "a\ud800b", "x" * (MOST_OUTPUT_BYTES + 1)], ids=["nul", "surrogate", "large"])
def test_a_value_that_cannot_be_read_back_is_refused(value: str, tmp_path: Path) -> None:
    file = tmp_path / "out"
    with pytest.raises(UsageError, match="output"):
        write_outputs({"x": value}, {"GITHUB_OUTPUT": str(file)})
    assert not file.exists()


def test_outside_of_github_nothing_is_written() -> None:
    assert not write_outputs({"a": "b"}, {})
    assert not append_summary(two_targets(), environment={})


def test_a_file_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="GITHUB_OUTPUT"):
        write_outputs({"a": "b"}, {"GITHUB_OUTPUT": str(tmp_path)})
    with pytest.raises(UsageError, match="GITHUB_STEP_SUMMARY"):
        append_summary(two_targets(), environment={"GITHUB_STEP_SUMMARY": str(tmp_path)})


def test_the_summary_is_the_report_after_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    assert append_summary(two_targets(), environment={"GITHUB_STEP_SUMMARY": str(file)})
    assert file.read_bytes().decode() == render(two_targets())
    file.write_text("of another step")
    assert append_summary(two_targets(), environment={"GITHUB_STEP_SUMMARY": str(file)})
    assert file.read_bytes().decode() == "of another step\n\n" + render(two_targets())


@pytest.mark.parametrize(
    "earlier", [pytest.param(0, marks=pytest.mark.thorough), 500_000, SUMMARY_BYTES - 5000, SUMMARY_BYTES - 1100]
)
def test_the_summary_stays_within_its_limit_with_what_was_there(tmp_path: Path, earlier: int) -> None:
    file = tmp_path / "summary"
    file.write_text("x" * earlier)
    assert append_summary(many(1500), RUN, {"GITHUB_STEP_SUMMARY": str(file)})
    assert file.stat().st_size <= SUMMARY_BYTES
    added = file.read_text("utf-8").lstrip("x").lstrip("\n")
    assert added.startswith("## ❌ gatekeeper: fail")
    gfm.check(added, RUN)


def test_a_full_summary_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    file.write_text("x" * (SUMMARY_BYTES - 100))
    assert not append_summary(two_targets(), RUN, {"GITHUB_STEP_SUMMARY": str(file)})
    assert file.stat().st_size == SUMMARY_BYTES - 100


def test_no_variable_of_later_steps_is_set() -> None:
    """GITHUB_ENV and GITHUB_PATH change what later steps run."""
    import gatekeeper

    for path in Path(gatekeeper.__file__).parent.rglob("*.py"):
        assert "GITHUB_" + "ENV" not in path.read_text("utf-8"), path
        assert "GITHUB_" + "PATH" not in path.read_text("utf-8"), path
