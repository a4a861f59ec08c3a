"""The worker's side of optimization: one artifact."""

from __future__ import annotations

from pathlib import Path

from gatekeeper.frameworks._base import OptimizeJob, framework
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

    def answer(self, held: Held) -> Done:
        """Let the framework do it."""
        framework(self.framework).optimize(
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
            )
        )
        return Done()


def _path(name: str | None) -> Path | None:
    return Path(name) if name else None
