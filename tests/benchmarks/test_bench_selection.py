"""The decision tree beside what is measured: each example with `frameworks: auto` for a CPU and for an Intel CPU.

Writes docs/tables/selection.md:  python -m pytest tests/benchmarks/test_bench_selection.py -s -q -o addopts="" -o timeout=0
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.auto import auto_file
from kit.support import REPOSITORY

TARGETS = ("cpu", "intel_cpu")
PASSES = ("digits-mlp", "digits-vit", "tiny-llm")
PAGE = REPOSITORY / "docs/tables/selection.md"
COLUMNS = (
    "example",
    "hardware",
    "the rule",
    "its fastest that passes",
    "chosen of all that pass",
    "beside the rule",
    "CPU of others",
)
HEAD = f"| {' | '.join(COLUMNS)} |\n" + "| --- " * len(COLUMNS) + "|"
rows: list[str] = []
machine: list[str] = []


@pytest.mark.parametrize("name", [*PASSES, "digits-cnn"])
@pytest.mark.parametrize("target", TARGETS)
def test_bench_rule_and_measurement(name: str, target: str, example: Callable[[str], Path], tmp_path: Path) -> None:
    file = auto_file(example(name), target)
    command = [sys.executable, "-m", "gatekeeper", "run", str(file), "--output", str(tmp_path / "report"), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1, 3), done.stdout + done.stderr
    report = json.loads((tmp_path / "report/report.json").read_text())
    [found] = report["targets"]
    rule = found["rule"]["framework"]
    passing = [v for v in found["variants"] if v["verdict"] == "pass"]
    own = sorted((v for v in passing if v["framework"] == rule), key=lambda v: v["performance"]["p50_ns"])
    best = next((v for v in passing if v["id"] == found["selected"]), None)
    tried = any(leg["framework"] == rule and leg["rounds"] for leg in found["legs"])
    beside = "agrees" if best and best["framework"] == rule else "differs" if best else "nothing passes"
    by_rule = _shown(own[0]) if own else "none passes" if tried else "not tried"
    cells = [f"`{name}`", f"`{target}`", f"{rule}: {found['rule']['because']}", by_rule, _shown(best) if best else "none", beside]
    others = [leg["conditions"]["other_cpu"] for leg in found["legs"] if leg["conditions"]]
    cells.append(f"{max(each or 0 for each in others):.0%}" if others else "?")
    rows.append(f"| {' | '.join(cells)} |")
    print("\n" + rows[-1])
    about = found["environment"]
    machine[:] = [f"{about['cpu']}, {' '.join(about['isa'])}, gatekeeper {report['version']}"]
    if name in PASSES and target == "cpu":
        assert found["verdict"] == "pass", found["reason"]
    PAGE.write_text(
        "# The decision tree beside what was measured\n\n"
        f"Measured by `{__doc__.splitlines()[2].partition(':  ')[2]}` on {machine[0]}.\n"
        "Latency is the median of an inference, or of a token; the speedup is over the baseline of the same framework. On "
        "another machine it may be otherwise: that is why it is measured.\n\n" + "\n".join([HEAD, *rows]) + "\n"
    )


def _shown(variant: dict[str, Any]) -> str:
    speed = next(g["observed"] for g in variant["gates"] if g["gate"] == "speedup")
    return f"{variant['framework']}/{variant['technique']}: {variant['performance']['p50_ns'] / 1e6:.3g} ms, {speed:.2f}x"
