"""What variants with options are called, and what of their options counts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.command import Command
from kit.support import install_plugin
from kit.tensor_models import mlp, save

from gatekeeper.config.section import Section
from gatekeeper.config.sections.measure import Measure
from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import REGISTRY, framework
from gatekeeper.frameworks._onnx_options import Int8Static, OnnxRuntimeSession
from gatekeeper.frameworks._options import LONGEST, Options, filled, label, options_of, said, unusual
from gatekeeper.frameworks._session import FILE, read_session, write_session
from gatekeeper.gates._packed import made_of
from gatekeeper.ids import file_name, technique_of, variant_id
from gatekeeper.making.cache import Cache
from gatekeeper.making.optimize import ModelSource, make_variant
from gatekeeper.making.workspace import workspace
from gatekeeper.models.files import digest

EVERY = [(name, technique) for name in REGISTRY.names for technique in framework(name).TECHNIQUES]
KINDS = {options_of(framework(name), technique) for name, technique in EVERY}
WRITTEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def some(kind: type[Options]) -> st.SearchStrategy[Any]:
    """Options of a kind, of what its schema allows."""
    words = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1, max_size=12)
    schema = msgspec.json.schema(kind)

    def of(value: dict[str, Any]) -> st.SearchStrategy[Any]:
        if "$ref" in value:
            definition = schema["$defs"][value["$ref"].rpartition("/")[2]]
            return st.fixed_dictionaries({}, optional={key: of(each) for key, each in definition["properties"].items()})
        if "allOf" in value:
            return of(value["allOf"][0])
        if "anyOf" in value:
            return st.one_of([of(branch) for branch in value["anyOf"]])
        if "enum" in value:
            return st.sampled_from(value["enum"])
        if value.get("type") == "array":
            return st.lists(of(value["items"]), max_size=3)
        if value.get("type") == "object":
            return st.dictionaries(words, of(value["additionalProperties"]), max_size=2)
        if value.get("pattern"):
            return st.from_regex(re.compile(value["pattern"].replace("$", r"\Z"), re.ASCII))
        if value.get("type") in ("number", "integer"):
            low = value.get("minimum", value.get("exclusiveMinimum", 0) + 1)
            high = value.get("maximum", value.get("exclusiveMaximum", 1001) - 1)
            if high < low:  # of fractions
                low, high = value.get("minimum", value.get("exclusiveMinimum", 0)), value.get("maximum", 1)
                return st.floats(low, high, exclude_min="exclusiveMinimum" in value, exclude_max="exclusiveMaximum" in value)
            step = value.get("multipleOf", 1)
            return st.integers(-(-int(low) // step), max(int(high), step) // step).map(lambda count: count * step)
        return {"boolean": st.booleans(), "null": st.none(), "string": words}[value["type"]]

    properties = schema["$defs"][kind.__name__]["properties"]
    whole = st.fixed_dictionaries({}, optional={key: of(value) for key, value in properties.items() if key != "name"})
    return whole.map(lambda found: msgspec.convert(found, kind))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_names_are_of_the_right_form_and_no_two_meanings_share_one(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(KINDS, key=lambda each: each.__name__)))
    one, other = data.draw(some(kind)), data.draw(some(kind))
    names = [label("int8_static", each) for each in (one, other)]
    for name in names:
        assert WRITTEN.fullmatch(name) and len(name) <= LONGEST and name.startswith("int8_static")
        assert technique_of(variant_id("a/b", name)) == name and "/" not in file_name(name)
        assert made_of("", "int8", f"a/b/{name}") and made_of("", "int8_static", f"a/b/{name}")
    same = unusual(one) == unusual(other)
    assert same == (names[0].casefold() == names[1].casefold())
    assert filled(msgspec.convert(filled(one), kind)) == filled(one)  # the worker has what the plan says
    assert (label("int8_static", one) == "int8_static") == (not unusual(one))


@pytest.mark.parametrize(
    ("options", "called"),
    [
        ({}, "int8_static"),
        ({"per_channel": False, "calibration": "entropy"}, "int8_static-no_per_channel-calibration_entropy"),
        ({"equalize": True, "activations": 16}, "int8_static-activations_16-equalize"),
        ({"exclude": ["conv_1"]}, "int8_static-exclude_conv_1"),
        ({"session": {"arena": False}}, "int8_static-no_arena"),
        ({"name": "gentle", "equalize": True}, "int8_static-gentle"),
        ({"name": "INT8_static-x"}, "INT8_static-x"),
    ],
)
def test_what_differs_is_said(options: dict[str, Any], called: str) -> None:
    assert label("int8_static", msgspec.convert(options, Int8Static)) == called


def test_what_a_mapping_says_is_told_from_a_field_of_that_name() -> None:
    kind = options_of(framework("llama_cpp"), "q4_0")
    fields, mapped = {"output": "q8_0"}, {"tensors": {"output": "q8_0"}}
    names = [label("q4_0", msgspec.convert(each, kind)) for each in (fields, mapped)]
    assert names[0] == "q4_0-output_q8_0" and names[1].startswith("q4_0-tensors_output_q8_0")
    both = [
        label("q4_0", msgspec.convert({"tensors": each}, kind)) for each in ({"a": "f16", "b": "f16"}, {"b": "f16", "a": "f16"})
    ]
    assert both[0] == both[1]
    assert said(unusual(msgspec.convert({"tensors": {"b": "f16", "a": "q8_0"}}, kind))) == "tensors {a: q8_0, b: f16}"


def test_case_punctuation_and_length_are_told_apart() -> None:
    lists = [["conv"], ["Conv"], ["CONV"], ["co nv"], ["co-nv"], ["co", "nv"], ["co+nv"], ["n" * 300], ["n" * 301]]
    names = {label("int8_static", Int8Static(exclude=tuple(each))).casefold() for each in lists}
    assert len(names) == len(lists)
    assert label("int8_static", Int8Static(exclude=("a", "b"))) == label("int8_static", Int8Static(exclude=("b", "a", "b")))


def test_options_in_words() -> None:
    options = msgspec.convert({"exclude": ["b", "a"], "equalize": True, "session": {"arena": False}}, Int8Static)
    assert said(unusual(options)) == "arena false, equalize true, exclude [a, b]"


@pytest.mark.parametrize(("name", "technique"), EVERY)
def test_options_are_sections_with_defaults(name: str, technique: str) -> None:
    """A bare name means all of them; each says what it is."""
    kind = options_of(framework(name), technique)
    assert issubclass(kind, Options) and not unusual(kind()) and not issubclass(kind, Section)
    definitions = msgspec.json.schema(kind)["$defs"]
    for definition in definitions.values():
        assert definition["additionalProperties"] is False
        assert all(value.get("description") for value in definition["properties"].values())


SHRINKER = """
from typing import Annotated
from msgspec import Meta
from gatekeeper.frameworks._options import Options, given

EXTRA, REQUIRES = "onnx-runtime", ("onnx", "numpy")
TECHNIQUES = {"shrink": "makes it smaller", "not a word": "takes no options"}

class Shrink(Options, frozen=True, kw_only=True):
    \"\"\"How it is made smaller.\"\"\"

    by: Annotated[int, Meta(ge=2, description="Times.")] = 2

OPTIONS = {"shrink": Shrink}

def supports(model_format, device): return None
def defaults(model_format, device): return ("shrink",)
def refuses(technique, model, calibrated): return None
def optimize(job): raise SystemExit(f"by {given(job, Shrink).by}")
def open_session(path, threads, device): raise NotImplementedError
"""


def test_options_of_a_framework_from_elsewhere(tmp_path: Path, gatekeeper: Command) -> None:
    """Typed, refused and named as those that come with gatekeeper."""
    path, _ = save(mlp(), tmp_path)
    there = install_plugin(tmp_path / "site", {"shrinker": SHRINKER}, "[gatekeeper.frameworks]\nshrinker = shrinker\n")
    place = tmp_path / "p.yaml"
    text = "edge_ai_pipeline: {model: {path: NAME}, optimization: {frameworks: [shrinker], techniques: {shrinker: [WHAT]}}}"
    text = text.replace("NAME", path.name)
    place.write_text(text.replace("WHAT", "shrink, 'not a word', {shrink: {by: 3}}"))
    plan = gatekeeper("plan", place, "--format", "json", env=there)
    assert '"id": "local/shrinker/shrink-by_3"' in plan.stdout and '"by": 3' in plan.stdout, plan.stderr
    place.write_text(text.replace("WHAT", "{shrink: {by: 1}}"))
    refused = gatekeeper("validate", place, env=there)
    assert refused.returncode == 2 and "shrink.by is 1; it must be at least 2" in refused.stderr


def test_a_plugin_without_options_takes_a_name() -> None:
    assert options_of(object(), "anything") is Options
    assert label("anything", Options(name="x")) == "anything-x"


def test_a_session_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_session(tmp_path, OnnxRuntimeSession) == OnnxRuntimeSession() == read_session(tmp_path / "no", OnnxRuntimeSession)
    write_session(tmp_path, {"arena": False})
    write_session(tmp_path, {"prepacking": False})
    assert read_session(tmp_path, OnnxRuntimeSession) == OnnxRuntimeSession(arena=False, prepacking=False)
    (tmp_path / FILE).write_text("[1]")
    with pytest.raises(NotMeasured, match=r"session\.json: does not say how the model is opened"):
        read_session(tmp_path, OnnxRuntimeSession)


def test_artifacts_are_made_once_for_each_meaning(tmp_path: Path) -> None:
    """Options are part of the key; a session alone is a copy with its settings beside it, of a digest of its own."""
    path, _ = save(mlp(), tmp_path)
    with workspace(Cache(tmp_path / "cache"), Measure()) as space:
        source = ModelSource(space, "onnx_runtime", "cpu", path, "onnx", digest(path))
        kind = options_of(framework("onnx_runtime"), "int8_dynamic")

        def make(**options: Any) -> Any:
            return make_variant(source, "int8_dynamic", options=filled(msgspec.convert(options, kind)))

        plain, channels = make(), make(per_channel=True)
        opened, again = make(session={"arena": False}), make(session={"arena": False})
    assert len({plain.sha256, channels.sha256, opened.sha256}) == 3
    assert not plain.cached and not channels.cached and not opened.cached and again.cached
    assert {file.name for file in opened.files} == {"model.onnx", FILE} and {file.name for file in plain.files} == {"model.onnx"}
    assert (opened.folder / "model.onnx").read_bytes() == (plain.folder / "model.onnx").read_bytes()
    assert read_session(opened.folder, OnnxRuntimeSession) == OnnxRuntimeSession(arena=False)
    assert len(list((tmp_path / "cache" / "artifacts").iterdir())) == 2
