"""gatekeeper's time to make a variant / calling the framework directly, same run: at most 1.1x plus 2 s for the worker.

Both sides start a fresh Python, as a user's script would. gatekeeper's also checks that the artifact was changed, gives it
its identity and puts it into the cache.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatekeeper.config.sections.measure import Measure
from gatekeeper.making.cache import Cache
from gatekeeper.making.optimize import make_variant, source_of
from gatekeeper.making.workspace import workspace
from gatekeeper.models.files import assess, digest_files

REPEATS = 5

DIRECT = {
    "onnx_runtime/int8_dynamic": (
        "digits-mlp/model.onnx",
        "from onnxruntime.quantization import QuantType, quantize_dynamic\n"
        "from onnxruntime.quantization.shape_inference import quant_pre_process\n"
        "quant_pre_process(source, out + '/pre.onnx')\n"
        "quantize_dynamic(out + '/pre.onnx', out + '/model.onnx', weight_type=QuantType.QInt8)\n",
    ),
    "openvino/int8_weight_only": (
        "digits-mlp/model.onnx",
        "import nncf, openvino\n"
        "model = nncf.compress_weights(openvino.Core().read_model(source), mode=nncf.CompressWeightsMode.INT8_ASYM)\n"
        "openvino.save_model(model, out + '/model.xml', compress_to_fp16=False)\n",
    ),
    "microsoft_olive/int8_dynamic": (
        "digits-mlp/model.onnx",
        "from olive.workflows import run\n"
        "run({'input_model': {'type': 'OnnxModel', 'model_path': source}, 'cache_dir': out + '/cache', 'output_dir': out,\n"
        "     'passes': {'p': {'type': 'OnnxDynamicQuantization'}}})\n",
    ),
    "llama_cpp/q4_k_m": (
        "tiny-llm/model",
        "import llama_cpp\n"
        "params = llama_cpp.llama_model_quantize_default_params()\n"
        "params.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M\n"
        "assert llama_cpp.llama_model_quantize(source.encode(), (out + '/model.gguf').encode(), params) == 0\n",
    ),
    "apple_mlx/int4": (
        "tiny-llm/model",
        "from mlx_lm import convert\nconvert(source, mlx_path=out + '/mlx', quantize=True, q_group_size=64, q_bits=4)\n",
    ),
}


def seconds(work: Callable[[Path], Any], folder: Path) -> list[float]:
    """How long each of `REPEATS` takes, in folders of their own."""
    found = []
    for i in range(REPEATS):
        start = time.perf_counter()
        work(folder / str(i))
        found.append(time.perf_counter() - start)
    return found


@pytest.mark.parametrize("name", DIRECT)
def test_bench_optimizing(name: str, example: Callable[[str], Path], tmp_path: Path) -> None:
    framework, technique = name.split("/")
    place, code = DIRECT[name]
    model = example(place.split("/")[0]) / place.split("/")[1]
    found = assess(model)
    identity = digest_files([Path(f) for f in found.files])
    with workspace(Cache(tmp_path / "originals"), Measure()) as space:
        original = source_of(space, framework, "cpu", model, found.format, identity).original
    source = original.files[0] if original else model

    def ours(folder: Path) -> None:
        with workspace(Cache(folder), Measure()) as space:
            source = source_of(space, framework, "cpu", model, found.format, identity)
            start.append(time.perf_counter())
            make_variant(source, technique)
            took.append(time.perf_counter() - start[-1])

    def theirs(folder: Path) -> None:
        folder.mkdir(parents=True)
        head = f"source, out = {str(source)!r}, {str(folder)!r}\n"
        subprocess.run([sys.executable, "-c", head + code], check=True, capture_output=True)

    start: list[float] = []
    took: list[float] = []
    seconds(ours, tmp_path / "ours")
    direct = float(np.median(seconds(theirs, tmp_path / "theirs")))
    mine = float(np.median(took))
    print(f"\n{name}: gatekeeper {mine:.2f} s / directly {direct:.2f} s = {mine / direct:.2f}, wanted at most 1.1x + 2 s")
    assert mine <= 1.1 * direct + 2
