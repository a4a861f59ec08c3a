"""The ML-BOM beside a certificate, as CycloneDX's own library reads and validates it."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import ComponentType
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from kit.certified import Place, certified
from kit.once import Once

from gatekeeper.certificate.bom import check_bom
from gatekeeper.compliance.bom import bom
from gatekeeper.errors import Refused
from gatekeeper.records.measured import Artifact
from gatekeeper.records.report import Report
from gatekeeper.reports._read import parsed


@pytest.fixture
def place(once: Once, tmp_path: Path) -> Place:
    return certified(once, tmp_path)


@pytest.fixture
def document(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(place.bom.read_bytes())
    return found


def report(place: Place) -> Report:
    return parsed(place.report.read_bytes(), place.report)


def valid(document: dict[str, Any]) -> bool:
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is None


def test_it_is_valid_strictly_and_another_library_reads_it(place: Place, document: dict[str, Any]) -> None:
    assert valid(document)
    read = Bom.from_json(document)  # type: ignore[attr-defined]
    model = read.metadata.component
    assert model.type is ComponentType.MACHINE_LEARNING_MODEL
    assert {str(each.content) for each in model.hashes} == {sha256(place.model.read_bytes()).hexdigest()}
    [original] = model.pedigree.ancestors
    assert {str(each.content) for each in original.hashes} == {sha256((place.folder / "model.onnx").read_bytes()).hexdigest()}
    assert [each.value for each in model.licenses] == ["Apache-2.0"]
    kinds = {each.type for each in read.components}
    assert kinds == {ComponentType.FILE, ComponentType.LIBRARY, ComponentType.DATA}


def test_what_it_states(place: Place, document: dict[str, Any]) -> None:
    found = json.loads(place.report.read_bytes())
    [variant] = found["targets"][0]["variants"]
    assert document["metadata"]["timestamp"] == found["created"]
    card = document["metadata"]["component"]["modelCard"]
    metrics = {each["type"]: each for each in card["quantitativeAnalysis"]["performanceMetrics"]}
    assert float(metrics["accuracy"]["value"]) == variant["quality"]["value"]
    kept = next(each for each in variant["gates"] if each["gate"] == "accuracy")
    stated = metrics["gatekeeper:accuracy (fraction)"]
    bounds = stated["confidenceInterval"]
    assert (float(stated["value"]), float(bounds["lowerBound"]), float(bounds["upperBound"])) == (
        kept["observed"],
        kept["lower"],
        kept["upper"],
    )
    assert card["considerations"]["useCases"] == ["Telling four kinds of nothing apart."]
    assert card["considerations"]["technicalLimitations"] == ["It has seen no real example."]
    assert document["metadata"]["component"]["publisher"] == "The testers"
    parts = {each["bom-ref"]: each for each in document["components"]}
    assert parts["data:evaluation"]["hashes"][0]["content"] == sha256((place.folder / "eval.npz").read_bytes()).hexdigest()
    assert parts["data:evaluation"]["licenses"][0]["expression"] == "CC-BY-4.0"
    assert parts["data:training"]["licenses"][0]["expression"] == "Apache-2.0 OR MIT"
    packages = found["targets"][0]["legs"][0]["environment"]["packages"]
    assert {name: parts[f"package:{name}"]["version"] for name in packages} == packages
    assert parts[f"file:{place.model.name}"]["hashes"][0]["content"] == sha256(place.model.read_bytes()).hexdigest()
    assert place.payload()["predicate"]["bom"] == sha256(place.bom.read_bytes()).hexdigest()


def test_the_same_report_gives_the_same_bytes_and_another_another_serial_number(place: Place, document: dict[str, Any]) -> None:
    before = place.bom.read_bytes()
    assert place.certify().returncode == 0
    assert place.bom.read_bytes() == before
    place.change_report(lambda found: found.update(created="2026-01-01T00:00:00Z"))
    assert place.certify().returncode == 0
    other = json.loads(place.bom.read_bytes())
    assert other["serialNumber"] != document["serialNumber"]


def test_a_folder_has_every_file_of_it(place: Place) -> None:
    whole = report(place)
    variant = whole.targets[0].variants[0]
    import msgspec

    folder = msgspec.structs.replace(variant, artifact=Artifact(path="artifacts/x", sha256="e" * 64, bytes=3))
    files = {"config.json": "a" * 64, "deep/model.safetensors": "b" * 64, "tokenizer.json": "c" * 64}
    document = json.loads(bom(whole, folder, files))
    assert valid(document)
    assert {each["name"]: each["hashes"][0]["content"] for each in document["components"] if each["type"] == "file"} == files
    about = {each["name"]: each["value"] for each in document["metadata"]["component"]["properties"]}
    assert about["gatekeeper:sha256_of"].startswith("the lines `digest  name`")


def test_a_report_without_the_stage_has_one_too(place: Place) -> None:
    """Nothing is declared in it, and nothing is made up."""
    import msgspec

    whole = report(place)
    bare = msgspec.structs.replace(whole, stages=[each for each in whole.stages if each.stage != "compliance"], data=None)
    document = json.loads(bom(bare, bare.targets[0].variants[0], {"model.onnx": "a" * 64}))
    assert valid(document)
    assert "licenses" not in document["metadata"]["component"]
    assert "considerations" not in document["metadata"]["component"]["modelCard"]


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another format": lambda d: d.update(bomFormat="SPDX"),
    "a field that is none": lambda d: d["metadata"]["component"].update(certified=True),
    "a type that is none": lambda d: d["components"][0].update(type="model"),
    "a hash that is none": lambda d: d["components"][0]["hashes"][0].update(content="abc"),
    "a number for a value": lambda d: d["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][
        0
    ].update(value=0.5),
    "two expressions": lambda d: d["metadata"]["component"]["licenses"].append({"expression": "MIT"}),
    "a time that is none": lambda d: d["metadata"].update(timestamp="soon"),
    "a serial number that is none": lambda d: d.update(serialNumber="1"),
}


@pytest.mark.parametrize("way", WRONG)
def test_what_is_no_cyclonedx_is_refused_before_it_is_written(document: dict[str, Any], way: str) -> None:
    check_bom(json.dumps(document).encode(), "report.json")
    WRONG[way](document)
    assert not valid(document)
    with pytest.raises(Refused, match="makes no BOM in CycloneDX"):
        check_bom(json.dumps(document).encode(), "report.json")
