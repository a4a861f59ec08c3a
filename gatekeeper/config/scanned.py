"""What a pipeline file says of scanning: whether models are scanned, and by which exceptions. A policy that asks for it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded

MODEL_VALIDATION, TESTING = "model_validation", "testing"
ALONE = (".onnx", ".xml")
"""Formats that are scanned without the extra `scan`."""


def scanning(loaded: Loaded) -> bool:
    """Whether models are scanned before anything loads them."""
    return any(_before(each) for each in loaded.stated_in_both())


def looked_at(loaded: Loaded) -> bool:
    """Whether this file by itself has anything scanned: before it is loaded, or as a part of its tests."""
    return _before(loaded) or loaded.section(TESTING).security_tests == "comprehensive"


def allowed_domains(loaded: Loaded) -> tuple[str, ...]:
    """Domains that both this file and a policy that scans allow."""
    stated = [set(loaded.section(MODEL_VALIDATION).allowed_domains)]
    for each in loaded.stated_in_both()[1:]:
        if looked_at(each):
            stated.append(set(each.section(MODEL_VALIDATION).allowed_domains))
    return tuple(sorted(set.intersection(*stated)))


def scanned_by(loaded: Loaded) -> list[str]:
    """Extras that scanning takes: none where every model is of a format that gatekeeper reads alone."""
    own = [loaded.folder / each.path for each in loaded.section("optimization").variants]
    paths = [*filter(None, [loaded.model_path()]), *own]
    return [] if all(path.suffix.lower() in ALONE for path in paths) else ["scan"]


def _before(loaded: Loaded) -> bool:
    return bool(loaded.section(MODEL_VALIDATION).security_scan == "enabled")
