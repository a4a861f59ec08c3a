"""`gatekeeper-waivers.yml`: what is accepted, and every problem with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.config.load import load
from gatekeeper.config.source import parse_source
from gatekeeper.config.waivers import FILE_NAME, Waivers, check_waivers, parse_waivers, read_waivers, waivers_for
from gatekeeper.errors import ConfigError, UsageError

GOOD = {
    "gate": "speedup", "target": "x86", "variant": "onnx_runtime/int8_dynamic", "ceiling": "1.6", "reason": "soon",
    "owner": "someone", "expires": "2031-05-01",
}  # fmt: skip
PIPELINE = """\
edge_ai_pipeline:
  targets: [{name: x86, hardware: cpu}, {name: arm, hardware: embedded_arm, gates: {speedup: {min: 3}}}]
  gates: {package_size: {max: 50MB}, stability: {max_variation: 0.3}}
"""


def text(*entries: dict[str, str]) -> str:
    lines = ["waivers:"]
    for entry in entries:
        lines += [f"{'  - ' if i == 0 else '    '}{key}: {value}" for i, (key, value) in enumerate(entry.items())]
    return "\n".join(lines) + "\n"


def parsed(content: str) -> Waivers:
    return parse_waivers(parse_source(content, "w.yml"))


def problems(content: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parsed(content)
    lines = str(caught.value).splitlines()
    assert all(re.match(r"w\.yml:\d+:\d+: \S", line) for line in lines)
    return [line.removeprefix("w.yml:") for line in lines]


def test_a_waiver_is_read_with_its_place() -> None:
    second = GOOD | {"gate": "package_size", "ceiling": "60MB", "issue": "'#17'"}
    del second["variant"]
    found = parsed(text(GOOD, second))
    assert [(w.gate, w.target, w.variant, w.waiver.ceiling, w.waiver.where) for w in found.entries] == [
        ("speedup", "x86", "onnx_runtime/int8_dynamic", 1.6, "w.yml:2"),
        ("package_size", "x86", None, 60e6, "w.yml:9"),
    ]
    assert (found.entries[0].until.isoformat(), found.entries[1].waiver.issue) == ("2031-05-01", "#17")


def test_a_file_without_waivers_is_valid() -> None:
    assert parsed("waivers: []\n").entries == ()


@pytest.mark.parametrize(
    ("change", "place", "says"),
    [
        ({"gate": "sped"}, "2:11", "waivers[0].gate is 'sped'; did you mean 'speedup'?"),
        ({"ceiling": "low"}, "5:14", "waivers[0].ceiling is 'low'"),
        ({"ceiling": "50MB"}, "5:14", "Write a number in the gate's unit"),
        ({"ceiling": ".nan"}, "5:14", "finite number"),
        ({"ceiling": "true"}, "5:14", "ceiling is true"),
        ({"gate": "package_size"}, "5:14", "Write a size such as 50MB"),
        ({"reason": "''"}, "6:13", "waivers[0].reason is ''"),
        ({"reason": "'  '"}, "6:13", "waivers[0].reason is '  '"),
        ({"owner": ""}, "7:11", "waivers[0].owner is empty"),
        ({"expires": "2031-02-30"}, "8:14", "'2031-02-30' is not a day of the calendar"),
        ({"expires": "2031-5-1"}, "8:14", "Write it like 2031-05-01"),
        ({"expires": "never"}, "8:14", "waivers[0].expires is 'never'"),
        ({"expires": "20310501"}, "8:14", "it must be text"),
        ({"expires": "2031-05-01T00:00:00Z"}, "8:14", "not of the right form"),
        ({"expires": "٢٠٣١-٠٥-٠١"}, "8:14", "not of the right form"),
        ({"expiers": "2031-05-01"}, "9:5", "unknown key 'expiers'; did you mean 'expires'?"),
    ],
)
def test_every_problem_has_its_place(change: dict[str, str], place: str, says: str) -> None:
    [found] = problems(text(GOOD | change))
    assert found.startswith(f"{place}: ")
    assert says in found


@pytest.mark.parametrize("key", sorted(GOOD.keys() - {"variant"}))
def test_nothing_but_the_variant_and_the_issue_may_be_left_out(key: str) -> None:
    [found] = problems(text({name: value for name, value in GOOD.items() if name != key}))
    assert found == f"2:5: waivers[0] needs the key '{key}'."


@pytest.mark.parametrize("variant", ["onnx_runtime/int8_dynamic", "x86/onnx_runtime/int8_dynamic"])
def test_a_waiver_twice_is_a_problem_however_it_is_written(variant: str) -> None:
    [found] = problems(text(GOOD, GOOD | {"variant": variant, "ceiling": "1.7"}))
    assert found == "9:5: the same waiver is already given on line 2. Keep one of them."


@pytest.mark.parametrize(
    "content", ["", "[]", "waivers:", "waivers: {}", "waivers: x", "waiver: []", "- a", "waivers: [1]", "a: &a [*a]"]
)
def test_what_is_no_file_of_waivers(content: str) -> None:
    assert problems(content)


def test_a_file_that_is_not_there_is_not_asked_of_init(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yml: no such file\. docs/pipeline-reference\.md shows one\."):
        read_waivers(tmp_path / "none.yml")


def held(tmp_path: Path, change: dict[str, str], variants: list[str] | None = None) -> list[str]:
    """Problems of a waiver against a pipeline file."""
    (tmp_path / "p.yaml").write_text(PIPELINE)
    loaded = load(tmp_path / "p.yaml")
    try:
        check_waivers(parsed(text(GOOD | change)), loaded, variants)
    except ConfigError as error:
        return [line.removeprefix("w.yml:") for line in str(error).splitlines()]
    return []


PLANNED = ["x86/onnx_runtime/int8_dynamic", "x86/onnx_runtime/fp16", "arm/onnx_runtime/int8_dynamic"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, None),
        ({"variant": "x86/onnx_runtime/fp16"}, None),
        ({"gate": "agreement", "ceiling": "0.9"}, None),
        ({"target": "x68"}, "3:13: there is no target 'x68'; did you mean 'x86'? The targets are x86, arm."),
        ({"variant": "onnx_runtime/int8_dynamc"}, "'onnx_runtime/int8_dynamc'; did you mean 'onnx_runtime/int8_dynamic'?"),
        ({"variant": "arm/onnx_runtime/int8_dynamic"}, "4:14: x86 has no variant 'arm/onnx_runtime/int8_dynamic'"),
        ({"ceiling": "2"}, "5:14: waives nothing: the limit is 2.0 ("),
        ({"ceiling": "2.5"}, "Choose a ceiling below it."),
        ({"ceiling": "2.5", "target": "arm"}, None),
        ({"ceiling": "3", "target": "arm"}, "the limit is 3.0 ("),
        ({"gate": "agreement", "ceiling": "0.95"}, "the limit is 0.95 ("),
        ({"gate": "stability", "ceiling": "0.2"}, "Choose a ceiling above it."),
        ({"gate": "stability", "ceiling": "0.31"}, None),
        ({"gate": "package_size", "ceiling": "50MB"}, "the limit is 50MB ("),
        ({"gate": "package_size", "ceiling": "50MiB"}, None),
    ],
)  # fmt: skip
def test_a_file_is_held_against_its_pipeline(tmp_path: Path, change: dict[str, str], says: str | None) -> None:
    found = held(tmp_path, change, PLANNED)
    assert len(found) == (says is not None)
    assert says is None or says in found[0]


def test_a_limit_that_is_measured_has_no_side(tmp_path: Path) -> None:
    """Without one of its own, p99_latency is held to what the baseline does in the same run."""
    testing = "  stages: [optimization, testing]\n  testing: {load_tests: smoke, load: LOAD}\n"
    found = parsed(text(GOOD | {"gate": "p99_latency", "ceiling": "8"}))
    for load_, says in (("{}", None), ("{p99_ms: 5}", None), ("{p99_ms: 9}", "waives nothing: the limit is 9.0")):
        (tmp_path / "p.yaml").write_text(PIPELINE + testing.replace("LOAD", load_))
        if says is None:
            check_waivers(found, load(tmp_path / "p.yaml"), PLANNED)
            continue
        with pytest.raises(ConfigError, match=says):
            check_waivers(found, load(tmp_path / "p.yaml"), PLANNED)


def test_variants_are_not_known_without_a_plan(tmp_path: Path) -> None:
    assert held(tmp_path, {"variant": "a/b"}, None) == []


def test_only_the_file_beside_the_pipeline_is_read(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(PIPELINE)
    loaded = load(tmp_path / "p.yaml")
    assert waivers_for(loaded) is None
    (tmp_path / FILE_NAME).write_text(text(GOOD))
    found = waivers_for(loaded, lambda: PLANNED)
    assert found is not None
    assert len(found.entries) == 1


YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "issue", "waivers", "x"]), inner, max_size=8)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(YAML)
def test_anything_else_is_a_problem_and_never_a_traceback(data: object) -> None:
    import json

    try:
        parsed(json.dumps({"waivers": [GOOD | {"ceiling": 1.0} | (data if isinstance(data, dict) else {"gate": data})]}))
    except ConfigError:
        pass
