"""What each extra installs is enough: a fresh environment with that extra alone measures a leg. One of them: `-k mlx`.

Where pip would take a CUDA build of torch, set PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from kit.support import REPOSITORY
from kit.tiny_llm import TEXT, write_llama

from gatekeeper.frameworks._base import ORIGINAL, REGISTRY, OptimizeJob, framework, needs
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Report

TORCH = "torch==2.13.0"
FORMATS = ("onnx", "huggingface", "gguf")
LEGS = [
    (needs(name, model_format).extra, name, model_format)
    for name in REGISTRY.names
    for model_format in FORMATS
    if framework(name).supports(model_format, "cpu") is None
]


@pytest.fixture(scope="module")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small Llama that has learnt its text by heart."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    # Nothing else in it is as long as the vocabulary: onnxruntime-genai's builder takes such a matrix for the last layer.
    folder = write_llama(tmp_path_factory.mktemp("text") / "model", intermediate_size=768)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    ids = torch.tensor(Tokenizer.from_file(str(folder / "tokenizer.json")).encode(TEXT * 8).ids)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(30):
        windows = torch.stack([ids[start : start + 32] for start in range(step % 7, len(ids) - 32, 50)])
        loss = model(input_ids=windows, labels=windows).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def gguf(text_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as one file."""
    folder = tmp_path_factory.mktemp("gguf")
    framework("llama_cpp").optimize(
        OptimizeJob(source=text_model, destination=folder, technique=ORIGINAL, device="cpu", vnni=False, calibration=None)
    )
    [file] = folder.glob("*.gguf")
    return file


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Path]:
    """An empty virtual environment, gone after the test: some take gigabytes."""
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=True)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, str], Path]:
    """`project(framework, model_format)`: a pipeline file with a small model that answers well."""

    def write(name: str, model_format: str) -> Path:
        folder = tmp_path / "project"
        if model_format == "onnx":
            shutil.copytree(request.getfixturevalue("example")("digits-mlp"), folder)
            model, dataset = "{path: model.onnx, task: image_classification}", "{path: eval.npz, calibration: calib.npz}"
        else:
            folder.mkdir()
            (folder / "text.txt").write_text(TEXT * 8, encoding="utf-8")
            if model_format == "gguf":
                shutil.copyfile(request.getfixturevalue("gguf"), folder / "model.gguf")
            else:
                shutil.copytree(request.getfixturevalue("text_model"), folder / "model")
            model = "{path: model.gguf}" if model_format == "gguf" else "{path: model}"
            dataset = "{path: text.txt, window: 32, limit: 120}"
        file = folder / "extras.yaml"
        file.write_text(f"""\
edge_ai_pipeline:
  model: {model}
  dataset: {dataset}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization: {{frameworks: [{name}]}}
  measure: {{max_rounds: 2, prompt_tokens: 16, output_tokens: 8}}
""")
        return file

    return write


def bare() -> dict[str, str]:
    """What a user's shell has: nothing of this repository, of the environment the tests run in, or of a hub."""
    ours = ("PYTHONPATH", "VIRTUAL_ENV", "HF_HOME")
    return {key: value for key, value in os.environ.items() if key not in ours} | {"HF_HUB_OFFLINE": "1"}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("extra", "name", "model_format"), LEGS, ids=[f"{extra}-{kind}" for extra, _, kind in LEGS])
def test_bench_extra(environment: Path, project: Callable[[str, str], Path], extra: str, name: str, model_format: str) -> None:
    constraints = environment / "constraints.txt"
    constraints.write_text(TORCH + "\n")
    binaries = environment / ("Scripts" if sys.platform == "win32" else "bin")
    start = time.perf_counter()
    pip = [binaries / "python", "-m", "pip", "install", "--constraint", constraints, f"{REPOSITORY}[{extra}]"]
    got = subprocess.run(pip, env=bare(), capture_output=True, text=True, check=False)
    assert got.returncode == 0, got.stdout + got.stderr
    installed = time.perf_counter() - start
    size = sum(file.stat().st_size for file in environment.rglob("*") if file.is_file())
    file = project(name, model_format)
    words = ["run", file.name, "--quiet", "--cache-dir", "cache"]
    ran = subprocess.run(
        [binaries / "gatekeeper", *words], cwd=file.parent, env=bare(), capture_output=True, text=True, check=False
    )
    output = ran.stdout + ran.stderr
    assert (file.parent / "gatekeeper-report/report.json").exists(), output
    report = msgspec.json.decode((file.parent / "gatekeeper-report/report.json").read_bytes(), type=Report)
    [leg], variants = report.targets[0].legs, report.targets[0].variants
    print(
        f"\n{extra} ({name}, {model_format}): {size / 1e6:.0f} MB installed in {installed:.0f} s; "
        f"{leg.rounds} rounds in {leg.total_s:.0f} s; "
        + ", ".join(f"{variant.technique} {variant.verdict.value}" for variant in variants)
    )
    assert (leg.error, leg.skip) == ("", ""), output
    assert leg.rounds == 2, output
    assert leg.baseline is not None, output
    assert leg.baseline.peak_bytes, output
    left = [variant for variant in variants if not variant.performance and variant.verdict is not Verdict.SKIP]
    assert len(left) < len(variants), output
    assert not left, [(variant.technique, variant.reason) for variant in left]
