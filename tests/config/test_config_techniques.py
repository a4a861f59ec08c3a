"""Techniques with options as the pipeline file has them: what is refused, where and in which words, and what a plan has."""

from __future__ import annotations

from pathlib import Path

import msgspec
import onnx
import pytest
from kit.command import Command
from kit.tensor_models import cnn
from kit.tiny_llm import write_llama

from gatekeeper.config.load import load
from gatekeeper.errors import ConfigError
from gatekeeper.frameworks._gguf import write_gguf
from gatekeeper.planning.plan import Plan

STATIC = "{{onnx_runtime: [{{int8_static: {{{}}}}}]}}"


def file(folder: Path, techniques: str, frameworks: str = "onnx_runtime", more: str = "") -> Path:
    place = folder / "p.yaml"
    model = "model: {path: model.onnx}\n  " if (folder / "model.onnx").exists() else ""
    text = f"{model}{more}optimization:\n    frameworks: [{frameworks}]\n    techniques: {techniques}\n"
    place.write_text(f"edge_ai_pipeline:\n  {text}")
    return place


def model(folder: Path) -> None:
    onnx.save(cnn().proto, str(folder / "model.onnx"))


WRONG = {
    "unknown option": (STATIC.format("per_chanel: true"), "4:48: unknown key 'per_chanel'; did you mean 'per_channel'? Allowed"),
    "unknown technique": ("{onnx_runtime: [{int8_statc: {}}]}", "4:34: unknown key 'int8_statc'; did you mean 'int8_static'?"),
    "wrong type": (STATIC.format("per_channel: 3"), "int8_static.per_channel is 3; it must be true or false"),
    "wrong word": (STATIC.format("calibration: percentil"), "calibration is 'percentil'; did you mean 'percentile'? Allowed: "),
    "wrong number": (STATIC.format("activations: 4"), "activations is 4. Allowed: 8, 16"),
    "a word for a number": (STATIC.format("activations: ''"), "activations is ''. Allowed: 8, 16"),
    "out of range": (STATIC.format("calibration: percentile, percentile: 100"), "it must be less than 100"),
    "of neither kind": (STATIC.format("reduce_range: maybe"), "reduce_range is 'maybe'. Allowed: auto, true or false"),
    "unknown session": (STATIC.format("session: {aren: true}"), "unknown key 'aren'; did you mean 'arena'?"),
    "empty pattern": (STATIC.format("exclude: ['']"), "exclude[0] is ''; it must have characters, at least 1"),
    "do not go together": (STATIC.format("percentile: 99.0"), "4:60: it is for `calibration: percentile`, and this is minmax"),
    "two in one entry": ("{onnx_runtime: [{int8_static: {}, fp16: {}}]}", "several techniques in one entry. Give each its own"),
    "none in an entry": ("{onnx_runtime: [{}]}", "this entry names no technique with options"),
    "options left empty": ("{onnx_runtime: [{int8_static: }]}", "this entry names no technique with options"),
    "no entry": ("{onnx_runtime: [5]}", "techniques.onnx_runtime[0] is 5. Allowed: text, a section with keys"),
    "a bad name": (STATIC.format("name: a/b"), "name is 'a/b', which is not of the right form. Write it like gentle"),
    "twice, by defaults": ("{onnx_runtime: [int8_static, {int8_static: {per_channel: true}}]}", "the same as another entry"),
    "twice, bare last": ("{onnx_runtime: [{int8_static: {name: x}}, int8_static]}", "'int8_static' is listed twice"),
    "twice, in another order": (
        "{onnx_runtime: [{int8_static: {operators: [Conv, Gemm]}}, {int8_static: {operators: [Gemm, Conv], name: x}}]}",
        "this means the same as another entry of int8_static. Remove one",
    ),
    "one name, in other case": (
        "{onnx_runtime: [{int8_static: {name: a, per_channel: false}}, {int8_static: {name: A}}]}",
        "this would be called int8_static-A in the report, as another variant is. Give it another `name`",
    ),
    "one name, made up of options": (
        "{onnx_runtime: [{int8_static: {name: equalize}}, {int8_static: {equalize: true}}]}",
        "4:67: this would be called int8_static-equalize in the report",
    ),
    "an importance matrix of nothing": (
        "{llama_cpp: [{q4_0: {imatrix: true}}]}",
        "4:47: it needs `dataset.calibration`: examples",
    ),
    "options of another technique": (
        "{onnx_runtime: [{fp16: {per_channel: true}}]}",
        "unknown key 'per_channel'. Allowed here: ",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, name: str) -> None:
    techniques, words = WRONG[name]
    with pytest.raises(ConfigError) as caught:
        load(file(tmp_path, techniques))
    assert words in str(caught.value) and "p.yaml:4:" in str(caught.value)


def test_a_variant_of_the_users_own_may_not_be_called_as_one_with_options(tmp_path: Path) -> None:
    model(tmp_path)
    place = file(tmp_path, STATIC.format("per_channel: false"))
    own = "    variants: [{name: INT8_static-no_per_channel, path: model.onnx}]\n"
    place.write_text(place.read_text() + own)
    with pytest.raises(ConfigError, match="is what another variant of onnx_runtime is called"):
        load(place)


def test_what_matches_no_node_is_told_by_validate(tmp_path: Path, gatekeeper: Command) -> None:
    model(tmp_path)
    found = gatekeeper("validate", file(tmp_path, STATIC.format("exclude: [Conv, Gem, c, '*z*']")))
    assert found.returncode == 2
    assert (
        found.stderr.count("matches no node") == 2
        and "p.yaml:5:64: exclude 'Gem' matches no node; did you mean 'Gemm'?" in found.stderr
    )
    assert "The model has Conv, Flatten, Gemm, Relu; nodes are called a, b, c, y." in found.stderr
    assert gatekeeper("validate", file(tmp_path, STATIC.format("exclude: [Conv, c]"))).returncode == 0


def test_tensors_of_a_gguf_file_that_it_does_not_have_are_told_by_validate(tmp_path: Path, gatekeeper: Command) -> None:
    place = tmp_path / "p.yaml"
    write_gguf(write_llama(tmp_path / "hf", num_hidden_layers=1), tmp_path / "m.gguf")
    place.write_text(
        "edge_ai_pipeline:\n  model: {path: m.gguf, task: text_generation}\n  optimization:\n    frameworks: [llama_cpp]\n"
        "    techniques:\n      llama_cpp:\n        - q4_0:\n            tensors:\n              blk.0.*: q8_0\n"
        "              atn_v: q8_0\n"
    )
    found = gatekeeper("validate", place)
    assert found.returncode == 2 and "p.yaml:10:15: tensors 'atn_v' matches no tensor; did you mean 'attn_v'?" in found.stderr
    assert found.stderr.count("matches no") == 1
    place.write_text(place.read_text().replace("atn_v", "output"))
    assert gatekeeper("validate", place).returncode == 0


def test_a_plan_has_the_options_whole(tmp_path: Path, gatekeeper: Command) -> None:
    model(tmp_path)
    place = file(tmp_path, "{onnx_runtime: [int8_dynamic, {int8_dynamic: {per_channel: true}}, {fp16: {name: half}}]}")
    plan = msgspec.json.decode(gatekeeper("plan", place, "--format", "json").stdout, type=Plan)
    bare, channels, half = plan.legs[0].variants
    assert (bare.id, bare.technique, bare.method, bare.options) == ("local/onnx_runtime/int8_dynamic",) + (
        "int8_dynamic",
    ) * 2 + ({},)
    assert (channels.technique, channels.method) == ("int8_dynamic-per_channel", "int8_dynamic")
    assert channels.options["per_channel"] is True and channels.options["weights"] == "int8" and "name" not in channels.options
    assert (half.technique, half.method, half.options["exclude"]) == ("fp16-half", "fp16", [])
    table = gatekeeper("plan", place).stdout
    assert "int8_dynamic-per_channel" in table


def test_options_are_no_limits_of_a_policy(tmp_path: Path, gatekeeper: Command) -> None:
    """How a variant is made may change with every commit: what it must reach may not."""
    model(tmp_path)
    policy = tmp_path / "policy.yaml"
    policy.write_text(file(tmp_path, STATIC.format("per_channel: false")).read_text())
    found = gatekeeper("plan", file(tmp_path, STATIC.format("equalize: true")), "--policy", policy)
    assert found.returncode == 0 and "not applied" not in found.stderr and "refused" not in found.stderr
