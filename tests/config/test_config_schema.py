"""The schema files: in step with the types, valid, and described."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
import pytest
from jsonschema import Draft202012Validator
from kit.support import REPOSITORY
from msgspec import Meta

from gatekeeper.config.owners import STAGES, stage_names
from gatekeeper.config.schema import DIALECT, render
from gatekeeper.config.section import Section
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.gates._base import gate
from gatekeeper.gates._base import names as gate_names
from gatekeeper.hardware.selection import TARGETS
from gatekeeper.records.base import FRAMEWORKS as KNOWN_FRAMEWORKS
from gatekeeper.reference.write import SCHEMAS

PIPELINE = SCHEMAS["edge_ai_pipeline.schema.json"]()
DEFINITIONS = PIPELINE["$defs"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_file_is_what_the_types_generate(name: str) -> None:
    text = (REPOSITORY / "schemas" / name).read_text(encoding="utf-8")
    assert text == render(SCHEMAS[name]()), "run: python -m gatekeeper.reference.write"


def test_there_is_no_other_schema_file() -> None:
    assert {p.name for p in (REPOSITORY / "schemas").iterdir()} == set(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schema_is_a_valid_one(name: str) -> None:
    schema = json.loads((REPOSITORY / "schemas" / name).read_text(encoding="utf-8"))
    assert schema["$schema"] == DIALECT
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", SCHEMAS)
def test_generating_twice_gives_the_same(name: str) -> None:
    assert render(SCHEMAS[name]()) == render(SCHEMAS[name]())


def sections() -> dict[str, type[msgspec.Struct]]:
    """Every section, whoever owns it."""
    queue, found = [Section], {}
    while queue:
        for kind in queue.pop().__subclasses__():
            queue.append(kind)
            found[kind.__name__] = kind
    return {name: kind for name, kind in found.items() if name in DEFINITIONS}


def described(kind: type) -> Iterator[tuple[str, str]]:
    for field, hint in get_type_hints(kind, include_extras=True).items():
        if typing.get_origin(hint) is Annotated:
            yield from ((field, m.description) for m in get_args(hint)[1:] if isinstance(m, Meta) and m.description)


def test_sections_are_found() -> None:
    assert {"Pipeline", "Gates", "Measure", "Target", "Dataset", "Optimization", "Testing", "LoadProfile", "Ios"} <= set(
        sections()
    )


@pytest.mark.parametrize("name", sections())
def test_every_description_reaches_the_schema(name: str) -> None:
    properties = DEFINITIONS[name]["properties"]
    for field, description in described(sections()[name]):
        assert properties[field].get("description") == description, f"{name}.{field}"


@pytest.mark.parametrize("name", gate_names())
def test_every_limit_of_a_gate_is_described(name: str) -> None:
    gates = DEFINITIONS["Gates"]["properties"]
    assert gates[name]["description"] == gate(name).DESCRIPTION
    references = [branch["$ref"] for branch in gates[name]["anyOf"] if "$ref" in branch]
    (reference,) = references
    for field, schema in DEFINITIONS[reference.rpartition("/")[2]]["properties"].items():
        assert schema.get("description"), f"{name}.{field}"


@pytest.mark.parametrize("name", sections())
def test_every_section_refuses_unknown_keys(name: str) -> None:
    assert DEFINITIONS[name]["additionalProperties"] is False
    assert DEFINITIONS[name]["description"]


def properties_named(key: str) -> Iterator[dict[str, Any]]:
    for definition in DEFINITIONS.values():
        if key in definition.get("properties", {}):
            yield definition["properties"][key]


def test_frameworks_are_the_known_ones_and_the_registry() -> None:
    expected = sorted({*KNOWN_FRAMEWORKS, *FRAMEWORKS.names})
    for schema in properties_named("frameworks"):
        assert schema["items"]["enum"] == expected
    for schema in properties_named("framework"):
        named = schema if "enum" in schema else next(each for each in schema["anyOf"] if "enum" in each)
        assert named["enum"] == expected
    assert sorted(DEFINITIONS["Techniques"]["properties"]) == expected


def test_hardware_is_the_registry() -> None:
    assert DEFINITIONS["Target"]["properties"]["hardware"]["enum"] == list(TARGETS.names)


def test_gates_are_the_registry() -> None:
    assert set(DEFINITIONS["Gates"]["properties"]) == {*gate_names(), "require", "on_inconclusive", "new_files"}


def test_every_stage_that_exists_can_be_listed() -> None:
    assert set(STAGES.names) <= set(stage_names())
    assert DEFINITIONS["Pipeline"]["properties"]["stages"]["items"]["enum"] == sorted(stage_names())


def test_every_metric_is_in_the_description() -> None:
    from gatekeeper.config.sections.dataset import METRICS

    description = DEFINITIONS["Dataset"]["properties"]["metric"]["description"]
    assert all(metric in description for metric in METRICS.names)


@pytest.mark.parametrize(
    "path", sorted(REPOSITORY.glob("examples/*/edge_ai_pipeline*.yaml")), ids=lambda p: f"{p.parent.name}-{p.stem}"
)
def test_the_examples_hold_to_the_schema(path: Any) -> None:
    from gatekeeper.config.source import read_source

    schema = json.loads((REPOSITORY / "schemas" / "edge_ai_pipeline.schema.json").read_text(encoding="utf-8"))
    assert not list(Draft202012Validator(schema).iter_errors(read_source(path).data))
