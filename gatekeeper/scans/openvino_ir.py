"""OpenVINO IR models: operators of no opset, constants beyond their file, and XML that expands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gatekeeper.models.formats.openvino_ir import operators
from gatekeeper.scans._base import Belongs, Found, Rule, Saw, Seen, Unscanned

DESCRIPTION = "OpenVINO IR (`.xml` with its `.bin`): operators outside of the opsets, places of constants, document types."
ORDER = 10
RULES: dict[str, Rule] = {}

OPSET = re.compile(r"opset([1-9][0-9]?)")
NEWEST = 20
"""Opsets up to here may be OpenVINO's own; 16 is the newest that there is."""


def takes(seen: Seen) -> bool:
    """By its name."""
    return seen.suffix == ".xml"


def scan(seen: Seen) -> Iterator[Saw]:
    """Every layer of every graph; its other lies are what reading it raises."""
    if seen.content not in ("xml", "text"):
        raise Unscanned(f"it is named .xml and holds {seen.content}")
    if b"<net" not in seen.head and b"<!" not in seen.head and b"<net" not in _start(seen):
        raise Unscanned("it is no OpenVINO model")
    with seen.opened() as file:
        found, held = operators(seen.path, file, seen.size)
    if held:
        yield Belongs(seen.path.with_suffix(".bin").relative_to(seen.root).as_posix())
    told: set[str] = set()
    for version, kind, name in found:
        number = OPSET.fullmatch(version)
        known = number is not None and int(number[1]) <= NEWEST
        if not known and version not in seen.domains and f"{version}{kind}" not in told:
            told.add(f"{version}{kind}")
            yield Found(
                "custom_operator", f"{kind[:80]!r} of {version[:80]!r}, which is no opset of OpenVINO", f"layer {name[:80]!r}"
            )


def _start(seen: Seen) -> bytes:
    with seen.opened() as file:
        return file.read(1 << 16)
