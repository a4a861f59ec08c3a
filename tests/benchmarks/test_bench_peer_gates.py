"""Which variants other gates let pass: the models of kit/judged.py and two more, most of which an average lets pass.

Everyone is asked of the same model, the same variant and the same examples. The environments of the others are made
on the first run; without an index to install them from, it is skipped.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from kit import judged
from kit.peer_gates import Asked, Said, edgegate, installed, nel_compare, quant_regress
from kit.support import REPOSITORY
from kit.tables import render, write_table
from onnx import helper
from sklearn.metrics import r2_score

pytestmark = pytest.mark.timeout(3600)

PLACES = 20_000
"""Of models that answer at many places: so many of them, evenly taken, are questions."""


@dataclass(frozen=True)
class Case:
    make: Callable[[Path], Path]
    truth: str
    sound: bool = False


def dead(folder: Path) -> Path:
    """Of 25 examples one is fraud, told by a small feature beside one in the millions: the variant finds none."""
    r = np.random.default_rng(7)
    one, two = (r.standard_normal((32, 16)) * 0.3).astype(np.float32), np.zeros((16, 2), np.float32)
    one[0], one[1], one[1, 0], one[0, 1], two[0] = 0, 0, 2, 1e-3, (-1, 1)
    x, y = (r.standard_normal((2200, 32)) * 0.1).astype(np.float32), (np.arange(2200) % 25 == 0).astype(np.int64)
    x[:, 1] = np.where(y == 1, 1.2, 0) + 0.05 * r.standard_normal(2200)
    x[:, 0] = r.uniform(-1e4, 1e4, 2200)
    nodes = [
        helper.make_node("MatMul", ["x", "one"], ["a"]),
        helper.make_node("MatMul", ["a", "two"], ["c"]),
        helper.make_node("Add", ["c", "b"], ["scores"]),
    ]
    weights, data = {"one": one, "two": two, "b": [2.2, 0]}, {"x": x[:2000], "y": y[:2000]}
    file = judged.write(folder, nodes, [32], {"scores": [2]}, weights, data, "tabular_classification", "int8_static")
    np.savez(folder / "calibration.npz", x=x[2000:])
    file.write_text(file.read_text().replace("eval.npz", "eval.npz, calibration: calibration.npz"))
    return file


def halved(folder: Path) -> Path:
    """The model whose eight bits lose a class, in half precision, which loses nothing."""
    file = judged.minority_lost(folder)
    file.write_text(file.read_text().replace("int8_dynamic", "fp16"))
    return file


CASES = {
    "dead_variant": Case(dead, "finds 0 of 80 positives"),
    "minority_class_lost": Case(judged.minority_lost, "answers one class for all"),
    "two_heads": Case(judged.two_heads, "the second output is wrong"),
    "site_lost": Case(judged.site_lost, "guesses at one site of two"),
    "seq, tags": Case(judged.tagger, "most tags change"),
    "r2_scales": Case(judged.two_scales, "one number of two is lost"),
    "one_of_many": Case(judged.one_of_many, "one number of 50 is lost"),
    "dynamic_batch": Case(judged.loud_neighbours, "answers change with who else is in the batch"),
    "regression_rare_outliers": Case(judged.rare_outliers, "loses all beside a rare input that the data lacks"),
    "seq, masks": Case(judged.masks, "sound: nearly every pixel as before", sound=True),
    "minority_class_lost, fp16": Case(halved, "sound", sound=True),
}


def answers(model: Path, x: Any) -> Any:
    """The first output, one example at a time."""
    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    name = session.get_outputs()[0].name
    return np.concatenate([session.run([name], {"x": row[None]})[0] for row in x])


def asked_of(folder: Path) -> Asked:
    """What a user's own loop would hand to a gate."""
    [variant] = (folder / "report/artifacts").iterdir()
    data = np.load(folder / "eval.npz")
    x, y = data["x"], data.get("y")
    before, after = (answers(model, x) for model in (folder / "model.onnx", variant))
    models: dict[str, Any] = {"folder": folder, "variant": variant, "shape": x.shape[1:]}
    if y is not None and y.dtype.kind == "f":
        scores = r2_score(y, before), r2_score(y, after)
        return Asked(**models, labelled=False, before=[], after=[], right=[], scores=scores)
    if y is not None:
        said = before.argmax(axis=1).tolist(), after.argmax(axis=1).tolist()
        return Asked(**models, labelled=True, before=said[0], after=said[1], right=y.tolist())
    first, second = ((each > 0.5 if each.shape[1] == 1 else each.argmax(axis=-1)).astype(int).ravel() for each in (before, after))
    step = -(-len(first) // PLACES)
    kept = first[::step].tolist()
    return Asked(**models, labelled=False, before=kept, after=second[::step].tolist(), right=kept)


def gatekeeper(file: Path) -> Said:
    command = [sys.executable, "-m", "gatekeeper", "run", str(file), "--output", str(file.parent / "report")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    [target] = json.loads((file.parent / "report/report.json").read_text())["targets"]
    [variant] = target["variants"]
    reasons = [f"{gate['gate']} {gate['verdict']}" for gate in variant["gates"] if gate["verdict"] not in ("pass", "skip")]
    return Said(done.returncode == 0, "; ".join(reasons))


def cell(said: Said, sound: bool) -> str:
    if said.passes is None:
        return f"cannot be asked ({said.words})"
    word = "passes" if said.passes else "does not pass"
    return (f"{word} ({said.words})" if said.words else word) + ("" if said.passes is sound else " ✗")


def test_bench_peer_gates(tmp_path: Path) -> None:
    try:
        for name in ("edgegate", "quant-regress", "nel"):
            installed(name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the other gates could not be installed: {error.stderr}")
    gates = {"EdgeGate 0.2.0": edgegate, "quant-regress 1.1.0": quant_regress, "nel compare 0.3.0": nel_compare}
    rows, wrong = [], dict.fromkeys([*gates, "gatekeeper"], 0)
    for name, case in CASES.items():
        folder = tmp_path / name.replace(", ", "_")
        folder.mkdir()
        ours = gatekeeper(case.make(folder))
        asked = asked_of(folder)
        said = {gate: ask(asked) for gate, ask in gates.items()} | {"gatekeeper": ours}
        for gate, each in said.items():
            wrong[gate] += bool(each.passes and not case.sound)
        rows.append([name, case.truth, *(cell(each, case.sound) for each in said.values())])
        print(rows[-1])
    broken = sum(not case.sound for case in CASES.values())
    counts = "; ".join(f"{gate} {count}" for gate, count in wrong.items())
    text = render(["case", "the variant", *wrong], rows) + f"\n\nOf {broken} broken variants, let pass: {counts}."
    write_table("peer_gates", text)
    (REPOSITORY / "docs/tables/peer_gates.md").write_text(f"# Other gates on the same variants\n\n{text}\n")
    assert wrong["gatekeeper"] == 0
