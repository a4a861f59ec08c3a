"""What runs where: every framework asked about every model format on every kind of device."""

from __future__ import annotations

from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import framework
from gatekeeper.hardware.selection import TARGETS, hardware


def devices() -> dict[str, list[str]]:
    """Device -> the kinds of hardware that have it, as a pipeline file names them."""
    kinds: dict[str, list[str]] = {}
    for name in TARGETS.names:
        if name == "other":  # by its name nothing runs on it
            continue
        kinds.setdefault(hardware(name).DEVICE, []).append(name)
    return kinds


def support(model_format: str) -> dict[str, dict[str, str | None]]:
    """Framework -> device -> None if it runs there, else why not."""
    return {name: {d: framework(name).supports(model_format, d) for d in devices()} for name in FRAMEWORKS.names}
