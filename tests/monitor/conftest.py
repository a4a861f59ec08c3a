"""A pipeline file that watches, and logs of requests."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def watching(tmp_path: Path) -> Callable[..., Path]:
    """`watching(prometheus="http://...")`: a pipeline file with these keys under `monitoring`."""

    def write(**keys: Any) -> Path:
        file = tmp_path / "p.yaml"
        file.write_text(json.dumps({"edge_ai_pipeline": {"monitoring": keys}}))  # JSON is YAML
        return file

    return write


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., Path]:
    """`log("good.jsonl", 500, seed=1, x=0.5)`: requests whose features a to d are normal, moved by what is given."""

    def write(name: str, rows: int, seed: int = 0, change: dict[str, Any] | None = None, **moved: float) -> Path:
        rng, end = np.random.default_rng(seed), time.time()
        table = {each: rng.standard_normal(rows) + moved.get(each, 0.0) for each in "abcd"}
        lines = []
        for i in range(rows):
            inputs = {each: float(values[i]) for each, values in table.items()}
            line = {"time": end - 3600 * (rows - i) / rows, "id": i, "inputs": inputs, "answer": int(rng.integers(0, 3))}
            line |= {"confidence": float(1 / (1 + np.exp(-2 * abs(inputs["a"])))), "ms": float(rng.lognormal(1, 0.3))}
            lines.append(json.dumps(line | (change or {})) + "\n")
        (tmp_path / name).write_text("".join(lines))
        return tmp_path / name

    return write
