"""The selection of the mission, row by row: the decision tree, the requirements matrix, both orders, the unified strategy.

Of the table of techniques every row is the one that is taken somewhere.
"""

from __future__ import annotations

from typing import Any

import pytest

from gatekeeper.frameworks._base import REGISTRY, framework
from gatekeeper.hardware.selection import hardware
from gatekeeper.models.info import Assessment, TensorInfo, TextInfo
from gatekeeper.planning.selection import auto
from gatekeeper.planning.selection.kinds import MATRICES, is_multimodal, kind_of, reads_text
from gatekeeper.planning.selection.requirements import BEST_FIRST, NEEDS, ORDERS, REQUIREMENTS, met
from gatekeeper.planning.selection.strategy import strategy
from gatekeeper.planning.selection.techniques import BF16, DOT, ROWS, UNIFIED, VNNI, rows, unified
from gatekeeper.planning.selection.tree import LARGE_MODEL_PARAMETERS, TREE, Case, decide

B7 = LARGE_MODEL_PARAMETERS
DECISIONS = [
    # mission.md, section 3, row 1, and section 4
    (Case("apple_silicon", 10**6), ["apple_mlx"], "apple"),
    (Case("apple_silicon", 10**12, text=True, enterprise=True), ["apple_mlx"], "apple"),
    (Case("intel_auto", 10**6), ["openvino"], "intel"),
    (Case("intel_cpu", 10**6), ["openvino"], "intel"),
    (Case("intel_gpu", 10**12, text=True), ["openvino"], "intel"),
    (Case("cpu", B7 + 1), ["microsoft_olive"], "large"),
    (Case("arm_mobile", B7 + 1, text=True), ["microsoft_olive"], "large"),
    (Case("cpu", 10**6, enterprise=True), ["microsoft_olive"], "enterprise"),
    (Case("cpu", 10**6, multimodal=True), ["openvino", "microsoft_olive"], "multimodal"),
    (Case("cpu", 10**6, text=True, multimodal=True), ["openvino", "microsoft_olive"], "multimodal"),
    (Case("cpu", 10**6, text=True), ["llama_cpp"], "text"),
    (Case("cpu", B7), ["onnx_runtime"], "lightweight"),
    (Case("other"), ["onnx_runtime"], "lightweight"),
    (Case("nvidia_gpu", 10**6), ["microsoft_olive"], "platform"),
    (Case("arm_mobile", 10**6), ["llama_cpp"], "platform"),
    (Case("embedded_arm", 10**6, text=True), ["llama_cpp"], "platform"),
    (Case("edge_tpu", 10**6), ["openvino"], "platform"),
]


@pytest.mark.parametrize(("case", "expected", "branch"), DECISIONS)
def test_the_decision_tree(case: Case, expected: list[str], branch: str) -> None:
    names, because = decide(case)
    assert list(names) == expected
    assert because
    assert next(each for each in TREE if each.fits(case)).name == branch


def test_every_branch_of_the_tree_is_tested() -> None:
    assert {branch for _, _, branch in DECISIONS} == {each.name for each in TREE}
    assert len({each.name for each in TREE}) == len(TREE)


def test_seven_billion_is_the_line() -> None:
    assert B7 == 7 * 10**9


REQUIRED = [
    # mission.md, section 4: cross-platform / enterprise / mobile / real-time / model variety / ease
    ("llama_cpp", "excellent / basic / excellent / excellent / LLM-focused / simple"),
    ("microsoft_olive", "good / excellent / good / excellent / all models / automatic"),
    ("openvino", "good / excellent / good / excellent / all models / moderate"),
    ("apple_mlx", "Apple only / limited / excellent on iOS / excellent / LLM-focused / simple"),
]


@pytest.mark.parametrize(("name", "words"), REQUIRED)
def test_the_requirements_matrix_is_the_mission_s(name: str, words: str) -> None:
    assert NEEDS == ("cross_platform", "enterprise", "mobile", "real_time", "model_variety", "ease")
    assert [REQUIREMENTS[name][need] for need in NEEDS] == words.split(" / ")


def test_the_matrix_has_no_other_row_and_every_word_a_rank() -> None:
    assert set(REQUIREMENTS) == {name for name, _ in REQUIRED}
    assert {word for row in REQUIREMENTS.values() for word in row.values()} == set(BEST_FIRST)


@pytest.mark.parametrize(
    ("needs", "best"),
    [
        (["enterprise"], {"microsoft_olive", "openvino"}),
        (["cross_platform"], {"llama_cpp"}),
        (["mobile"], {"llama_cpp"}),
        (["model_variety", "ease"], {"microsoft_olive"}),
        (["real_time"], set(REQUIREMENTS)),
    ],
)
def test_what_is_required_ranks_frameworks(needs: list[str], best: set[str]) -> None:
    ranks = {name: met(name, needs) for name in REQUIREMENTS}
    assert {name for name, rank in ranks.items() if rank == min(ranks.values())} == best
    assert met("nobody_s", needs) > max(ranks.values())


def test_the_two_orders_are_the_mission_s() -> None:
    assert ORDERS == {
        "prototyping": ("llama_cpp", "apple_mlx", "microsoft_olive", "openvino"),
        "enterprise": ("microsoft_olive", "openvino", "apple_mlx", "llama_cpp"),
    }


def model(architecture: str = "mlp", text: bool = False, **more: Any) -> Assessment:
    about = TextInfo(
        family="llama", dtype="float32", vocabulary=100, context=64, layers=2, hidden=256, heads=4, kv_heads=4,
        row_lengths=[256], head=64, tokenizer="tokenizer.json",
    )  # fmt: skip
    weighted = {"Conv": 2} if architecture == "cnn" else {"MatMul": 3, "Gemm": 1}
    values: dict[str, Any] = {
        "path": "m", "format": "huggingface" if text else "onnx", "files": ["m"], "bytes": 1, "architecture": architecture,
        "parameters": 1000, "weights": {"float32": 1000}, "operators": weighted, "weighted_operators": weighted,
        "nested_operators": {}, "inputs": [TensorInfo(name="x", dtype="float32", shape=["n", 16])], "outputs": [], "opset": {},
        "text": about if text else None, "largest_matrix": [256, 256],
    }  # fmt: skip
    return Assessment(**(values | more))


LLAMA = model("transformer", text=True)
ISA = {"plain": ("avx2",), "vnni": ("avx2", "avx512_vnni"), "bf16": ("avx512_bf16", "avx512_vnni"), "arm": ("asimd", "asimddp"),
       "half": ("asimd", "asimdhp")}  # fmt: skip
TAKEN = [
    (name, kind, isa, device)
    for name in REGISTRY.builtin
    for kind in ("text", "cnn", "tree_ensemble", *MATRICES)
    for isa in ISA
    for device in ("cpu", "cuda", "gpu", "npu", "metal", "auto", "cpu:throughput")
]


def test_every_row_is_the_first_that_fits_somewhere_or_follows_one_that_needs_more() -> None:
    """What is never taken is no rule. The one exception is named: it is for models without a calibration set."""
    first = [found[0] for name, kind, isa, device in TAKEN if (found := rows(name, kind, ISA[isa], device))]
    assert [row for row in ROWS if row not in first and "no calibration set" not in row.because] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.framework} {row.because[:30]}")
def test_a_row_names_what_its_framework_has(row: Any) -> None:
    assert set(row.techniques) <= set(framework(row.framework).TECHNIQUES)
    assert row.because
    assert len(set(row.techniques)) == len(row.techniques)


@pytest.mark.parametrize("name", REGISTRY.builtin)
@pytest.mark.parametrize("kind", ["text", "cnn", "mlp"])
@pytest.mark.parametrize("isa", [VNNI[:1], BF16[:1], DOT[:1], ()])
def test_every_framework_has_a_row_for_what_it_runs(name: str, kind: str, isa: tuple[str, ...]) -> None:
    assert rows(name, kind, isa, "cpu")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        # mission.md, section 3, row 7
        ("apple_silicon", ("apple_mlx", "int4")),
        ("intel_auto", ("openvino", "int8_static")),
        ("intel_cpu", ("openvino", "int8_static")),
        ("intel_gpu", ("openvino", "int8_static")),
        ("cpu", ("llama_cpp", "q4_k_m")),
        ("arm_mobile", ("llama_cpp", "q4_k_m")),
        ("embedded_arm", ("llama_cpp", "q4_k_m")),
        ("nvidia_gpu", ("microsoft_olive", "")),
        ("edge_tpu", ("microsoft_olive", "")),
        ("other", ("microsoft_olive", "")),
    ],
)
def test_the_unified_quantization_strategy(target: str, expected: tuple[str, str]) -> None:
    assert unified(target) == expected
    assert strategy(target, model()).unified == " ".join(expected).strip()


@pytest.mark.parametrize("target", [t for targets, _, technique in UNIFIED if technique for t in targets])
def test_auto_asks_for_the_unified_technique_first(target: str) -> None:
    """On a processor of no special instructions; a GPU of Intel computes in half precision first."""
    name, technique = unified(target)
    about, device = LLAMA if name in ("apple_mlx", "llama_cpp") else model(), hardware(target).DEVICE
    asked = [each for each, _ in auto.techniques(name, about, device, (), calibrated=True)]
    assert technique in asked
    assert asked[0] == technique or device == "gpu"


@pytest.mark.parametrize(
    ("about", "isa", "expected"),
    [
        (model("mlp"), ("avx2",), ["int8_dynamic", "int8_static", "int4_weight_only"]),
        (model("mlp"), ("avx512_vnni",), ["int8_static", "int8_dynamic", "int4_weight_only"]),
        (model("cnn"), ("avx2",), ["int8_static"]),
        (model("cnn"), ("asimdhp",), ["int8_static", "fp16"]),
        (LLAMA, ("avx2",), ["int4_weight_only", "int8_weight_only"]),
    ],
)
def test_kind_and_instruction_set_decide_what_is_asked_of_a_framework(
    about: Assessment, isa: tuple[str, ...], expected: list[str]
) -> None:
    assert [name for name, _ in auto.techniques("onnx_runtime", about, "cpu", isa, calibrated=True)] == expected


def test_what_the_first_row_needs_and_is_not_there_leads_to_the_next() -> None:
    assert [n for n, _ in auto.techniques("openvino", model("cnn"), "cpu", (), calibrated=True)] == ["int8_static"]
    assert [n for n, _ in auto.techniques("openvino", model("cnn"), "cpu", (), calibrated=False)] == ["int8_weight_only"]


@pytest.mark.parametrize(
    ("target", "about", "expected"),
    [
        ("cpu", model(), ["onnx_runtime", "openvino"]),
        ("cpu", LLAMA, ["llama_cpp", "onnx_runtime", "openvino"]),
        ("intel_cpu", model(), ["openvino", "microsoft_olive"]),
        ("nvidia_gpu", model(), ["microsoft_olive", "onnx_runtime"]),  # OpenVINO does not run there
        ("apple_silicon", LLAMA, ["apple_mlx", "llama_cpp"]),
        ("arm_mobile", model(), ["openvino", "microsoft_olive"]),  # llama.cpp is for language models
        ("apple_silicon", model(), []),
    ],
)
def test_auto_takes_what_the_rules_name_and_can(target: str, about: Assessment, expected: list[str]) -> None:
    found = auto.frameworks(target, about, hardware(target).DEVICE, calibrated=True)
    assert list(found) == expected
    assert all(found.values())


def test_a_recommendation_has_its_reasons_and_says_what_cannot() -> None:
    found = strategy("intel_cpu", model())
    assert (found.rule.framework, found.recommended.framework) == ("openvino", "openvino")
    assert found.recommended.techniques[0] == "int8_static"
    assert {each.framework for each in found.then} == set(REGISTRY.names) - {"openvino"}
    assert all(each.because for each in found.then)
    assert "not onnx" in next(each.cannot for each in found.then if each.framework == "llama_cpp")
    assert strategy("cpu", model(), goal="enterprise").recommended.framework == "microsoft_olive"
    assert strategy("cpu", LLAMA, goal="prototyping").recommended.framework == "llama_cpp"
    assert strategy("cpu", LLAMA, needs=["enterprise"]).recommended.framework in ("openvino", "microsoft_olive")


def test_where_nothing_can_the_rule_is_named_with_why_it_cannot() -> None:
    found = strategy("apple_silicon", model())
    assert (found.recommended.framework, found.rule.framework) == ("apple_mlx", "apple_mlx")
    assert all(each.cannot for each in [found.recommended, *found.then])


def test_what_a_model_takes_tells_its_kind() -> None:
    ids, image = (
        TensorInfo(name="ids", dtype="int64", shape=["n", "t"]),
        TensorInfo(name="p", dtype="float32", shape=[1, 3, 8, 8]),
    )
    assert kind_of(LLAMA) == "text" and reads_text(LLAMA)
    assert reads_text(model("transformer", inputs=[ids])) and not reads_text(model("mlp", inputs=[ids]))
    assert is_multimodal(model("transformer", inputs=[ids, image]))
    assert not is_multimodal(model("transformer", inputs=[image]))
    assert not is_multimodal(model("transformer", inputs=[ids, ids]))
