"""What every framework shares. A framework is a module of this folder; its file name is its YAML key. It has:

    EXTRA        the extra of this distribution that installs it
    REQUIRES     distributions whose versions are part of an artifact's identity
    TECHNIQUES   name -> one line of what it does
    supports(model_format, device) -> None, or why the combination is impossible
    defaults(device) -> techniques to try when the file names none
    refuses(technique, model) -> None, or why it cannot apply to this model
    optimize(job) -> None; writes job.destination; runs in a worker
    open_session(path, threads, device) -> Session; runs in a worker

The module itself imports nothing heavy: `plan` and `validate` ask it questions without the framework.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from gatekeeper.registry import Registry

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment

REGISTRY = Registry("frameworks")


@dataclass(frozen=True)
class OptimizeJob:
    """One artifact to make. `calibration` is a prepared dataset folder, if the pipeline file names one."""

    source: Path
    destination: Path
    technique: str
    device: str
    vnni: bool
    calibration: Path | None


class Session(Protocol):
    """A loaded model. Arrays are numpy, keyed by the model's own input and output names."""

    @property
    def inputs(self) -> tuple[str, ...]: ...

    @property
    def outputs(self) -> tuple[str, ...]: ...

    def run(self, feed: dict[str, Any]) -> list[Any]: ...


class ConcurrentSession(Session, Protocol):
    """A session whose `run` several threads may call at once: its throughput at saturation is measured too."""

    CONCURRENT: Literal[True]


class TextSession(Session, Protocol):
    """A session that writes text: latency is then the time per output token, and the time to the first is kept."""

    def generate(self, feed: dict[str, Any]) -> Iterator[object]:
        """Yield once per output token, as soon as it is there."""


class Framework(Protocol):
    """The shape of a framework module."""

    EXTRA: str
    REQUIRES: tuple[str, ...]
    TECHNIQUES: dict[str, str]

    @staticmethod
    def supports(model_format: str, device: str) -> str | None: ...

    @staticmethod
    def defaults(device: str) -> tuple[str, ...]: ...

    @staticmethod
    def refuses(technique: str, model: Assessment, calibrated: bool) -> str | None: ...

    @staticmethod
    def optimize(job: OptimizeJob) -> None: ...

    @staticmethod
    def open_session(path: Path, threads: int, device: str) -> Session: ...


def framework(name: str) -> Framework:
    """The framework module of that name."""
    return cast(Framework, REGISTRY.get(name))
