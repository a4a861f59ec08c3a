"""Other gates for variants of models, each in an environment of its own: EdgeGate, quant-regress, NeMo Evaluator's `nel compare`.

They are asked at their default limits, or those of their own README. Environments are made once, in GATEKEEPER_PEERS or
~/.cache/gatekeeper-peers. What a gate cannot read is not guessed for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HOME = Path(os.environ.get("GATEKEEPER_PEERS", Path.home() / ".cache/gatekeeper-peers"))

PACKAGES = {
    "edgegate": ["edgegate[host]==0.2.0"],
    "quant-regress": [
        "--no-deps",
        "quant-regress==1.1.0",
    ],  # torch and transformers are for its own models, which are not asked here
    "nel": ["--no-deps", "--ignore-requires-python", "nemo-evaluator==0.3.0"],  # on the index for Python 3.12 and newer
}
MORE = {"nel": ["aiohttp", "click", "jinja2", "numpy", "pydantic", "pyyaml", "scipy"]}  # what `compare` imports

# Of the block in EdgeGate's README what asks for right answers. Its limits of latency and memory are off, as gatekeeper's are.
THRESHOLDS = {"accuracy_min": 0.75, "accuracy_drop_max": 0.005}

# The limit of 2 points is the default; the floor is what its README asks for.
QUANT_REGRESS = """
import json, sys
from quant_regress import QuantHarness
from quant_regress.evalset import Case, EvalSet

told = json.load(open(sys.argv[1]))

class Answers:
    def __init__(self, precision):
        self.found = told[precision]
    def answer(self, prompt):
        return str(self.found[int(prompt)])

cases = EvalSet(Case(str(i), str(i), str(right)) for i, right in enumerate(told["right"]))
found = QuantHarness(Answers).compare(cases, min_accuracy=0.5)
print(json.dumps(found.to_dict()))
"""


@dataclass(frozen=True)
class Asked:
    """What a gate is given: two models and a file of examples, and the answers that a plain loop over them has.

    `before`, `after` and `right` are answers to each question; empty where a model answers numbers, of which
    `scores` holds what a user would write down.
    """

    folder: Path
    variant: Path
    shape: tuple[int, ...]
    labelled: bool
    before: list[int]
    after: list[int]
    right: list[int]
    scores: tuple[float, float] | None = None


@dataclass(frozen=True)
class Said:
    passes: bool | None
    """None: it cannot be asked."""
    words: str


def installed(name: str) -> Path:
    """The folder of programs of a peer's environment."""
    programs = HOME / name / "bin"
    done = HOME / name / "installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", str(HOME / name)], check=True)
        for words in (PACKAGES[name], MORE.get(name)):
            if words:
                subprocess.run([programs / "pip", "install", "--quiet", *words], check=True, capture_output=True, text=True)
        done.touch()
    return programs


def call(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, cwd=cwd, check=False)


def edgegate(asked: Asked) -> Said:
    """It runs both models; accuracy is asked where there is one class an example."""
    program = installed("edgegate") / "edgegate"
    for name, model in (("before", asked.folder / "model.onnx"), ("after", asked.variant)):
        config: dict[str, Any] = {
            "version": 1,
            "model": {"path": str(model), "backend": "onnxruntime", "input": {"name": "x", "shape": [1, *asked.shape]}},
            "thresholds": THRESHOLDS,
        }
        if asked.labelled:
            config["dataset"] = {"type": "npz", "path": str(asked.folder / "eval.npz")}
        (asked.folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
    first = call(program, "run", "-c", "before.yaml", "-o", "before.json", "--check", cwd=asked.folder)
    if first.returncode:
        raise AssertionError(f"EdgeGate does not pass the original: {first.stdout}{first.stderr}")
    words = ("run", "-c", "after.yaml", "-o", "after.json", "--check", "--baseline", "before.json")
    done = call(program, *words, cwd=asked.folder)
    if done.returncode not in (0, 2):
        raise AssertionError(done.stdout + done.stderr)
    failed = [line.split()[1].rstrip(":") for line in done.stdout.splitlines() if line.startswith("FAIL ")]
    accuracy = json.loads((asked.folder / "after.json").read_text())["accuracy"]
    seen = f"top-1 {accuracy['value']:.3f}" if accuracy else "answers not asked"
    return Said(done.returncode == 0, "; ".join([seen, *failed]))


def quant_regress(asked: Asked) -> Said:
    """Its harness, with a model that answers: its command line takes Hugging Face's text models alone."""
    if not asked.right:
        return Said(None, "right or wrong only")
    file = asked.folder / "answers.json"
    file.write_text(json.dumps({"fp32": asked.before, "int8": asked.after, "right": asked.right}))
    done = call(installed("quant-regress") / "python", "-c", QUANT_REGRESS, file, cwd=asked.folder)
    found = json.loads(done.stdout)
    return Said(found["verdict"] == "pass", f"drop {found['worst_drop_points']:.1f} points")


def nel_compare(asked: Asked) -> Said:
    """Two runs as `nel` writes them: a reward of 1 for each right answer; a score alone where none is right or wrong."""
    programs = installed("nel")
    for index, (name, answers) in enumerate((("run-before", asked.before), ("run-after", asked.after))):
        folder = asked.folder / name
        folder.mkdir()
        rewards = [float(a == b) for a, b in zip(answers, asked.right, strict=True)]
        if asked.scores is None:
            lines = (json.dumps({"problem_idx": i, "repeat": 0, "reward": reward}) for i, reward in enumerate(rewards))
            (folder / "results.jsonl").write_text("\n".join(lines))
        value = asked.scores[index] if asked.scores else sum(rewards) / len(rewards)
        bundle = {"run_id": f"eval-{name}", "config": {}, "benchmark": {"name": "case", "scores": {"score": {"value": value}}}}
        (folder / "eval-case.json").write_text(json.dumps(bundle))
    words = ("compare", "run-before", "run-after", "--format", "json", "--no-report")
    done = call(programs / "nel", *words, cwd=asked.folder)
    verdict = json.loads(done.stdout)["verdict"]
    if (done.returncode == 0) is not (verdict == "PASS"):
        raise AssertionError(done.stdout + done.stderr)
    return Said(done.returncode == 0, verdict)
