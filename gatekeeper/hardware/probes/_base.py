"""What every probe of hardware shares. A probe is a module of this folder; a package adds one with an entry point of the group
`gatekeeper.hardware.probes`. It has:

    DESCRIPTION  what it looks for
    ORDER        its place in the output
    look(root) -> [Found]; reads the system under that folder ("/" but for tests) and imports no framework

Each runs in a process of its own with a time limit: one that hangs, crashes or raises is named, and the others are reported. What
is there and cannot be used is found, too: `missing` says what keeps it and how to get that.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Protocol, cast

from msgspec import Meta

from gatekeeper.records.base import Record
from gatekeeper.registry import Registry

REGISTRY = Registry("hardware.probes", ("DESCRIPTION", "ORDER", "look"))


class Missing(Record, frozen=True, kw_only=True):
    """What keeps hardware, or a framework on it, from being used, and what to do about it."""

    what: str
    how: str


class Found(Record, frozen=True, kw_only=True):
    """One piece of hardware."""

    name: str
    kind: Literal["cpu", "gpu", "npu", "accelerator", "board"]
    device: Annotated[str, Meta(description="What sessions are opened on: cpu, cuda, gpu, metal, npu, or a plugin's own word.")]
    facts: dict[str, str] = {}
    missing: list[Missing] = []


class Probe(Protocol):
    """The shape of a probe module."""

    DESCRIPTION: str
    ORDER: int

    @staticmethod
    def look(root: Path) -> list[Found]:
        """What is there; an empty list where nothing is."""


def probe(name: str) -> Probe:
    """The probe of that name."""
    return cast(Probe, REGISTRY.get(name))


def text(file: Path) -> str:
    """What a small file of the system says; empty where it is not there or may not be read."""
    try:
        return file.read_bytes().decode("utf-8", "replace").strip("\0 \n")
    except OSError:
        return ""


def driver(device: Path) -> str:
    """The kernel driver of a device in sysfs; empty where none took it."""
    link = device / "driver"
    return link.resolve().name if link.exists() else ""


def pci(root: Path, vendor: str, classes: Iterable[str]) -> list[Path]:
    """Devices on the PCI bus of a vendor (0x8086) whose class begins with one of these (0x03 a display, 0x12 an accelerator)."""
    wanted = tuple(classes)
    devices = sorted((root / "sys/bus/pci/devices").glob("*"))
    return [each for each in devices if text(each / "vendor") == vendor and text(each / "class").startswith(wanted)]
