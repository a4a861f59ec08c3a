"""Rounds with real processes: ONNX Runtime for the numbers, a framework that keeps a diary for the order."""

from __future__ import annotations

import itertools
import json
import math
import random
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from kit.support import install_framework, spec
from onnx import helper, numpy_helper

from gatekeeper.measure.rounds import LEAST_INFERENCES, Arm, Round, Settings, _Running, _summarise, measure_round

ARMS = ("baseline", "control", "t/f/one", "t/f/two")
WARM_UP = 3


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return install_framework(tmp_path_factory.mktemp("diary"), "diary")


@pytest.fixture
def diary(plugin: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", plugin["PYTHONPATH"])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = numpy_helper.from_array(np.ones((64, 64), np.float32), "W")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "W"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 64])],
        [weights],
    )
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def settings(folder: Path, blocks: int = 4, block_ms: float = 2.0, timeout_s: float = 60.0) -> Settings:
    inputs = folder / "inputs.npz"
    np.savez(inputs, x=np.ones((2, 1, 64), np.float32))
    return Settings(
        scratch=folder, inputs=inputs, blocks=blocks, block_ms=block_ms, timeout_s=timeout_s,
        memory_limit=2 * 10**9,
    )  # fmt: skip


def diary_arms(folder: Path, **kinds: str) -> list[Arm]:
    """Arms with an artifact of their own each; `kinds` says which misbehave."""
    folder.mkdir(exist_ok=True)
    found = []
    for name in ARMS:
        artifact = folder / name.replace("/", "_")
        artifact.write_text(kinds.get(artifact.name, "fine"))
        found.append(Arm(name, spec(artifact, "diary")))
    return found


def entries(arms: list[Arm]) -> dict[str, list[tuple[str, int]]]:
    """Arm -> what it noted, and when."""
    return {
        a.id: [tuple(json.loads(line)) for line in Path(a.spec.artifact).with_suffix(".diary").read_text().splitlines()]
        for a in arms
    }


def timed_blocks(arms: list[Arm], per_block: int) -> list[tuple[int, int, str]]:
    """(begin, end, arm) of every block in the order of time, without its warm-up."""
    found = []
    for arm, notes in entries(arms).items():
        runs = [at for what, at in notes if what == "run"][WARM_UP:]  # those of the load
        size = WARM_UP + per_block
        assert len(runs) % size == 0
        found += [(runs[i + WARM_UP], runs[i + size - 1], arm) for i in range(0, len(runs), size)]
    return sorted(found)


def measured(folder: Path, seed: int, blocks: int = 4) -> tuple[Round, list[Arm]]:
    arms = diary_arms(folder)
    return measure_round(0, arms, settings(folder, blocks=blocks, block_ms=0.0), random.Random(seed)), arms


# --- with ONNX Runtime


@pytest.fixture(scope="module")
def real(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Round:
    arms = [Arm(name, spec(model)) for name in ARMS]
    return measure_round(5, arms, settings(tmp_path_factory.mktemp("real")), random.Random(1))


def test_every_arm_has_data(real: Round) -> None:
    assert set(real.data) == set(real.samples) == set(ARMS)
    assert real.failures == {}


@pytest.mark.parametrize("name", ARMS)
def test_the_numbers_of_an_arm_follow_from_its_samples(real: Round, name: str) -> None:
    data, samples = real.data[name], real.samples[name]
    assert data.round == real.index == 5
    assert data.count == len(samples) >= LEAST_INFERENCES
    assert data.median_ns == pytest.approx(float(np.median(samples)))
    assert data.mean_ns == pytest.approx(float(np.mean(samples)))
    assert min(samples) <= data.median_ns <= data.p95_ns <= data.p99_ns <= max(samples)
    assert data.load_ns > 0
    assert 0 < data.cpu_utilisation < 1.2


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", ARMS)
def test_the_memory_of_an_arm_is_known(real: Round, name: str) -> None:
    data = real.data[name]
    assert data.peak_bytes is not None
    assert 0 < data.peak_bytes < 100_000_000
    assert data.high_water_bytes is not None
    assert 0 < data.high_water_bytes < 100_000_000


def test_an_arm_whose_model_is_broken_leaves(model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(model.read_bytes()[:40])
    arms = [Arm("baseline", spec(model)), Arm("v", spec(broken))]
    found = measure_round(0, arms, settings(tmp_path), random.Random(1))
    assert set(found.data) == {"baseline"}
    assert found.failures["v"].kind == "model"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("heavy", [False, True])
def test_a_peak_counts_on_whichever_input_it_is(
    heavy: bool, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model holds 48 MiB, and takes 48 more on one input: the last that is timed, or one that is watched and not timed."""
    plugins = install_framework(tmp_path / "site", "sized")
    monkeypatch.setenv("PYTHONPATH", plugins["PYTHONPATH"])
    x = np.zeros((12, 1, 64), np.float32)
    x[-1, 0, 1] = 1
    chosen = settings(tmp_path)
    np.savez(chosen.inputs, x=x[:-1] if heavy else x)
    np.savez(tmp_path / "heavy.npz", x=x[-1:])
    chosen = replace(chosen, heavy=tmp_path / "heavy.npz" if heavy else None)
    found = measure_round(0, [Arm("v", spec(model, "sized"))], chosen, random.Random(1)).data["v"]
    assert found.peak_bytes is not None and found.high_water_bytes is not None
    assert found.peak_bytes == pytest.approx(96 << 20, rel=0.1)
    assert found.high_water_bytes == pytest.approx(96 << 20, rel=0.2)


@pytest.mark.parametrize("blocks", [1, 3, 4])
def test_every_arm_times_every_input_equally_often(blocks: int, model: Path, tmp_path: Path) -> None:
    chosen = settings(tmp_path, blocks=blocks)
    np.savez(chosen.inputs, x=np.ones((7, 1, 64), np.float32))
    found = measure_round(3, [Arm(name, spec(model)) for name in ("baseline", "v")], chosen, random.Random(1))
    assert found.inputs == 7
    assert all(data.count % 7 == 0 and data.inputs == 7 for data in found.data.values())


# --- with the diary


@pytest.mark.usefixtures("diary")
@pytest.mark.parametrize("blocks", [1, 3, 50])
def test_the_least_number_of_inferences_is_reached(tmp_path: Path, blocks: int) -> None:
    found, _ = measured(tmp_path / "a", seed=1, blocks=blocks)
    assert all(data.count >= LEAST_INFERENCES for data in found.data.values())


@pytest.mark.usefixtures("diary")
def test_the_order_is_random_and_reproducible(tmp_path: Path) -> None:
    orders = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        _, arms = measured(tmp_path / name, seed, blocks=5)
        orders[name] = [arm for _, _, arm in timed_blocks(arms, LEAST_INFERENCES // 5)]
    assert orders["a"] == orders["b"] != orders["c"]
    turns = [tuple(orders["a"][i : i + len(ARMS)]) for i in range(0, len(orders["a"]), len(ARMS))]
    assert len(turns) == 5
    assert all(sorted(turn) == sorted(ARMS) for turn in turns), "each arm has one block in each turn"
    assert len(set(turns)) > 1, "the order is drawn anew for each turn"


def test_medians_of_turns_are_the_geometric_mean_of_the_blocks(real: Round) -> None:
    for name, data in real.data.items():
        assert data.turn_median_ns is not None
        assert min(real.samples[name]) <= data.turn_median_ns <= max(real.samples[name])


def test_a_slow_turn_weighs_as_much_as_any_other() -> None:
    worker: Any = None
    running = _Running(worker, worker, latencies=[10, 10, 10, 90], log_medians=[math.log(10), math.log(90)], cpu_ns=1, wall_ns=1)
    assert _summarise(0, running, 1).turn_median_ns == pytest.approx(30)


@pytest.mark.usefixtures("diary")
@pytest.mark.skipif(sys.platform == "win32", reason="suspends process by process")
def test_only_the_arm_that_is_timed_is_awake(tmp_path: Path) -> None:
    _, arms = measured(tmp_path / "a", seed=3, blocks=4)
    notes = entries(arms)
    own = strange = 0
    for begin, end, arm in timed_blocks(arms, LEAST_INFERENCES // 4):
        for other, found in notes.items():
            beats = sum(what == "beat" and begin < at < end for what, at in found)
            own, strange = (own + beats, strange) if other == arm else (own, strange + beats)
    assert own > 20
    assert strange <= own // 4  # awake, three others would beat three times as often; a busy core is late by a beat or two


@pytest.mark.usefixtures("diary")
def test_models_are_loaded_one_after_the_other(tmp_path: Path) -> None:
    _, arms = measured(tmp_path / "a", seed=3)
    spans = sorted((found[0][1], found[WARM_UP][1]) for found in map(_loading, entries(arms).values()))
    assert all(before[1] < after[0] for before, after in itertools.pairwise(spans))


def _loading(notes: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return [note for note in notes if note[0] != "beat"]


@pytest.mark.usefixtures("diary")
@pytest.mark.parametrize(
    ("arm", "kind", "expected", "says"),
    [
        ("baseline", "crash", "crash", "exit code 7"),
        ("t/f/two", "crash", "crash", "exit code 7"),
        ("t/f/two", "hang", "timeout", "no answer"),
        ("t/f/one", "no load", "crash", "does not load"),
    ],
)
def test_an_arm_that_fails_leaves_and_the_others_report(
    tmp_path: Path, arm: str, kind: str, expected: str, says: str, children: Callable[[], int]
) -> None:
    arms = diary_arms(tmp_path / "a", **{arm.replace("/", "_"): kind})
    found = measure_round(0, arms, settings(tmp_path, timeout_s=3.0), random.Random(1))
    assert set(found.data) == set(ARMS) - {arm}
    assert set(found.failures) == {arm}
    assert found.failures[arm].kind == expected
    assert says in str(found.failures[arm])
    assert all(data.count >= LEAST_INFERENCES for data in found.data.values())
    assert children() == 0


@pytest.mark.usefixtures("diary")
def test_a_round_in_which_all_fail_is_empty(tmp_path: Path) -> None:
    arms = diary_arms(tmp_path / "a", **{name.replace("/", "_"): "no load" for name in ARMS})
    found = measure_round(0, arms, settings(tmp_path), random.Random(1))
    assert found.data == {}
    assert set(found.failures) == set(ARMS)


@pytest.mark.usefixtures("diary")
def test_no_process_is_left_after_a_round(tmp_path: Path, children: Callable[[], int]) -> None:
    measured(tmp_path / "a", seed=1)
    assert children() == 0


@pytest.fixture
def children() -> Callable[[], int]:
    """How many more worker processes there are than before the test."""
    import psutil

    def count() -> int:
        return sum("gatekeeper.process.worker" in " ".join(p.cmdline()) for p in psutil.Process().children(recursive=True))

    before = count()
    return lambda: count() - before
