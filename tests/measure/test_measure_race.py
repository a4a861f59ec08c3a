"""Races of real processes: looks, budget, groups, and who leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from kit.support import install_framework, round_data, spec
from onnx import helper, numpy_helper

from gatekeeper.errors import NotMeasured
from gatekeeper.ids import BASELINE
from gatekeeper.measure import race as race_module
from gatekeeper.measure.race import Limits, Race, control_interval, performance, race, samples
from gatekeeper.measure.rounds import CONTROL, Arm, Round, Settings
from gatekeeper.progress import Silent
from gatekeeper.records.measured import RoundData


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return install_framework(tmp_path_factory.mktemp("fragile"), "fragile")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return _settings(tmp_path)


def _settings(folder: Path) -> Settings:
    inputs = folder / "inputs.npz"
    np.savez(inputs, x=np.ones((2, 1, 64), np.float32))
    return Settings(scratch=folder, inputs=inputs, blocks=2, block_ms=1.0, timeout_s=60.0, memory_limit=2 * 10**9)


class Fragile:
    """Arms of the framework `fragile`, each failing in a round of its own, or never (0)."""

    def __init__(self, folder: Path):
        self.folder = folder

    def arm(self, name: str, fails_in: int = 0) -> Arm:
        path = self.folder / f"{name}.model"
        path.write_text(str(fails_in))
        return Arm(name, spec(path, "fragile"))


@pytest.fixture
def fragile(plugin: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fragile:
    monkeypatch.setenv("PYTHONPATH", plugin["PYTHONPATH"])
    return Fragile(tmp_path)


def limits(*looks: int, budget_s: float = 600.0, seed: int = 1) -> Limits:
    return Limits(looks=looks, budget_s=budget_s, seed=seed)


def never(name: str, found: Race) -> bool:
    return False


class After:
    """Decides a variant at its n-th look, and keeps when it was asked."""

    def __init__(self, **looks: int):
        self.looks, self.asked = looks, []  # type: ignore[var-annotated]

    def __call__(self, name: str, found: Race) -> bool:
        self.asked.append((name, len(found.rounds)))
        return sum(n == name for n, _ in self.asked) >= self.looks.get(name, 99)


class Keeping(Silent):
    """Keeps what the progress is told."""

    def __init__(self) -> None:
        self.rounds: list[tuple[int, int, list[str]]] = []

    def round(self, number: int, most: int, undecided: list[str]) -> None:
        self.rounds.append((number, most, undecided))


def who(found: Race) -> list[set[str]]:
    """The arms of every round."""
    return [set(r.data) for r in found.rounds]


def run(
    fragile: Fragile, settings: Settings, variants: Sequence[Arm], at: Limits, decided: Callable[[str, Race], bool] = never
) -> Race:
    return race(fragile.arm(BASELINE), variants, settings, at, decided, Silent())


# --- with ONNX Runtime


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Race:
    folder = tmp_path_factory.mktemp("real")
    weights = numpy_helper.from_array(np.ones((64, 64), np.float32), "W")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "W"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 64])],
        [weights],
    )
    model = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), model)
    (folder / "broken.onnx").write_bytes(b"broken")
    variants = [Arm("v/one", spec(model)), Arm("v/broken", spec(folder / "broken.onnx"))]
    return race(Arm(BASELINE, spec(model)), variants, _settings(folder), limits(2, 3), never, Silent())


def test_every_arm_has_data_in_every_round(real: Race) -> None:
    assert who(real) == [{BASELINE, CONTROL, "v/one"}] * 3
    assert [r.index for r in real.rounds] == [0, 1, 2]
    assert all(d.count >= 20 for r in real.rounds for d in r.data.values())


def test_a_variant_that_cannot_be_loaded_leaves_in_the_first_round(real: Race) -> None:
    assert real.failures["v/broken"].kind == "model"
    assert [set(r.failures) for r in real.rounds] == [{"v/broken"}, set(), set()]


def test_paired_data_come_from_the_same_rounds(real: Race) -> None:
    baseline, variant, control = real.paired("v/one")
    assert [d.round for d in baseline] == [d.round for d in variant] == [d.round for d in control] == [0, 1, 2]
    assert real.paired("v/broken") == ([], [], [])


def test_raw_samples_are_kept_for_every_arm_and_round(real: Race) -> None:
    found = samples(real.rounds)
    assert set(found) == {BASELINE, CONTROL, "v/one"}
    for name, rounds in found.items():
        assert [len(latencies) for latencies in rounds] == [r.data[name].count for r in real.rounds]


def test_the_control_is_about_one(real: Race) -> None:
    found = control_interval(real.rounds, alpha=0.04)
    assert found is not None
    assert found.lower < found.observed < found.upper
    assert 0.2 < found.observed < 5


def test_performance_is_the_median_over_rounds(real: Race) -> None:
    rounds = real.paired("v/one")[1]
    found = performance(rounds, batch_size=4, metric="pss")
    assert found is not None
    assert found.p50_ns == np.median([d.median_ns for d in rounds])
    assert found.throughput_per_s == pytest.approx(4e9 / found.mean_ns)
    assert found.rounds == rounds


def test_the_race_knows_how_long_it_took(real: Race) -> None:
    assert real.elapsed_s > 0


# --- who leaves


def test_a_variant_that_crashes_leaves_and_the_others_go_on(fragile: Fragile, settings: Settings) -> None:
    found = run(fragile, settings, [fragile.arm("good"), fragile.arm("bad", fails_in=2)], limits(4))
    everyone = {BASELINE, CONTROL, "good"}
    assert who(found) == [everyone | {"bad"}, everyone, everyone, everyone]
    assert set(found.failures) == {"bad"}
    assert "exit code 9" in str(found.failures["bad"])
    assert [len(part) for part in found.paired("bad")] == [1, 1, 1]


def test_a_race_ends_when_every_variant_has_crashed(fragile: Fragile, settings: Settings) -> None:
    found = run(fragile, settings, [fragile.arm("bad", fails_in=2)], limits(8))
    assert len(found.rounds) == 2


@pytest.mark.parametrize("fails_in", [1, 2, 3], ids=["baseline", "its copy", "in the second round"])
def test_a_baseline_that_crashes_is_not_measured(fragile: Fragile, settings: Settings, fails_in: int) -> None:
    with pytest.raises(NotMeasured, match=r"the baseline cannot be measured: .*exit code 9") as caught:
        race(fragile.arm(BASELINE, fails_in), [fragile.arm("good")], settings, limits(4), never, Silent())
    assert caught.value.kind == "crash"


# --- when it stops


def test_variants_are_decided_at_looks_only(fragile: Fragile, settings: Settings) -> None:
    decided = After(early=1, late=2)
    found = run(fragile, settings, [fragile.arm("early"), fragile.arm("late")], limits(2, 4, 6), decided)
    assert decided.asked == [("early", 2), ("late", 2), ("late", 4)]
    both = {BASELINE, CONTROL, "late"}
    assert who(found) == [both | {"early"}] * 2 + [both] * 2


def test_the_undecided_race_to_the_last_look(fragile: Fragile, settings: Settings) -> None:
    decided = After()
    found = run(fragile, settings, [fragile.arm("one")], limits(2, 3), decided)
    assert len(found.rounds) == 3
    assert decided.asked == [("one", 2), ("one", 3)]


def test_a_crashed_variant_is_not_asked_about(fragile: Fragile, settings: Settings) -> None:
    decided = After()
    run(fragile, settings, [fragile.arm("good"), fragile.arm("bad", fails_in=1)], limits(2), decided)
    assert decided.asked == [("good", 2)]


def test_the_budget_stops_it_after_one_round(fragile: Fragile, settings: Settings) -> None:
    found = run(fragile, settings, [fragile.arm("one")], limits(8, 12, budget_s=0.0))
    assert who(found) == [{BASELINE, CONTROL, "one"}]


def test_progress_hears_of_every_round(fragile: Fragile, settings: Settings) -> None:
    progress = Keeping()
    race(fragile.arm(BASELINE), [fragile.arm("one")], settings, limits(1, 3), After(one=2), progress)
    assert progress.rounds == [(1, 3, ["one"]), (2, 3, ["one"]), (3, 3, [])]


# --- what does not fit in memory together


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without memory to spare: what stands in for one that is really full."""
    monkeypatch.setattr(race_module, "available", lambda: 0)


@pytest.mark.usefixtures("crowded")
def test_what_does_not_fit_together_runs_in_pairs(fragile: Fragile, settings: Settings) -> None:
    found = run(fragile, settings, [fragile.arm("one"), fragile.arm("two")], limits(1, 2), After(one=1))
    first, second = {BASELINE, CONTROL, "one"}, {BASELINE, CONTROL, "two"}
    assert who(found) == [first, second, second]
    assert [r.index for r in found.rounds] == [0, 1, 2]
    assert [d.round for d in found.paired("two")[0]] == [1, 2]


@pytest.mark.usefixtures("crowded")
def test_every_pair_has_its_part_of_the_budget(fragile: Fragile, settings: Settings) -> None:
    found = run(fragile, settings, [fragile.arm(n) for n in ("one", "two", "three")], limits(8, budget_s=0.0))
    assert [rounds - {BASELINE, CONTROL} for rounds in who(found)] == [{"one"}, {"two"}, {"three"}]


@pytest.mark.usefixtures("crowded")
def test_a_folder_can_be_an_artifact(fragile: Fragile, settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "weights").write_bytes(b"x")
    found = run(fragile, settings, [Arm("folder", spec(folder, "fragile")), fragile.arm("good")], limits(1))
    assert found.failures["folder"].kind == "crash"  # `fragile` cannot read folders; what matters is that they can be weighed
    assert who(found)[1] == {BASELINE, CONTROL, "good"}


# --- summaries


def data(index: int, median: float, **more: int | None) -> RoundData:
    return round_data(index, median, **({"p95_ns": median, "p99_ns": median, "load_ns": 1, "cpu_utilisation": 0.5} | more))


def test_no_rounds_have_no_performance() -> None:
    assert performance([], 1, "pss") is None


def test_one_round_has_no_variation() -> None:
    found = performance([data(0, 100.0)], 1, "uss")
    assert found is not None
    assert (found.variation, found.peak_bytes, found.memory_metric) == (0.0, None, "uss")


def test_unknown_memory_is_left_out_and_not_zero() -> None:
    found = performance([data(0, 1.0, peak_bytes=10), data(1, 1.0), data(2, 1.0, peak_bytes=30)], 1, "pss")
    assert found is not None
    assert found.peak_bytes == 20


@pytest.mark.parametrize("count", [0, 1])
def test_a_control_needs_two_rounds(count: int) -> None:
    rounds = [Round(i, {BASELINE: data(i, 1.0), CONTROL: data(i, 1.0)}) for i in range(count)]
    assert control_interval(rounds, 0.04) is None
