"""What a server of a variant needs: from the peaks that were measured of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatekeeper.config.sections.resources import Resources
from gatekeeper.errors import Refused
from gatekeeper.units import format_bytes, parse_size

if TYPE_CHECKING:
    from gatekeeper.deploy.packages._approved import Approved

MIB = 1 << 20
HEADROOM = 1.25
"""What is asked for beyond the largest peak that was seen: the next may be larger."""


@dataclass(frozen=True)
class Needs:
    """Memory in MiB, whole cores, and where the numbers come from."""

    memory_mib: int
    cpus: int
    why: str


def needs_of(approved: Approved, stated: Resources, key: str) -> Needs:
    """The memory and cores of one server; `Refused` where no peak was measured and none is stated."""
    cpus = stated.cpus or approved.threads
    if stated.memory:
        return Needs(_mib(parse_size(stated.memory)), cpus, f"memory as {key}.memory says")
    performance = approved.variant.performance
    peaks = [each.peak_bytes for each in performance.rounds if each.peak_bytes is not None] if performance else []
    if not peaks:
        raise Refused(f"{approved.variant.id}: no peak memory was measured. Say with {key}.memory how much a server may take.")
    peak = max(peaks)
    own = parse_size(stated.server_memory)
    why = f"peak of {format_bytes(peak)} in {len(peaks)} rounds, and a quarter, and {format_bytes(own)} of server and runtime"
    return Needs(_mib(HEADROOM * peak + own), cpus, why)


def _mib(count: float) -> int:
    return math.ceil(count / MIB)
