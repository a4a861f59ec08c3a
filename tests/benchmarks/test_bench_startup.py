"""`gatekeeper --help` and `validate` / `python -c "import click, yaml"`: at most 4. A plan of 500 legs: under 1 s."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROUNDS = 15


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def test_bench_startup(example: Callable[[str], Path]) -> None:
    file = example("digits-mlp") / "edge_ai_pipeline.yaml"
    binary = str(Path(sys.executable).with_name("gatekeeper"))
    commands = {
        "import click, yaml": [sys.executable, "-c", "import click, yaml"],
        "--help": [binary, "--help"],
        "validate": [binary, "validate", str(file)],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            times[name].append(seconds(command))
    base = statistics.median(times["import click, yaml"])
    print()
    for name in ("--help", "validate"):
        ratio = statistics.median(times[name]) / base
        print(
            f"gatekeeper {name}: {statistics.median(times[name]) * 1e3:.0f} ms = {ratio:.2f} x `import click, yaml`, wanted <= 4"
        )
        assert ratio <= 4


def test_bench_plan(example: Callable[[str], Path], tmp_path: Path) -> None:
    """100 targets x 5 frameworks, as JSON: the whole command, half of which is importing."""
    model = example("digits-mlp") / "model.onnx"
    names = "apple_mlx, llama_cpp, microsoft_olive, onnx_runtime, openvino"
    targets = ", ".join(f"{{name: t{i}, hardware: cpu}}" for i in range(100))
    file = tmp_path / "p.yaml"
    file.write_text(
        f"edge_ai_pipeline:\n  model: {{path: {model}}}\n  targets: [{targets}]\n  optimization: {{frameworks: [{names}]}}\n"
    )
    binary = str(Path(sys.executable).with_name("gatekeeper"))
    took = statistics.median(seconds([binary, "plan", str(file), "--format", "json"]) for _ in range(ROUNDS))
    print(f"\ngatekeeper plan of 500 legs: {took:.2f} s, wanted < 1 s")
    assert took < 1
