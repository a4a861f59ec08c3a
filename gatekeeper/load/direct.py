"""Requests to a session in this process, by as many threads as may call it at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gatekeeper.data.feeds import read_feeds
from gatekeeper.frameworks._spec import open_session
from gatekeeper.load.generate import FAILED, OK, LoadTest

Done = Callable[[int], None]


class Direct:
    """A loaded session and the threads that call it."""

    def __init__(self, request: LoadTest):
        self.feeds = read_feeds(request.inputs)
        self.session: Any = open_session(request.spec)
        self.text, self.new_tokens = request.spec.text is not None, request.new_tokens
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
