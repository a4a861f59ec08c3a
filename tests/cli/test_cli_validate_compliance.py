"""What the stage `compliance` is certain to refuse is said before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from kit.support import write_project

from gatekeeper.cli._main import cli

GOOD = {"license": "MIT", "evaluation": "CC0-1.0", "purpose": "Sorting parcels.", "limits": "Not for people."}


def said(folder: Path, **changes: str) -> tuple[int, str]:
    """Exit code and output of `validate` on a file whose declarations are these."""
    at = GOOD | changes
    file = write_project(folder, "int8_dynamic", "onnx_runtime")
    stages = "edge_ai_pipeline:\n  stages: [model_validation, compliance, optimization]\n"
    text = file.read_text().replace("edge_ai_pipeline:\n", stages, 1)
    evaluation = f"evaluation: {at['evaluation']}" if at["evaluation"] else "training: MIT"
    text += f"  compliance:\n    license: {at['license']}\n    allowed_licenses: [MIT, CC0-1.0]\n    datasets: {{{evaluation}}}\n"
    text += f"    intended_purpose: '{at['purpose']}'\n    limitations: '{at['limits']}'\n"
    file.write_text(text)
    result = CliRunner().invoke(cli, ["validate", "--quick", str(file)])
    return result.exit_code, result.output


def test_what_holds_is_no_warning(tmp_path: Path) -> None:
    code, output = said(tmp_path)
    assert (code, "warning:" in output) == (0, False), output


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"license": "GPL-3.0-only"}, "the model has the licence GPL-3.0-only, and allowed are"),
        ({"evaluation": "GPL-3.0-only"}, "has the licence GPL-3.0-only"),
        ({"evaluation": ""}, "has no licence: say it under `compliance.datasets.evaluation.license`"),
        ({"purpose": "TODO"}, "does not say intended_purpose"),
    ],
    ids=["model", "set", "set without one", "card"],
)
def test_what_is_certain_to_fail_is(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    code, output = said(tmp_path, **changes)
    assert code == 0
    assert "warning: the stage 'compliance' will fail: " in output and words in output, output
