"""Olive's log, which says what its answers do not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class Listener(logging.Handler):
    """Keeps why a pass failed: where it was the last, Olive says so in its log and returns as if all were well."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.error: BaseException | None = None
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.error = self.error or (record.exc_info and record.exc_info[1]) or None

    @property
    def reason(self) -> str:
        """What was said before a pass was left out; the last words where none was."""
        pruned = [i for i, line in enumerate(self.lines) if line.startswith("Invalid config")]
        return self.lines[max(pruned[0] - 1, 0)] if pruned else " ".join(self.lines[-1:])


@contextmanager
def listening() -> Iterator[Listener]:
    """What Olive's log says meanwhile."""
    listener, logger = Listener(), logging.getLogger("olive")
    logger.addHandler(listener)
    try:
        yield listener
    finally:
        logger.removeHandler(listener)
