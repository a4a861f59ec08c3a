"""The worker's side of optimization: one artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.frameworks._base import OptimizeJob, framework
from gatekeeper.frameworks._options import options_of
from gatekeeper.process.messages import Done, Held, Request


class Optimize(Request, frozen=True, kw_only=True):
    """Make one artifact in the folder `destination`; the rest as in `OptimizeJob`."""

    framework: str
    technique: str
    source: str
    destination: str
    device: str
    vnni: bool
    calibration: str | None
    original: str | None = None
    config: str | None = None
    trusted: bool = False
    options: dict[str, Any] = {}

    def answer(self, held: Held) -> Done:
        """Let the framework do it."""
        module = framework(self.framework)
        module.optimize(
            OptimizeJob(
                source=Path(self.source),
                destination=Path(self.destination),
                technique=self.technique,
                device=self.device,
                vnni=self.vnni,
                calibration=_path(self.calibration),
                original=_path(self.original),
                config=_path(self.config),
                trusted=self.trusted,
                options=msgspec.convert(self.options, options_of(module, self.technique)),
            )
        )
        return Done()


def _path(name: str | None) -> Path | None:
    return Path(name) if name else None
