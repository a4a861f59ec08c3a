"""Who sends traffic until told to stop: workers, each waited for by a thread of ours."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.load.generate import LoadTest, LoadTested
from gatekeeper.process.isolate import Worker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST_S = 600.0
"""How long traffic goes on that nobody stops."""


class Traffic:
    """Workers that send until told to stop, each waited for by a thread of ours."""

    def __init__(self, stop: Path, destination: Path):
        self.stop, self.destination = stop, destination
        self.threads: list[threading.Thread] = []
        self.failed: list[Exception] = []

    def start(self, worker: Worker, request: LoadTest) -> None:
        """Let it begin."""

        def wait() -> None:
            try:
                worker.ask(request, LoadTested, LONGEST_S + request.duration_s)
            except Exception as error:  # raised again where it is waited for
                self.failed.append(error)

        self.threads.append(threading.Thread(target=wait, daemon=True))
        self.threads[-1].start()

    def join(self) -> None:
        """Wait until they have their answers."""
        for thread in self.threads:
            thread.join()

    def finish(self) -> None:
        """No more; what could not be sent is an error."""
        self.stop.touch()
        self.join()
        if self.failed:
            raise self.failed[0]

    @cached_property
    def requests(self) -> dict[str, NDArray[np.int64]]:
        """What became of each, once all is over."""
        import numpy as np

        with np.load(self.destination) as written:
            return {name: written[name] for name in written.files}

    @property
    def sent(self) -> int:
        """Requests."""
        return int(self.requests["ok"].size)

    @property
    def lost(self) -> int:
        """Those without a good answer."""
        return int((self.requests["ok"] == 0).sum())

    def lost_after(self, moment_ns: int) -> int:
        """Those of them that were sent after a moment: nothing that happened then had them on its way."""
        requests = self.requests
        return int(((requests["ok"] == 0) & (requests["start_ns"] > moment_ns)).sum())


def classes(task: str | None) -> bool:
    """Whether answers are scores of classes."""
    return bool(task) and str(task).endswith("_classification") and not str(task).startswith(("multi_label", "token"))
