"""Its file is larger than it may be."""

from __future__ import annotations

from collections.abc import Sequence

from gatekeeper.causes.diagnoses._base import ANY, Row
from gatekeeper.causes.seen import Seen, size
from gatekeeper.records.explained import Fact

DESCRIPTION = "Its file, or the package that it is in, is larger than a gate allows."
GATES = ("package_size", "bundle_size", "apk_size")


def file(seen: Seen) -> Sequence[Fact]:
    """How large it is."""
    return (size("its file", seen.variant.artifact.bytes),) if seen.variant.artifact else ()


ROWS = (Row(ANY, "its weights are most of a model's file", "fewer bits a weight (int8, then 4 bits), also of embeddings", file),)
