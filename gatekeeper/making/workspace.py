"""Where a run works: its cache, its scratch folder and the limits of its workers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import filelock
import msgspec

from gatekeeper.config.sections.measure import Measure
from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.files import check_name, no_file, write_atomic
from gatekeeper.making.cache import Cache
from gatekeeper.process.hold import Room
from gatekeeper.process.isolate import Worker, run_job
from gatekeeper.process.memory import available
from gatekeeper.process.messages import Answer, Request
from gatekeeper.process.scratch import scratch_folder
from gatekeeper.progress import Progress
from gatekeeper.units import parse_duration, parse_size

A = TypeVar("A", bound=Answer)


class Holder(msgspec.Struct, frozen=True):
    """Who measures on this machine, what, since when and for how long at most; as far as a stranger's file can be believed."""

    pid: int
    what: str
    since: str
    most: str


def _told(card: Path) -> str:
    """The same in words; nothing where it is not known."""
    try:
        holder = msgspec.json.decode(card.read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return ""
    most = f", for at most {holder.most}" if holder.most else ""
    return f" (process {holder.pid}: {holder.what}, since {holder.since}{most})"


class Clerk:
    """A worker that stays for the next job, for what runs no model: starting one takes longer than most of that work."""

    def __init__(self) -> None:
        self._worker: Worker | None = None

    def ask(self, request: Request, answer: type[A], timeout_s: float, memory_limit: int, room: Room) -> A:
        """As `run_job`. What one that has worked before cannot do, a fresh one tries: staying decides nothing.

        No user's code comes here: what it changed in this process would be there for the next job.
        """
        if self._worker and self._worker.alive:
            try:
                return self._worker.ask(request, answer, timeout_s)
            except NotMeasured:
                if self._worker.alive:  # it answered that this cannot be done
                    raise
        self.leave()
        self._worker = Worker(room.folders[0], memory_limit, room=room)
        return self._worker.ask(request, answer, timeout_s)

    def leave(self) -> None:
        """End it; the next job has a fresh one."""
        if self._worker:
            self._worker.close()
        self._worker = None


@dataclass(frozen=True)
class Workspace:
    """Shared by every step of a run."""

    cache: Cache
    scratch: Path
    timeout_s: float
    memory_limit: int
    clerk: Clerk = field(default_factory=Clerk)

    @contextmanager
    def alone(self, progress: Progress, what: str, most: str = "") -> Iterator[None]:
        """Hold the machine-wide lock: two runs measuring at once would measure each other.

        `what` is measured, for at most so long: others that wait are told.
        """
        lock, card = filelock.FileLock(self.cache.folder / "measuring.lock"), self.cache.folder / "measuring.json"
        try:
            lock.acquire(timeout=0.1)
        except filelock.Timeout:
            progress.note(f"another gatekeeper is measuring on this machine{_told(card)}; waiting for it to finish")
            lock.acquire()
        self.clerk.leave()  # nothing of ours is beside what is measured
        mine = Holder(pid=os.getpid(), what=what, since=datetime.now(UTC).astimezone().isoformat(timespec="seconds"), most=most)
        write_atomic(card, msgspec.json.encode(mine))
        try:
            yield
        finally:
            card.unlink(missing_ok=True)
            lock.release()

    def ask(self, request: Request, answer: type[A], into: Path | None = None) -> A:
        """One job in a fresh worker, which may write into that folder beside the scratch folder."""
        room = Room((self.scratch, into) if into else (self.scratch,), (self.cache.key,))
        return run_job(self.scratch, request, answer, self.timeout_s, self.memory_limit, room)

    def ask_own(self, request: Request, answer: type[A], into: Path) -> A:
        """One job that runs the user's code: in a worker that no other job sees, and that sees no other's files to write in.

        What it leaves in `into` are files: this process would follow a link to where the code itself could not go.
        """
        with tempfile.TemporaryDirectory(dir=self.scratch, prefix="own-") as alone:
            room = Room((Path(alone), into), (self.cache.key,))
            try:
                return run_job(Path(alone), request, answer, self.timeout_s, self.memory_limit, room)
            finally:
                if other := no_file(into):
                    said = f"the user's code left {other!a}, which is no file, where only results belong."
                    raise NotMeasured("garbage", said) from None

    @contextmanager
    def opened(self, into: Path) -> Iterator[Worker]:
        """A worker for several jobs of ours that belong together, which may write into that folder, too."""
        room = Room((self.scratch, into), (self.cache.key,))
        with Worker(self.scratch, self.memory_limit, room=room) as worker:
            yield worker

    @contextmanager
    def opened_own(self, shown: Path, hidden: Sequence[Path]) -> Iterator[tuple[Worker, Path]]:
        """A worker for jobs that run the user's code, and the one folder that it may write into. What is hidden it finds empty,
        but for the folder that is shown.
        """
        with tempfile.TemporaryDirectory(dir=self.scratch, prefix="own-") as alone:
            room = Room((Path(alone),), (self.cache.key, *hidden), (shown,))
            with Worker(Path(alone), self.memory_limit, room=room) as worker:
                yield worker, Path(alone)

    def ask_clerk(self, request: Request, answer: type[A]) -> A:
        """One job of ours that opens no model: in the worker of the one before."""
        room = Room((self.scratch, self.cache.folder), (self.cache.key,))
        return self.clerk.ask(request, answer, self.timeout_s, self.memory_limit, room)


@contextmanager
def workspace(cache: Cache, measure: Measure) -> Iterator[Workspace]:
    """A workspace whose scratch folder is gone afterwards."""
    limit = parse_size(measure.memory_limit) if measure.memory_limit else int(available() * 0.8)
    with ExitStack() as stack:
        try:
            scratch = stack.enter_context(scratch_folder())
        except OSError as error:
            raise UsageError(
                f"temporary files cannot be written: {error.strerror}. Free some space, or name a folder in TMPDIR."
            ) from None
        check_name(scratch)
        space = Workspace(cache, scratch, parse_duration(measure.timeout), limit)
        stack.callback(space.clerk.leave)
        yield space
