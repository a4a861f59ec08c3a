"""The chart: which points, where, and that mermaid draws it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from kit.sample_reports import gate, report, target, three, two_targets, variant
from kit.support import REPOSITORY

from gatekeeper.records.report import Report
from gatekeeper.reports.markdown import render

# Quotes hold only what cannot end them.
LINE = re.compile(r'(    (x-axis|y-axis|quadrant-[1-4]|"[a-l]")[ :]|quadrantChart$|%%\{)[ -~]*')
POINT = re.compile(r'"([a-l])": \[([0-9.]+), ([0-9.]+)\] radius: (\d+)')
MODULES = REPOSITORY / "tests" / "actions" / "node_modules"
PARSE = """
import { createRequire } from 'module';
const from = createRequire(process.argv[2] + '/');
const { JSDOM } = from('jsdom');
globalThis.window = new JSDOM('').window; globalThis.document = window.document;
const mermaid = (await import(process.argv[2] + '/mermaid/dist/mermaid.core.mjs')).default;
for (const chart of JSON.parse(process.argv[3])) await mermaid.parse(chart);
"""


def chart(of: Report) -> str:
    found = re.findall(r"^```mermaid\n(.*?)\n```$", render(of), re.MULTILINE | re.DOTALL)
    return found[0] if found else ""


def drawn(of: Report) -> dict[str, tuple[float, float, int]]:
    return {m[1]: (float(m[2]), float(m[3]), int(m[4])) for m in POINT.finditer(chart(of))}


def of(*points: tuple[float, float], **more: object) -> Report:
    return report([target("cpu", [variant(f"cpu/f/t{i}", three("cpu", s, k), **more) for i, (s, k) in enumerate(points)])])


def test_the_limits_are_the_middle_and_better_is_up_and_right() -> None:
    found = drawn(of((2.0, 0.95), (4.0, 1.0), (1.0, 0.9)))
    assert found["a"][:2] == (0.5, 0.5)
    assert found["b"][0] > 0.9
    assert found["b"][1] > 0.9
    assert found["c"][0] < 0.2
    assert found["c"][1] < 0.2


def test_more_memory_is_a_larger_point() -> None:
    gates = [three("cpu"), [*three("cpu")[:1], gate("memory", observed=0.9), three("cpu")[2]]]
    small = drawn(report([target("cpu", [variant(f"cpu/f/t{i}", g) for i, g in enumerate(gates)])]))
    assert small["a"][2] > small["b"][2]


def test_letters_stand_in_the_table() -> None:
    shown = render(two_targets())
    assert "| `onnx_runtime/int8` a **←** |" in shown
    assert set(drawn(two_targets())) == set("abcde")


def test_one_variant_is_no_chart() -> None:
    assert chart(of((3.0, 0.99))) == ""
    assert chart(report([target("cpu", [variant(f"cpu/f/{i}", [gate()]) for i in range(3)])])) == ""  # no accuracy


def test_of_many_the_frontier_is_drawn() -> None:
    rows = [variant(f"cpu/f/t{i}", three("cpu", 2.0 + i, 0.97), pareto=i >= 20) for i in range(30)]
    found = render(report([target("cpu", rows)]))
    assert len(POINT.findall(found)) == 12
    assert "| `f/t20` a |" in found
    assert "| `f/t5` |" in found


CHARTS = [
    of((2.0, 0.95), (4.0, 1.0), (1.0, 0.9)),
    of((3.0, 0.99), (3.0, 0.99)),
    of((1e-9, 0.0), (1e5, 50.0)),
    of((3.0, -1.0), (3.0, 0.99)),
    two_targets(),
]


@pytest.mark.parametrize("found", CHARTS)
def test_nothing_in_it_can_be_a_command(found: Report) -> None:
    lines = chart(found).splitlines()
    assert lines
    for line in lines:
        assert LINE.fullmatch(line), line
        assert line.count('"') % 2 == 0
    for x, y, radius in drawn(found).values():
        assert 0 <= x <= 1
        assert 0 <= y <= 1
        assert 4 <= radius <= 10


@pytest.mark.skipif(
    not (MODULES / "mermaid").exists() or not shutil.which("node"), reason="npm ci in tests/actions brings mermaid"
)
def test_mermaid_reads_it(tmp_path: Path) -> None:
    script = tmp_path / "parse.mjs"
    script.write_text(PARSE)
    charts = json.dumps([chart(found) for found in CHARTS])
    done = subprocess.run(["node", script, MODULES, charts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
