"""Known amounts of memory, as gatekeeper reads them from outside: within 3 % or 2 MB of what was taken."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from kit.support import install_framework, spec
from kit.tables import render, write_table
from measure import test_measure_memory as known

from gatekeeper.measure.rounds import Arm, Settings, measure_round
from gatekeeper.process.memory import Footprint

SIZES = [8_000_000, 64_000_000, 256_000_000]
KINDS = ["anonymous", "mmapped file, read", "mmapped file, not read", "forked child", "half in a forked child"]
MODELS = ["model, held", "model, and a copy for 50 ms while it loads"]


pytestmark = known.linux


@pytest.fixture
def takers() -> Iterator[list[known.Taker]]:
    started: list[known.Taker] = []
    yield started
    for taker in started:
        taker.close()


def code(kind: str, file: Path) -> str:
    """What a process runs to take its memory."""
    mapped = known.MAPPED.format(path=str(file))
    codes = [known.ANONYMOUS, mapped, mapped.partition("total")[0], known.FORKED, known.SPLIT]
    return dict(zip(KINDS, codes, strict=True))[kind]


def footprint_of(taker: known.Taker) -> int:
    """What taking its memory adds to a process's footprint."""
    footprint = Footprint(taker.pid)
    before = footprint.full()
    taker.step()
    return known.grown(before, footprint.full())


def peak_of(size: int, kind: str, folder: Path) -> int:
    """What the memory gate is given of a model that takes `size` bytes: a real round of a real worker."""
    artifact = folder / "model.txt"
    artifact.write_text(f"{size} twice" if kind == MODELS[1] else str(size))
    settings = Settings(
        scratch=folder,
        inputs=folder / "inputs.npz",
        blocks=1,
        block_ms=1.0,
        timeout_s=60.0,
        memory_limit=2 * 10**9,
    )
    np.savez(settings.inputs, x=np.ones((2, 1), np.float32))
    found = measure_round(0, [Arm("model", spec(artifact, "holding"))], settings, random.Random(0))
    assert not found.failures
    return found.data["model"].peak_bytes or 0


def test_bench_memory(tmp_path: Path, takers: list[known.Taker], monkeypatch: pytest.MonkeyPatch) -> None:
    environment = install_framework(tmp_path / "site", "holding")
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    found: list[tuple[str, int, int]] = []  # kind, true bytes, measured bytes
    for size in SIZES:
        monkeypatch.setattr(known, "SIZE", size)
        file = tmp_path / f"{size}.bin"
        file.write_bytes(b"x" * size)
        for kind in KINDS:
            takers.append(known.Taker(code(kind, file), "pass"))
            found.append((kind, 0 if kind == "mmapped file, not read" else size, footprint_of(takers[-1])))
        found += [(kind, size * (1 + MODELS.index(kind)), peak_of(size, kind, tmp_path)) for kind in MODELS]
    rows = [
        [kind, f"{true:,}", f"{measured:,}", f"{measured - true:+,}", f"{measured / true - 1:+.2%}" if true else ""]
        for kind, true, measured in found
    ]
    header = ["memory taken", "true bytes", "measured bytes", "difference", "relative"]
    write_table("memory", render(header, rows))
    assert [row for row, (_, true, measured) in zip(rows, found, strict=True) if measured != known.near(true)] == []
