"""What is shipped as an ML-BOM: CycloneDX 1.6 in JSON (https://cyclonedx.org/docs/1.6/json), of a report that was judged again.

Plain data in the order of the specification. The same report and files give the same bytes: the time is that of measuring, the
serial number follows from the content.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from gatekeeper.compliance.annex import compliance_of, sets_by_key
from gatekeeper.compliance.judge import called
from gatekeeper.ids import target_of
from gatekeeper.records.compliance import Compliance
from gatekeeper.records.gates import GateResult
from gatekeeper.records.measured import Quality
from gatekeeper.records.report import LegReport, Report, VariantReport

SUFFIX = ".cdx.json"
"""What CycloneDX calls its files."""
SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
NAMESPACE = uuid.UUID("8e1f4c0e-52f5-5d0c-9c1b-6d5f0a4e7b21")
OURS = "gatekeeper:"
_MODEL, _ORIGINAL = "model", "original"

Json = dict[str, Any]


def bom(report: Report, variant: VariantReport, files: Mapping[str, str]) -> bytes:
    """The BOM of a variant whose files, by name, have these SHA-256."""
    target = next(each for each in report.targets if each.name == target_of(variant.id))
    leg, found = target.leg_of(variant), compliance_of(report)
    parts = [*_files(files), *_packages(leg), *_datasets(report, found)]
    whole: Json = {
        "metadata": {
            **({"timestamp": report.created} if report.created else {}),
            "tools": {"components": [{"type": "application", "name": "edge-gatekeeper", "version": report.version}]},
            "component": _component(report, variant, leg, found, files),
        },
        "components": parts,
        "dependencies": [
            {"ref": _MODEL, "dependsOn": sorted(each["bom-ref"] for each in parts if each["type"] in ("file", "library"))}
        ],
    }
    serial = uuid.uuid5(NAMESPACE, msgspec.json.encode(whole).hex())
    head = {"$schema": SCHEMA, "bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}", "version": 1}
    return msgspec.json.format(msgspec.json.encode(head | whole), indent=2) + b"\n"


def _component(
    report: Report, variant: VariantReport, leg: LegReport | None, found: Compliance | None, files: Mapping[str, str]
) -> Json:
    """The model itself."""
    assert variant.artifact is not None  # who has none is not certified
    version = found.fields.get("version", "") if found else ""
    told = leg.environment if leg else None
    about = {
        "variant": variant.id,
        "sha256": variant.artifact.sha256,
        "sha256_of": "the file" if len(files) == 1 else "the lines `digest  name` of its files, as sha256sum prints them",
        "bytes": str(variant.artifact.bytes),
        "report_verdict": str(report.verdict),
        "commit": report.commit,
        "pipeline_sha256": report.pipeline.sha256,
        **({"cpu": told.cpu, "os": told.os, "threads": str(told.threads)} if told else {}),
    }
    return {
        "type": "machine-learning-model",
        "bom-ref": _MODEL,
        "name": next(iter(files)) if len(files) == 1 else variant.artifact.path,
        **({"version": version} if version else {}),
        **_publisher(found),
        "hashes": [_hash(variant.artifact.sha256)],
        **_licenses(found.license if found else ""),
        "pedigree": {
            "ancestors": [
                {
                    "type": "machine-learning-model",
                    "bom-ref": _ORIGINAL,
                    "name": report.model.path,
                    "hashes": [_hash(report.model.sha256)],
                    **_licenses(found.license if found else ""),
                }
            ],
            "notes": f"{variant.technique} by {variant.framework}, held against the original",
        },
        "modelCard": _card(report, variant, found),
        "properties": _properties(about),
    }


def _card(report: Report, variant: VariantReport, found: Compliance | None) -> Json:
    sets = sets_by_key(report)
    parameters = {
        **({"architectureFamily": report.model.architecture} if report.model.architecture else {}),
        **({"datasets": [{"ref": f"data:{key}"} for key in sets]} if sets else {}),
    }
    metrics = [*_measured(variant.quality, ""), *(_metric(each) for each in variant.gates if each.observed is not None)]
    metrics += [each for name, quality in variant.also.items() for each in _measured(quality, called(name))]
    return {
        **({"modelParameters": parameters} if parameters else {}),
        **({"quantitativeAnalysis": {"performanceMetrics": metrics}} if metrics else {}),
        **_considerations(found),
        "properties": _properties({f"gate:{each.gate}": _limit(each) for each in variant.gates}),
    }


def _measured(quality: Quality | None, where: str) -> Iterator[Json]:
    """What the model scores by itself; gates say what is kept of the original's."""
    if quality is not None and quality.value is not None:
        yield {"type": quality.metric, "value": _number(quality.value), **({"slice": where} if where else {})}


def _metric(each: GateResult) -> Json:
    bounds = {"lowerBound": each.lower, "upperBound": each.upper}
    known = {key: _number(value) for key, value in bounds.items() if value is not None}
    return {
        "type": f"{OURS}{each.gate} ({each.unit})",
        "value": _number(each.observed or 0.0),
        **({"confidenceInterval": known} if known else {}),
    }


def _limit(each: GateResult) -> str:
    side = "at least" if each.bound == "at_least" else "at most"
    limit = f", {side} {_number(each.limit)} {each.unit}" if each.limit is not None else ""
    return f"{each.verdict}{limit}{', waived' if each.waiver else ''}{'' if each.blocking else ', only warns'}"


def _considerations(found: Compliance | None) -> Json:
    fields = found.fields if found else {}
    told: Json = {}
    if uses := [fields[name] for name in ("intended_purpose",) if fields.get(name)]:
        told["useCases"] = uses
    if limits := [fields[name] for name in ("limitations", "out_of_scope") if fields.get(name)]:
        told["technicalLimitations"] = limits
    if fields.get("risks"):
        oversight = fields.get("human_oversight")
        told["ethicalConsiderations"] = [
            {"name": fields["risks"], **({"mitigationStrategy": oversight} if oversight else {})},
        ]
    return {"considerations": told} if told else {}


def _files(files: Mapping[str, str]) -> Iterator[Json]:
    for name, digest in files.items():
        yield {"type": "file", "bom-ref": f"file:{name}", "name": name, "hashes": [_hash(digest)]}


def _packages(leg: LegReport | None) -> Iterator[Json]:
    """What it was made and measured with."""
    for name, version in sorted((leg.environment.packages if leg and leg.environment else {}).items()):
        purl = f"pkg:pypi/{quote(name.lower().replace('_', '-'), safe='')}@{quote(version, safe='')}"
        yield {"type": "library", "bom-ref": f"package:{name}", "name": name, "version": version, "purl": purl}


def _datasets(report: Report, found: Compliance | None) -> Iterator[Json]:
    """The sets that were read, and others that were declared."""
    keys, declared = sets_by_key(report), found.datasets if found else {}
    for name in dict.fromkeys([*keys, *declared]):
        each = report.data.sets.get(keys[name]) if report.data and name in keys else None
        own = declared.get(name)
        counted = {"examples": str(each.examples), "distinct": str(each.distinct)} if each and each.examples else {}
        yield {
            "type": "data",
            "bom-ref": f"data:{name}",
            "name": each.source if each else name,
            "description": keys.get(name, f"{name}, as declared"),
            **({"hashes": [_hash(each.sha256)]} if each else {}),
            **_licenses(own.license if own else ""),
            "data": [{"type": "dataset", "name": name}],
            "properties": _properties(counted | ({"source": own.source} if own and own.source else {})),
        }


def _publisher(found: Compliance | None) -> Json:
    provider = found.fields.get("provider") if found else None
    return {"publisher": provider} if provider else {}


def _hash(digest: str) -> Json:
    return {"alg": "SHA-256", "content": digest}


def _licenses(expression: str) -> Json:
    return {"licenses": [{"expression": expression, "acknowledgement": "declared"}]} if expression else {}


def _properties(values: Mapping[str, str]) -> list[Json]:
    return [{"name": f"{OURS}{name}", "value": value} for name, value in values.items() if value]


def _number(value: float | None) -> str:
    """All that is known of a number, which reads back as the same."""
    return repr(float(value)) if value is not None else ""
