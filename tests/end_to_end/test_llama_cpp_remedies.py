"""A failure of memory that another way to open the same artifact cures, from the pipeline file to the verdict."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from kit.command import Command
from kit.once import Once
from kit.tiny_llm import sentences, write_trained

from gatekeeper.frameworks._gguf import write_gguf
from gatekeeper.models.files import digest

CONTEXT = 32768
MOST_MB = 30

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(900)]


def copied(trained: Path, folder: Path) -> Path:
    """The model, which says that it knows long texts: positions are rotations, of which there is no table."""
    shutil.copytree(trained / "model", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": CONTEXT}))
    return folder


def test_the_type_of_the_cache_and_the_context_cure_a_failure_of_memory(tmp_path: Path, gatekeeper: Command, once: Once) -> None:
    folder = copied(once("trained-llama", write_trained), tmp_path / "model")
    write_gguf(folder, tmp_path / "model.gguf")
    (tmp_path / "eval.txt").write_text(sentences(200, seed=2))
    file = tmp_path / "p.yaml"
    file.write_text(f"""\
edge_ai_pipeline:
  stages: [model_validation, optimization]
  model: {{path: model.gguf, task: text_generation}}
  dataset: {{path: eval.txt, window: 16, limit: 40}}
  optimization:
    frameworks: [llama_cpp]
    techniques:
      llama_cpp:
        - f16: {{name: whole, session: {{context: {CONTEXT}}}}}
        - f16: {{name: cache, session: {{context: {CONTEXT}, kv_cache: q4_0}}}}
        - f16: {{name: short, session: {{context: 256}}}}
  gates:
    accuracy: disabled
    speedup: disabled
    memory: disabled
    stability: disabled
    peak_mb: {{max: {MOST_MB}}}
  measure: {{prompt_tokens: 24, output_tokens: 6, blocks: 1, max_rounds: 5}}
""")
    done = gatekeeper("run", file, "--output", tmp_path / "report")
    assert done.returncode in (0, 1, 3), done.stdout + done.stderr
    report = json.loads((tmp_path / "report/report.json").read_text())
    variants = {variant["id"].rpartition("/")[2]: variant for variant in report["targets"][0]["variants"]}
    found = {name: {gate["gate"]: gate for gate in variant["gates"]}["peak_mb"] for name, variant in variants.items()}
    assert {name: gate["verdict"] for name, gate in found.items()} == {
        "f16-whole": "fail",
        "f16-cache": "pass",
        "f16-short": "pass",
    }
    # The artifact is the same file, opened in another way: the digest that a certificate holds tells them apart.
    models = {digest(path) for path in (tmp_path / "report").rglob("model.gguf")}
    sessions = [json.loads(path.read_text()) for path in sorted((tmp_path / "report").rglob("session.json"))]
    assert len(models) == 1 and len({variant["artifact"]["sha256"] for variant in variants.values()}) == 3
    assert {(each["context"], each["kv_cache"]) for each in sessions} == {(CONTEXT, "f16"), (CONTEXT, "q4_0"), (256, "f16")}
