"""Time per token gatekeeper reports / llama.cpp's own (`llama_perf_context`), same tokens, same process: 1.00 +- 0.03.

llama.cpp's clock runs while it computes a token, gatekeeper's from one token to the next. That is 0.016 ms more at least: most of
it in llama.cpp before it computes, 0.004 ms until the likeliest token is found and handed over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import pytest
from kit.support import spec
from kit.tiny_llm import VOCABULARY, write_llama

from gatekeeper.frameworks._base import OptimizeJob
from gatekeeper.frameworks.llama_cpp import optimize
from gatekeeper.measure.session import LoadModel, Open
from gatekeeper.measure.timing import Block, Timer
from gatekeeper.process.messages import Held

TOKENS, BLOCK_NS, BLOCKS = 32, 200_000_000, 12


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 million parameters in 8 layers."""
    root = tmp_path_factory.mktemp("model")
    sizes = {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 8, "num_attention_heads": 12}
    make(write_llama(root / "source", num_key_value_heads=4, **sizes), "original", root / "original")
    return root / "original"


def make(source: Path, technique: str, destination: Path) -> Path:
    destination.mkdir()
    optimize(OptimizeJob(source=source, destination=destination, technique=technique, device="cpu", vnni=False, calibration=None))
    return destination


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("technique", ["original", "q4_k_m"])
def test_bench_time_per_token_against_llama_cpps_own(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, technique: str, threads: int
) -> None:
    model = original if technique == "original" else make(original / "model.gguf", technique, tmp_path / technique)
    usual = llama_cpp.llama_context_default_params

    def timed() -> Any:
        params = usual()
        params.no_perf = False
        return params

    monkeypatch.setattr(llama_cpp, "llama_context_default_params", timed)
    inputs = tmp_path / "inputs.npz"
    prompts = np.random.default_rng(0).integers(0, VOCABULARY, (8, 32))
    np.savez(inputs, tokens=prompts, new_tokens=np.full(len(prompts), TOKENS))
    held = Held()
    Open(spec=spec(model, "llama_cpp", threads=threads), inputs=str(inputs)).answer(held)
    LoadModel().answer(held)
    timer = held.get(Timer, "it is not loaded")
    context = timer.session._handles.context  # type: ignore[attr-defined]
    monkeypatch.setattr(timer, "warm_up", lambda: llama_cpp.llama_perf_context_reset(context))  # `load` has warmed it up
    ours, theirs = [], []
    for _ in range(BLOCKS):
        latencies = timer.block(Block(duration_ns=BLOCK_NS, least=1)).latencies_ns
        found = llama_cpp.llama_perf_context(context)
        assert found.n_eval == len(latencies)
        ours.append(float(np.mean(latencies)) / 1e6)
        theirs.append(found.t_eval_ms / found.n_eval)
    ratio = float(np.median(np.divide(ours, theirs)))
    print(
        f"\n{technique}, {threads} threads: gatekeeper {np.median(ours):.4f} ms / llama.cpp {np.median(theirs):.4f} ms a token "
        f"= {ratio:.4f}, wanted 1.00 +- 0.03"
    )
    assert abs(ratio - 1) <= 0.03
