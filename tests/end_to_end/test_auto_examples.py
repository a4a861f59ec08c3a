"""`frameworks: auto` and `techniques: auto` on real models: one passes that nobody named by hand, and the reports say why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.auto import auto_file

pytestmark = [pytest.mark.serial, pytest.mark.thorough]


@pytest.mark.parametrize("name", ["digits-mlp", "digits-vit", "tiny-llm"])
def test_an_example_passes_without_a_technique_named_by_hand(name: str, example: Callable[[str], Path], gatekeeper: Any) -> None:
    file = auto_file(example(name), preferences={"speed": 2, "accuracy": 1, "memory": 1})
    assert "int" not in file.read_text().partition("optimization:")[2].partition("gates:")[0]
    run = gatekeeper("run", file, "--output", file.parent / "auto", "--quiet")
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads((file.parent / "auto/report.json").read_text())
    [target] = report["targets"]
    chosen = next(v for v in target["variants"] if v["id"] == target["selected"])
    assert chosen["verdict"] == "pass" and chosen["why"]
    assert all(leg["why"] for leg in target["legs"])
    assert target["wish"]["weights"] == {"speed": 2, "accuracy": 1, "memory": 1}
    text = (file.parent / "auto/report.md").read_text()
    assert f"{target['selected']} is chosen" in text.replace("\\", "")
    assert "is chosen: " in " ".join(run.stdout.split())
    assert " was tried: " in " ".join(run.stdout.split())
    assert bool(target["rule"]["measured"]) is (chosen["framework"] != target["rule"]["framework"])
