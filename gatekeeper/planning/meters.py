"""Whether this machine counts the energy that a pipeline file has gates on."""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.config.limits import limits
from gatekeeper.config.loaded import Loaded
from gatekeeper.gates._base import metered
from gatekeeper.hardware.selection import hardware
from gatekeeper.measure.energy._base import Absent, measures


def unmetered(loaded: Loaded) -> Iterator[str]:
    """Gates on energy that would end in an error if they ran here, which another machine may well measure."""
    for target in loaded.targets:
        asked = [limit for limit in limits(loaded, target) if limit.config is not None and metered(limit.name)]
        if not asked:
            continue
        found = measures(hardware(target.hardware).DEVICE)
        if isinstance(found, Absent):
            named = ", ".join(limit.name for limit in asked)
            said = f"{asked[0].where}: target {target.name}: {named}: {found.reason}"
            yield f"{said}. Where this runs something must measure it, else these gates end in an error."
