"""The variant's files fit the size limit of the app or image they ship in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gatekeeper.gates._base import GateConfig, unmeasured
from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import Decision
from gatekeeper.units import SIZE_PATTERN, format_bytes, parse_size

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence

DESCRIPTION = "The variant's files together are at most this large."
UNIT = "bytes"
BOUND: Literal["at_most"] = "at_most"
BASIS: Literal["artifact"] = "artifact"
DEFAULT = None
limit_key = "max"


class Config(GateConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the package size gate."""

    max: Annotated[str, Meta(pattern=SIZE_PATTERN, description="Largest size of the artifact, e.g. 50MB (10^6) or 48MiB (2^20).")]


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the bytes on disk are within the limit; sizes are exact, so there is no interval."""
    size, limit = evidence.artifact.bytes, parse_size(config.max)
    if size <= 0:
        return unmeasured("the artifact has no bytes")
    verdict, reason = Verdict.PASS, f"{format_bytes(size)} of {format_bytes(limit)}"
    if size > limit:
        verdict, reason = Verdict.FAIL, f"{format_bytes(size)}, {format_bytes(size - limit)} over {format_bytes(limit)}"
    return Decision(verdict=verdict, reason=reason, observed=float(size), lower=float(size), upper=float(size))
