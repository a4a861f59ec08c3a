"""Contract tests of good and bad models: each bad one fails what it should, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest
from kit.subjects import CLASSES, FEATURES, Shelf, by_verdict, node, odd_shelf, reason, write_onnx
from onnx import TensorProto

from gatekeeper.checks.unit.base import all_cases
from gatekeeper.checks.unit.run import unit_checks
from gatekeeper.frameworks._base import OptimizeJob, framework
from gatekeeper.records.base import Verdict

TENSOR_TESTS = {"opens", *(name for name, case in all_cases().items() if case.models != "text")}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Shared, so that the original is observed once."""
    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """With the framework `odd` in the workers' path."""
    with odd_shelf(tmp_path_factory.mktemp("odd"), timeout_s=20.0, memory_limit=1_200_000_000) as shelf:
        yield shelf


def test_a_good_variant_passes_every_test(shelf: Shelf, tmp_path: Path) -> None:
    framework("onnx_runtime").optimize(
        OptimizeJob(
            source=shelf.original, destination=tmp_path, technique="int8_dynamic", device="cpu", vnni=False, calibration=None
        )
    )
    found = unit_checks(shelf.subject(tmp_path), shelf.subject(shelf.original), "comprehensive", [])
    verdicts = by_verdict(found)
    assert {name: reason(found, name) for name in TENSOR_TESTS - verdicts[Verdict.PASS]} == {}
    assert all(check.kind == "unit_tests" and check.reason and check.seconds >= 0 for check in found)
    assert "x the original's" in reason(found, "batch_invariance"), "the tolerance is stated"


def test_basic_is_part_of_comprehensive(shelf: Shelf) -> None:
    original = shelf.subject(shelf.original)
    names = [check.name for check in unit_checks(original, original, "basic", [])]
    assert set(names) < TENSOR_TESTS
    assert names == [name for name in ["opens", *all_cases()] if name in set(names)]


PLAIN = [node("MatMul", ["x", "w"], ["a"]), node("Relu", ["a"], ["b"])]
NOISE = [*PLAIN, node("RandomNormalLike", ["b"], ["r"], scale=0.01), node("Add", ["b", "r"], ["y"])]
BROKEN = [*PLAIN, node("Div", ["b", "b"], ["q"]), node("Mul", ["q", "b"], ["y"])]  # 0/0 where the rectifier cut
MEAN = [*PLAIN, node("ReduceMean", ["b"], ["m"], axes=[0]), node("Sub", ["b", "m"], ["y"])]
DOUBLE = [*PLAIN, node("Cast", ["b"], ["y"], to=TensorProto.DOUBLE)]

# What must fail, and what may as well, since it follows.
BAD = {
    "fixed batch": (lambda p: write_onnx(p, batch=1), {"dynamic_axes", "batch_invariance"}, {"empty_batch"}),
    "other name": (lambda p: write_onnx(p, output="z"), {"signature"}, {"batch_invariance", "dynamic_axes"}),
    "other type": (lambda p: write_onnx(p, DOUBLE, dtype=TensorProto.DOUBLE), {"signature"}, {"batch_invariance"}),
    "noise": (lambda p: write_onnx(p, NOISE), {"deterministic_runs", "load_twice", "concurrent_callers"}, set()),
    "NaN": (lambda p: write_onnx(p, BROKEN), {"zeros"}, {"batch_invariance"}),
    "mixed rows": (lambda p: write_onnx(p, MEAN), {"batch_invariance"}, set()),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_model_fails_what_it_should(shelf: Shelf, tmp_path: Path, kind: str) -> None:
    write, must, may = BAD[kind]
    found = unit_checks(shelf.subject(write(tmp_path / "bad.onnx")), shelf.subject(shelf.original), "basic", [])
    failed = by_verdict(found)[Verdict.FAIL]
    after = {"nan_and_inf", "zeros", "odd_shapes"} if kind == "noise" else set()  # it never answers as before
    assert must <= failed <= must | may | after, {name: reason(found, name) for name in failed ^ must}
    assert by_verdict(found)[Verdict.ERROR] == set()


ILL = {
    "crashes": ("nan_and_inf", "SIGSEGV"),
    "hangs": ("nan_and_inf", "it does not end"),
    "eats": ("nan_and_inf", "out of memory"),
    "stuck": ("odd_shapes", "it is broken since"),
    "polite": ("odd_shapes", "which the original refuses"),
    "mixes": ("batch_invariance", "are allowed"),
    "second": ("load_twice", "one at a time"),
    "racy": ("concurrent_callers", "differs by"),
}


@pytest.mark.parametrize("ill", ILL)
def test_one_test_fails_and_the_rest_goes_on(odd: Shelf, ill: str) -> None:
    name, said = ILL[ill]
    found = unit_checks(odd.odd(ill), odd.odd(), "basic", [])
    verdicts = by_verdict(found)
    assert verdicts[Verdict.FAIL] == {name}, [c.reason for c in found if c.verdict is Verdict.FAIL]
    assert said in reason(found, name)
    assert verdicts[Verdict.ERROR] == set()
    assert len(verdicts[Verdict.PASS]) == len(found) - 1
    assert not [p for p in psutil.Process().children(recursive=True) if "gatekeeper.process.worker" in p.cmdline()]


@pytest.mark.parametrize(
    ("ill", "failed"),
    [("leaks", {"memory_given_back"}), ("pid", {"deterministic_processes"}), ("empty", {"empty_batch"})],
)
def test_what_only_the_comprehensive_level_finds(odd: Shelf, ill: str, failed: set[str]) -> None:
    found = unit_checks(odd.odd(ill), odd.odd(), "comprehensive", [])
    also = {"deterministic_threads"} if ill == "pid" else set()  # in a process of its own as well
    assert by_verdict(found)[Verdict.FAIL] - also == failed, [c.reason for c in found if c.verdict is Verdict.FAIL]


def test_a_model_that_dies_of_its_third_call_passes_little(odd: Shelf) -> None:
    found = unit_checks(odd.odd("third"), odd.odd(), "basic", [])
    assert {"batch_invariance", "deterministic_runs", "zeros"} <= by_verdict(found)[Verdict.FAIL]
    assert "SIGABRT" in reason(found, "zeros")


def test_what_the_original_does_not_do_is_not_held_against_the_variant(odd: Shelf) -> None:
    found = unit_checks(odd.odd(), odd.odd("mixes"), "basic", [])
    assert by_verdict(found)[Verdict.FAIL] == set()
    found = unit_checks(odd.odd(), odd.odd("crashes"), "basic", [])
    assert by_verdict(found)[Verdict.ERROR] == {"nan_and_inf"}, "nothing to compare with is no pass"


def test_a_model_that_cannot_be_opened_is_tested_no_further(odd: Shelf) -> None:
    found = unit_checks(odd.odd("never"), odd.odd(), "basic", [])
    verdicts = by_verdict(found)
    assert verdicts[Verdict.FAIL] == {"opens"}
    assert verdicts[Verdict.ERROR] == {check.name for check in found} - {"opens"}
    assert "no such kernel" in reason(found, "opens")
    found = unit_checks(odd.odd(), odd.odd("never"), "basic", [])
    assert by_verdict(found)[Verdict.ERROR] == {check.name for check in found}
    assert "the original cannot be tested" in reason(found, "opens")


def test_a_model_of_one_fixed_size_skips_what_does_not_apply(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    fixed = write_onnx(tmp_path / "fixed.onnx", batch=1)
    subject = shelf.subject(fixed, model=fixed)
    found = unit_checks(subject, subject, "basic", [])
    assert by_verdict(found)[Verdict.SKIP] == {"batch_invariance", "dynamic_axes"}
    assert by_verdict(found)[Verdict.FAIL] | by_verdict(found)[Verdict.ERROR] == set()


def test_the_original_is_observed_once_for_all_variants(odd: Shelf) -> None:
    original = odd.odd("slow")
    first = unit_checks(odd.odd(), original, "basic", [])
    Path(original.spec.artifact).write_text("never")  # it could not be opened a second time
    assert by_verdict(unit_checks(odd.odd(), original, "basic", [])) == by_verdict(first)
    assert by_verdict(first)[Verdict.PASS] == {check.name for check in first}


def test_models_of_several_inputs_and_outputs(tmp_path: Path) -> None:
    """One of the outputs has no row for each example, one is of whole numbers, one input has an open axis of its own."""
    shelf = Shelf(tmp_path)
    tensor = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            node("MatMul", ["x", "w"], ["y"]),
            node("ArgMax", ["y"], ["label"], axis=1, keepdims=0),
            node("ReduceSum", ["y"], ["total"], keepdims=0),
            node("ReduceMax", ["words"], ["longest"], axes=[1], keepdims=0),
        ],
        "g",
        [tensor("x", TensorProto.FLOAT, ["n", FEATURES]), tensor("words", TensorProto.INT64, ["n", "length"])],
        [
            tensor("y", TensorProto.FLOAT, ["n", CLASSES]), tensor("label", TensorProto.INT64, ["n"]),
            tensor("total", TensorProto.FLOAT, []), tensor("longest", TensorProto.INT64, ["n"]),
        ],
        [onnx.numpy_helper.from_array(np.ones((FEATURES, CLASSES), np.float32) * np.arange(4, dtype=np.float32), "w")],
    )  # fmt: skip
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    random = np.random.default_rng(0)
    feeds = {"x": random.standard_normal((4, 1, FEATURES)).astype(np.float32), "words": random.integers(0, 9, (4, 1, 5))}
    np.savez(tmp_path / "feeds.npz", **feeds)
    subject = shelf.subject(tmp_path / "m.onnx", model=tmp_path / "m.onnx", inputs=tmp_path / "feeds.npz")
    found = unit_checks(subject, subject, "comprehensive", [])
    assert by_verdict(found)[Verdict.PASS] == {check.name for check in found}, [c for c in found if c.verdict != Verdict.PASS]
    assert "length longer" in reason(found, "dynamic_axes")
