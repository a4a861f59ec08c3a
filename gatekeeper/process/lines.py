"""The lines that another process writes into a pipe, read by a thread so that nobody has to wait for them."""

from __future__ import annotations

import os
import queue
import select
import threading
from typing import IO

READ_INTERVAL_S = 0.2


class LineReader:
    """Whole lines as they come; one without its end was cut short, or is longer than `longest`: no more then comes."""

    def __init__(self, stream: IO[bytes], longest: int):
        self.longest = longest
        self._descriptor = stream.fileno()
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def get(self, timeout_s: float) -> bytes | None:
        """The next line; an empty one where no more will come, None where none came in time."""
        try:
            return self._lines.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            return None

    @property
    def waiting(self) -> bool:
        """Whether there is one."""
        return not self._lines.empty()

    def finish(self) -> None:
        """Take what there is and wait for no more."""
        self._stop.set()
        self._reader.join()

    def _read(self) -> None:
        rest = b""
        while not (self._stop.is_set() and not _readable(self._descriptor, 0)):
            if not _readable(self._descriptor, READ_INTERVAL_S):
                continue
            try:
                data = os.read(self._descriptor, 1 << 20)
            except OSError:
                break
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._lines.put(line + b"\n")
            if len(rest) > self.longest:
                break
        if rest:
            self._lines.put(rest)
        self._lines.put(b"")


def _readable(descriptor: int, timeout_s: float) -> bool:
    """Whether a read would not block. Windows cannot ask that of a pipe; there the read itself waits."""
    return os.name != "posix" or bool(select.select([descriptor], [], [], timeout_s)[0])
