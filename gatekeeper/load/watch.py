"""Reading a number again and again while something else runs: the memory of a server under load."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType

EVERY_S = 0.1


class Watch(AbstractContextManager["Watch"]):
    """Readings, and the seconds since it was entered at which they were taken. Zeros, of what is gone, are left out."""

    def __init__(self, read: Callable[[], int]):
        self.read = read
        self.at_s: list[float] = []
        self.values: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._start = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            if value := self.read():
                self.at_s.append(time.monotonic() - self._start)
                self.values.append(value)
