"""The platform matrix: which framework suits which hardware, and which targets this machine can stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.hardware.machine import Machine

TARGETS = Registry("hardware.targets")

DEVICES = ("auto", "cpu", "cuda", "gpu", "metal", "npu")
"""Devices that frameworks are asked for by name. A target from elsewhere may have one that only its own framework drives."""


class Hardware(Protocol):
    """The shape of a module in gatekeeper/hardware/targets."""

    DESCRIPTION: str
    DEVICE: str  # what a session is opened on: one of DEVICES, or a new one
    PRIMARY: str  # the framework to try first
    SECOND: str
    SPECIAL: str

    @staticmethod
    def absent(machine: Machine) -> str | None:
        """Why a machine is not this hardware; None if it is."""


def hardware(name: str) -> Hardware:
    """The hardware of that name."""
    return cast(Hardware, TARGETS.get(name))
