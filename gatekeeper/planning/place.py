"""Where a leg runs on this machine: device and threads, or why it cannot run here."""

from __future__ import annotations

from dataclasses import dataclass

from gatekeeper.config.sections.measure import Measure
from gatekeeper.config.sections.targets import Target
from gatekeeper.frameworks._base import framework
from gatekeeper.frameworks._missing import missing_packages
from gatekeeper.hardware.machine import this_machine
from gatekeeper.hardware.selection import hardware
from gatekeeper.planning.plan import PlannedLeg, device_of, undriven


@dataclass(frozen=True)
class Place:
    """`device` is what sessions are opened on; `note` says what was done instead of what was asked; `error` why nothing is."""

    device: str
    threads: int
    note: str = ""
    error: str = ""


def place(leg: PlannedLeg, target: Target, measure: Measure, model_format: str) -> Place:
    """Where to run a leg. Another device than the target's is taken only where the file says so."""
    threads = threads_of(target, measure)
    error = leg.error or missing_packages(leg.framework, model_format)
    if leg.baseline and not error:
        error = missing_packages(leg.baseline, model_format)
    absent = None if error else hardware(target.hardware).absent(this_machine())
    absent = absent or undriven(target.hardware, leg.framework, model_format, device_of(target, leg.framework))
    if absent and target.fallback == "cpu":
        unfit = framework(leg.framework).supports(model_format, "cpu")
        note = f"{absent}; it ran on the CPU instead, because of `fallback: cpu`. This says nothing of {target.hardware}"
        return Place("cpu", threads, note, unfit or "")
    return Place(device_of(target, leg.framework), threads, error=error or absent or "")


def threads_of(target: Target, measure: Measure) -> int:
    """Threads every model of a target gets."""
    machine = this_machine()
    return target.threads or measure.threads or min(machine.cores, machine.threads)
