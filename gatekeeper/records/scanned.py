"""What a scan of a model's files found."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gatekeeper.records.base import Amount, Count, Record

ScanVerdict = Literal["clean", "hostile", "unscanned"]
"""`unscanned`: nobody can say. It is never clean."""


class ScanFinding(Record, frozen=True, kw_only=True):
    """One thing in a file that no model needs, or that misleads its reader."""

    rule: Annotated[str, Meta(description="Which rule it breaks; docs/scan.md lists them.")]
    what: Annotated[str, Meta(description="What was found.")]
    where: Annotated[str, Meta(description="Where in the file: a node, a tensor, a key; empty: the file itself.")] = ""
    remedy: Annotated[str, Meta(description="What to do about it.")] = ""


class ScannedFile(Record, frozen=True, kw_only=True):
    """One file as it was scanned."""

    file: Annotated[str, Meta(description="Below the model's folder.")]
    verdict: ScanVerdict
    sha256: Annotated[str, Meta(description="Of the bytes that were scanned; empty where they could not be read.")] = ""
    bytes: Count = 0
    scans: Annotated[list[str], Meta(description="What looked at it, an engine with its version.")] = []
    reason: Annotated[str, Meta(description="Why it could not be scanned; empty if it could.")] = ""
    found: list[ScanFinding] = []


class ModelScan(Record, frozen=True, kw_only=True):
    """One model: the worst of its files is its verdict."""

    model: Annotated[str, Meta(description="The path as it was given.")]
    verdict: ScanVerdict
    files: list[ScannedFile]
    seconds: Amount = 0.0
