"""Requests to a session in this process, by as many threads as may call it at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from gatekeeper.load.generate import FAILED, OK
from gatekeeper.process import protocol

Done = Callable[[int], None]


class Direct:
    """A loaded session and the threads that call it."""

    def __init__(self, request: protocol.LoadTest):
        from gatekeeper.frameworks._base import framework

        with np.load(request.inputs) as arrays:
            whole = {name: arrays[name] for name in arrays.files}
        self.feeds = [{name: array[i] for name, array in whole.items()} for i in range(request.examples)]
        self.session: Any = framework(request.framework).open_session(Path(request.artifact), request.threads, request.device)
        self.text, self.new_tokens = request.text, request.new_tokens
        with suppress(Exception):  # the first takes longest, and nobody waits for it; if it fails, so will its request
            self._call(0)
        callers = request.callers if getattr(self.session, "CONCURRENT", False) else 1
        self.waiting: queue.SimpleQueue[tuple[int, Done] | None] = queue.SimpleQueue()
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(callers)]
        for thread in self.threads:
            thread.start()

    def send(self, index: int, done: Done) -> None:
        """Give it to the next thread that is free."""
        self.waiting.put((index, done))

    def close(self) -> None:
        """End the threads."""
        for _ in self.threads:
            self.waiting.put(None)

    def _call(self, index: int) -> None:
        feed = self.feeds[index]
        if self.text:
            for _ in self.session.generate(feed | {"new_tokens": self.new_tokens}):
                pass
        else:
            self.session.run(feed)

    def _work(self) -> None:
        while (job := self.waiting.get()) is not None:
            index, done = job
            try:
                self._call(index)
            except Exception:  # what a model raises for a request is that request's failure
                done(FAILED)
            else:
                done(OK)
