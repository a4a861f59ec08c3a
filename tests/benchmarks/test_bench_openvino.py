"""OpenVINO's own tools / gatekeeper, same artifact, same settings, same minutes.

- latency: the median gatekeeper's worker measures / the median `benchmark_app` prints (sync API, latency hint, same threads).
  The app's clock runs inside OpenVINO only, gatekeeper's from numpy arrays to numpy arrays: 12 microseconds more for a small
  model, and more where the weights push Python out of the CPU's caches. So what OpenVINO's clock says inside is shown as well.
- time per token: gatekeeper's worker / what OpenVINO GenAI says of the same tokens. GenAI's clock holds its sampling.
- time to optimize: `optimize` / the same calls to NNCF without gatekeeper.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import openvino
import openvino_genai
import pytest
from kit.support import spec
from kit.tiny_llm import VOCABULARY, write_llama
from openvino_tokenizers import convert_tokenizer
from transformers import AutoTokenizer

from gatekeeper.data.prepared import PreparedDataset, write_prepared
from gatekeeper.frameworks._base import ORIGINAL, OptimizeJob
from gatekeeper.frameworks.openvino import optimize
from gatekeeper.hardware.machine import this_machine
from gatekeeper.measure.session import LoadModel, Open
from gatekeeper.measure.timing import Block, Timer
from gatekeeper.process.messages import Held
from gatekeeper.stats.rounds import ratio_interval

ROUNDS, SECONDS = 12, 1.0
INPUTS = {"digits-mlp": "X", "digits-cnn": "image"}
SHAPES = {"digits-mlp": "[1,64]", "digits-cnn": "[1,1,8,8]"}
PROMPT, TOKENS = 32, 96


def make(source: Path, technique: str, destination: Path, calibration: Path | None = None, original: Path | None = None) -> Path:
    destination.mkdir(parents=True)
    optimize(OptimizeJob(source, destination, technique, "cpu", this_machine().vnni, calibration, original=original))
    return destination


@pytest.fixture(scope="module")
def digits(example: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """`digits(name)`: the model and a prepared calibration set."""

    def prepared(name: str) -> tuple[Path, Path]:
        folder, target = example(name), tmp_path_factory.mktemp("prepared")
        write_prepared(target, {INPUTS[name]: np.load(folder / "calib.npz")["x"]}, None)
        return folder / "model.onnx", target

    return prepared


def in_turn(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int = ROUNDS) -> tuple[list[Any], list[Any]]:
    """Both, in an order that chance decides in every round."""
    order, found = random.Random(0), ([], [])
    for _ in range(rounds):
        for arm in order.sample([0, 1], 2):
            found[arm].append((ours, theirs)[arm]())
    return found


def show(name: str, ours: list[float], theirs: list[float], peer: str, unit: str = "ms") -> float:
    ratio = ratio_interval(ours, theirs, 0.025)
    print(
        f"\n{name}: gatekeeper {np.median(ours):.4f} {unit} / {peer} {np.median(theirs):.4f} {unit} = "
        f"{ratio.observed:.3f} [{ratio.lower:.3f}, {ratio.upper:.3f}]"
    )
    return ratio.observed


def loaded(artifact: Path, inputs: Path, threads: int) -> Timer:
    """The timer of a worker of gatekeeper's, in this process."""
    held = Held()
    Open(spec=spec(artifact, "openvino", threads=threads), inputs=str(inputs)).answer(held)
    LoadModel().answer(held)
    return held.get(Timer, "it is not loaded")


def benchmark_app(model: Path, shape: str, threads: int, exact: bool, scratch: Path) -> float:
    """The median latency it prints, in ms."""
    # It refuses its own -nthreads beside a hint, and takes the same as a configuration.
    settings = {"INFERENCE_NUM_THREADS": threads} | ({"INFERENCE_PRECISION_HINT": "f32"} if exact else {})
    config = scratch / "config.json"
    config.write_text(json.dumps({"CPU": settings}))
    start = "from openvino.tools.benchmark.main import main; main()"
    command = [sys.executable, "-c", start, "-m", str(model), "-d", "CPU", "-api", "sync"]
    command += ["-hint", "latency", "-load_config", str(config), "-data_shape", shape, "-t", str(int(SECONDS))]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.search(rf"INFERENCE_NUM_THREADS: {threads}\b", said) and "PERFORMANCE_HINT: LATENCY" in said
    found = re.search(r"Median:\s+([0-9.]+) (ms|us)", said)
    assert found
    return float(found[1]) / {"ms": 1, "us": 1000}[found[2]]


@pytest.mark.parametrize("technique", [None, "int8_static"])
@pytest.mark.parametrize("name", INPUTS)
def test_bench_latency_against_benchmark_app(
    name: str, technique: str | None, digits: Callable[[str], tuple[Path, Path]], tmp_path: Path
) -> None:
    source, calibration = digits(name)
    artifact = make(source, technique, tmp_path / technique, calibration) if technique else source
    key, inputs = INPUTS[name], tmp_path / "inputs.npz"
    np.savez(inputs, **{key: PreparedDataset(calibration).inputs[key][:32, None]})
    file = artifact / "model.xml" if technique else artifact
    timer = loaded(artifact, inputs, 1)
    session: Any = timer.session

    def gatekeeper() -> tuple[float, float]:
        """The median latency, and the median of what OpenVINO's own clock says inside it, in ms."""
        latencies = timer.block(Block(duration_ns=int(SECONDS * 1e9), least=1)).latencies_ns
        inside = []
        for feed in islice(cycle(timer.feeds), len(latencies) // 10):
            session.run(feed)
            inside.append(session._requests.own.latency)
        return float(np.median(latencies)) / 1e6, float(np.median(inside))

    mine, its = in_turn(gatekeeper, lambda: benchmark_app(file, f"{key}{SHAPES[name]}", 1, technique is None, tmp_path))
    title = f"{name}, {technique or 'FP32'}"
    show(title, [whole for whole, _ in mine], its, "benchmark_app")
    ratio = show(f"{title}, inside OpenVINO", [inside for _, inside in mine], its, "benchmark_app")
    print("wanted 1.00 +- 0.03")
    assert abs(ratio - 1) <= 0.1


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """50 million parameters in 8 layers, and the same in OpenVINO."""
    root = tmp_path_factory.mktemp("llama")
    sizes = {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 8, "num_attention_heads": 12}
    source = write_llama(root / "source", num_key_value_heads=4, **sizes)
    return source, make(source, ORIGINAL, root / "original")


@pytest.mark.parametrize("threads", [1, 2])
def test_bench_time_per_token_against_openvino_genai(llama: tuple[Path, Path], tmp_path: Path, threads: int) -> None:
    source, original = llama
    made = make(source, "int8_weight_only", tmp_path / "int8", original=original)
    tokenizer, detokenizer = convert_tokenizer(AutoTokenizer.from_pretrained(source), with_detokenizer=True)
    openvino.save_model(tokenizer, made / "openvino_tokenizer.xml")
    openvino.save_model(detokenizer, made / "openvino_detokenizer.xml")
    prompt, inputs = np.random.default_rng(0).integers(0, VOCABULARY, (1, PROMPT)), tmp_path / "inputs.npz"
    np.savez(inputs, tokens=prompt, new_tokens=np.full(1, TOKENS))
    timer = loaded(made, inputs, threads)
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "ATTENTION_BACKEND": "SDPA"}
    pipeline = openvino_genai.LLMPipeline(made, "CPU", **settings)
    asked = openvino_genai.GenerationConfig(max_new_tokens=TOKENS, ignore_eos=True, do_sample=False, apply_chat_template=False)
    feed = openvino_genai.TokenizedInputs(openvino.Tensor(prompt), openvino.Tensor(np.ones_like(prompt)))
    written = pipeline.generate(feed, asked)
    assert written.tokens[0] == list(timer.session.generate(timer.feeds[0])), "the same work"  # type: ignore[attr-defined]

    def genai() -> list[float]:
        """Times between tokens, in ms."""
        return list(np.diff(pipeline.generate(feed, asked).perf_metrics.raw_metrics.m_new_token_times))

    def gatekeeper() -> list[float]:
        return [t / 1e6 for t in timer.block(Block(duration_ns=0, least=1)).latencies_ns]

    ours, theirs = in_turn(gatekeeper, genai, 4 * ROUNDS)
    for name, quantile in (("median", 0.5), ("fastest tenth", 0.1)):
        arms = ([float(np.quantile(block, quantile)) for block in arm] for arm in (ours, theirs))
        ratio = show(f"int8_weight_only, {threads} threads, per token, {name}", *arms, "OpenVINO GenAI")
    print("wanted 1.00 +- 0.05")
    assert ratio < 1.2


def direct(source: Path, technique: str, calibration: Path, target: Path) -> None:
    """What anyone would write."""
    model = openvino.Core().read_model(source)
    if technique == "int8_weight_only":
        model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
    else:
        data = [{name: np.array(a) for name, a in feed.items()} for feed in PreparedDataset(calibration).feeds(1)]
        fix = nncf.OverflowFix.DISABLE if this_machine().vnni else nncf.OverflowFix.ENABLE
        advanced = nncf.AdvancedQuantizationParameters(overflow_fix=fix)
        model = nncf.quantize(
            model, nncf.Dataset(data), subset_size=len(data), target_device=nncf.TargetDevice.CPU, advanced_parameters=advanced
        )
    openvino.save_model(model, target, compress_to_fp16=False)


@pytest.mark.parametrize("technique", ["int8_static", "int8_weight_only"])
def test_bench_optimize_against_nncf(technique: str, digits: Callable[[str], tuple[Path, Path]], tmp_path: Path) -> None:
    source, calibration = digits("digits-mlp")

    def timed(call: Callable[[Path], Any]) -> Callable[[], float]:
        def once() -> float:
            target = tmp_path / str(time.perf_counter_ns())
            start = time.perf_counter()
            call(target)
            return time.perf_counter() - start

        return once

    ours = timed(lambda target: make(source, technique, target, calibration))
    theirs = timed(lambda target: (target.mkdir(), direct(source, technique, calibration, target / "model.xml")))
    ours(), theirs()  # imports, and NNCF's own caches
    mine, its = in_turn(ours, theirs, 8)
    ratio = show(technique, mine, its, "NNCF", "s")
    assert ratio < 1.25
