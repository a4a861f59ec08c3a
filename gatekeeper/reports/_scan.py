"""What a scan found, in words: lines for a report and the terminal, and SARIF of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from gatekeeper.records.scanned import ModelScan, ScanFinding, ScannedFile
from gatekeeper.reports._plain import plain
from gatekeeper.version import version

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RESULTS = 25_000
UNSCANNED = "unscanned"
"""The rule of a file that nobody can say anything of."""

WORDS = {"clean": "CLEAN", "hostile": "HOSTILE", "unscanned": "COULD NOT BE SCANNED"}


def lines(scan: ModelScan) -> list[str]:
    """Each finding, or where there is none, why a file could not be scanned."""
    hostile = [f"{plain(file.file, 200)}: {_said(found)}" for file, found in _found(scan)]
    unscanned = [f"{plain(file.file, 200)}: {plain(file.reason)}" for file in scan.files if file.reason]
    nothing = [f"{plain(scan.model)}: there is no file in it"] if scan.verdict != "clean" else []
    return hostile or unscanned or nothing


def text(scan: ModelScan) -> str:
    """The whole result for a terminal."""
    told = []
    for file, found in _found(scan):
        told.append(f"  {plain(file.file, 200)}: {_said(found)}")
        told.append(f"      {plain(found.remedy)}")
    told += [f"  {plain(file.file, 200)}: could not be scanned: {plain(file.reason)}" for file in scan.files if file.reason]
    count, size = len(scan.files), sum(file.bytes for file in scan.files)
    number = sum(len(file.found) for file in scan.files)
    what = f"{number} finding{'s' * (number != 1)} in " if number else ""
    files = f"{what}{count} file{'s' * (count != 1)}"
    head = f"{WORDS[scan.verdict]}  {plain(scan.model)}: {files}, {size:,} bytes, {scan.seconds:.1f} s"
    return "\n".join([head, *told])


def sarif(scan: ModelScan, rules: Mapping[str, tuple[str, str]]) -> str:
    """SARIF 2.1.0: a result for each finding, at its file. `rules` are the meaning and the remedy of each."""
    results = [_result(scan, file, found.rule, _said(found), found.where) for file, found in _found(scan)]
    results += [_result(scan, file, UNSCANNED, plain(file.reason), "") for file in scan.files if file.reason]
    names = sorted({result["ruleId"] for result in results})
    for result in results:
        result["ruleIndex"] = names.index(result["ruleId"])
    driver = {"name": "gatekeeper", "version": plain(version(), 50), "rules": [_rule(name, rules) for name in names]}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "gatekeeper/scan/"},
        "invocations": [{"executionSuccessful": not any(file.reason for file in scan.files)}],
        "columnKind": "unicodeCodePoints",
        "results": results[:MOST_RESULTS],
    }
    whole = msgspec.json.encode({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})
    return msgspec.json.format(whole, indent=1).decode()


def _found(scan: ModelScan) -> Iterator[tuple[ScannedFile, ScanFinding]]:
    for file in scan.files:
        for found in file.found:
            yield file, found


def _said(found: ScanFinding) -> str:
    return plain(f"{found.rule}: {found.what}{f' ({found.where})' if found.where else ''}", 400)


def _result(scan: ModelScan, file: ScannedFile, rule: str, said: str, where: str) -> dict[str, Any]:
    digest = hashlib.sha256(f"{rule}\n{file.file}\n{where}\n{said}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
    place = f"{scan.model.rstrip('/')}/{file.file}" if not scan.model.endswith(file.file) else scan.model
    return {
        "ruleId": rule,
        "level": "error",
        "message": {"text": said.replace("{", "{{").replace("}", "}}")},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": quote(place.lstrip("/"), safe="/")}, "region": {"startLine": 1}}}
        ],
        "partialFingerprints": {"primaryLocationLineHash": f"{digest}:1"},
    }


def _rule(name: str, rules: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    missing = ("The file could not be scanned, so nobody can say that it is clean.", "See the reason.")
    meaning, remedy = rules.get(name, missing)
    return {
        "id": name,
        "name": name,
        "shortDescription": {"text": meaning},
        "fullDescription": {"text": meaning},
        "help": {"text": f"{meaning} {remedy}"},
        "defaultConfiguration": {"level": "error"},
    }
