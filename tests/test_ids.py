"""Names of legs and variants are made and taken apart in one place, and only there."""

from __future__ import annotations

import ast

import pytest
from kit.support import REPOSITORY

from gatekeeper.ids import (
    artifact_name,
    baseline_id,
    belongs,
    file_name,
    framework_of,
    is_baseline,
    leg_id,
    leg_of,
    of_target,
    target_of,
    technique_of,
    variant_id,
    within_target,
)

LEG = leg_id("pi", "openvino")
VARIANT = variant_id(LEG, "int8")


def test_what_is_put_together_comes_apart() -> None:
    assert (LEG, VARIANT, baseline_id(LEG)) == ("pi/openvino", "pi/openvino/int8", "pi/openvino/baseline")
    for name in (LEG, VARIANT, baseline_id(LEG)):
        assert (target_of(name), framework_of(name), leg_of(name)) == ("pi", "openvino", LEG)
    assert (technique_of(VARIANT), technique_of(baseline_id(LEG))) == ("int8", "baseline")


@pytest.mark.parametrize(
    ("variant", "whether"),
    [(VARIANT, True), (baseline_id(LEG), True), ("pi/openvino2/int8", False), ("pi2/openvino/int8", False), ("pi", False)],
)
def test_a_variant_belongs_to_its_own_leg_only(variant: str, whether: bool) -> None:
    assert belongs(variant, LEG) is whether


@pytest.mark.parametrize(
    ("name", "whether"),
    [("a/b/baseline", True), ("a/b/baseline2", False), ("a/baseline", False), ("a/b/c/baseline", False), ("baseline", False)],
)
def test_only_the_last_of_three_parts_makes_a_baseline(name: str, whether: bool) -> None:
    assert is_baseline(name) is whether


def test_people_may_leave_the_target_out() -> None:
    assert of_target("openvino/int8", "pi") == of_target(VARIANT, "pi") == VARIANT
    assert within_target(VARIANT, "pi") == within_target("openvino/int8", "pi") == "openvino/int8"


def test_names_for_files_hold_no_slash() -> None:
    assert (file_name(VARIANT), artifact_name(LEG)) == ("pi__openvino__int8", "pi.openvino")


ELSEWHERE = {
    f"gatekeeper/{name}.py"
    for name in (
        "ids", "certificate/identity", "cli/verify", "deploy/packages/container", "github/artifact", "reports/_place",
        "reference/pipeline_file", "scans/_torchscript",
    )
}  # fmt: skip
"""The place itself, and those that take paths and addresses apart."""


def test_nothing_else_takes_them_apart() -> None:
    found = set()
    for path in (REPOSITORY / "gatekeeper").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                cuts = node.func.attr in ("split", "partition", "rpartition", "count", "replace")
                if cuts and node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == "/":
                    found.add(path.relative_to(REPOSITORY).as_posix())
    assert found == ELSEWHERE
