"""Where a run works: its cache, its scratch folder and the limits of its workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import filelock

from gatekeeper.config.sections.measure import Measure
from gatekeeper.making.cache import Cache
from gatekeeper.process.isolate import run_job
from gatekeeper.process.memory import available
from gatekeeper.process.messages import Answer, Request
from gatekeeper.progress import Progress
from gatekeeper.units import parse_duration, parse_size

A = TypeVar("A", bound=Answer)


@dataclass(frozen=True)
class Workspace:
    """Shared by every step of a run."""

    cache: Cache
    scratch: Path
    timeout_s: float
    memory_limit: int

    @contextmanager
    def alone(self, progress: Progress) -> Iterator[None]:
        """Hold the machine-wide lock: two runs measuring at once would measure each other."""
        lock = filelock.FileLock(self.cache.folder / "measuring.lock")
        try:
            lock.acquire(timeout=0.1)
        except filelock.Timeout:
            progress.note("another gatekeeper is measuring on this machine; waiting for it to finish")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def ask(self, request: Request, answer: type[A]) -> A:
        """One job in a fresh worker."""
        return run_job(self.scratch, request, answer, self.timeout_s, self.memory_limit)


@contextmanager
def workspace(cache: Cache, measure: Measure) -> Iterator[Workspace]:
    """A workspace whose scratch folder is gone afterwards."""
    import tempfile

    limit = parse_size(measure.memory_limit) if measure.memory_limit else int(available() * 0.8)
    with tempfile.TemporaryDirectory(prefix="gatekeeper-", ignore_cleanup_errors=True) as scratch:
        yield Workspace(cache, Path(scratch), parse_duration(measure.timeout), limit)
