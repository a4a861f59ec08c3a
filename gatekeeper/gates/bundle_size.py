"""The variant fits the app bundle of a phone that unpacks nothing: its files count as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gatekeeper.gates._packed import PackedConfig, applies, decide, scope

if TYPE_CHECKING:
    from gatekeeper.records.evidence import Evidence
    from gatekeeper.records.gates import Decision

__all__ = ["applies", "scope"]
DESCRIPTION = "The variant's files, and what the app takes beside them, are at most this large in an app bundle."
UNIT = "bytes"
BOUND: Literal["at_most"] = "at_most"
BASIS: Literal["artifact"] = "artifact"
DEFAULT = None
limit_key = "max"
_PLACE = ("packaging", "mobile_deployment", "ios")
SAME_AS = (*_PLACE, "packaging", "bundle_size")
BESIDE = {
    "framework": (*_PLACE, "framework"),
    "quantization": (*_PLACE, "quantization"),
    "app_size": (*_PLACE, "packaging", "app_size"),
}


class Config(PackedConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limit of the gate on app bundles."""


def judge(config: Config, evidence: Evidence) -> Decision:
    """PASS if the bytes on disk are within the limit."""
    return decide(config, evidence.artifact.bytes, "size")
