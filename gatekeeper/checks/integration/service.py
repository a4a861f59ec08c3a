"""One model as it is served, and the clients that ask its servers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gatekeeper.checks.integration.aftermath import Aftermath
from gatekeeper.checks.integration.base import LEVELS
from gatekeeper.checks.integration.client.converse import Converse
from gatekeeper.checks.integration.client.exchange import Exchange, Exchanged
from gatekeeper.checks.integration.client.traffic import Traffic, Trafficked
from gatekeeper.checks.outcome import Broken
from gatekeeper.errors import NotMeasured
from gatekeeper.making.subject import Subject
from gatekeeper.process.hold import reaching
from gatekeeper.process.isolate import Worker, run_job
from gatekeeper.process.messages import Answer, Request
from gatekeeper.serve.behind import NAME, ready_s, served
from gatekeeper.serve.child import Server

FEEDS, JSON_S = 4, 10.0
"""How many examples are enough to see that it answers, and how long they may take as JSON."""

CALLERS = 8
TRAFFIC_S, ACT_AFTER_S = 1.6, 0.5
CLIENT_S = 900.0

A = TypeVar("A", bound=Answer)


@dataclass(frozen=True)
class Service:
    """A model, the folder that its servers work in, the level that is tested, and the prepared evaluation set if there is one."""

    subject: Subject
    scratch: Path
    level: str
    dataset: Path | None = None

    @property
    def whole(self) -> bool:
        """Whether the deepest level is tested."""
        return self.level == LEVELS[-1]

    @contextmanager
    def started(self, **changes: Any) -> Iterator[Server]:
        """A server that is ready."""
        with Server(served(self.subject, **changes), self.scratch) as server:
            server.wait_ready(ready_s(self.subject))
            yield server

    def exchange(self, server: Server, most: int = FEEDS, json_s: float = JSON_S, dataset: Path | None = None) -> str:
        """Ask for answers in every form there is; `Broken` where one is not the session's, or a process died."""
        before = server.session_pids()
        fixed = self.subject.model.fixed_batch or 1
        request = Exchange(
            **self._reach(server), dataset=str(dataset) if dataset else None, batch=fixed, most=most, json_s=json_s
        )
        exchanged = self.ask(request, Exchanged)
        deaths = f"the model's process died while it answered (it was {before}, and is {server.session_pids()})"
        died = server.session_pids() != before
        if exchanged.wrong:
            raise Broken(exchanged.wrong + (f"; {deaths}" if died else ""))
        if died:
            raise Broken(deaths)
        left = f"; {exchanged.unsaid} of NaN or infinity, which JSON cannot say" if exchanged.unsaid else ""
        answered = f"{exchanged.binary} of {exchanged.asked} requests as binary tensors and {exchanged.json} as JSON"
        return f"{answered}, equal to the session's{left}"

    def converse(self, server: Server) -> int:
        """Ask for texts, whole and as streams; how many there were, all of them as the session writes them."""
        exchanged = self.ask(Converse(**self._reach(server)), Exchanged)
        if exchanged.wrong:
            raise Broken(exchanged.wrong)
        return exchanged.json

    def traffic(self, server: Server, act: Callable[[], None]) -> Aftermath:
        """Requests one after another from several callers, with something done to the server among them."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            started = Path(folder) / "started"
            request = Traffic(**self._reach(server), callers=CALLERS, seconds=TRAFFIC_S, started=str(started))
            seen: list[float] = []
            acted: list[int] = []

            def watch(full: bool) -> None:
                if not seen and started.exists():
                    seen.append(time.monotonic())
                if seen and not acted and time.monotonic() - seen[0] > ACT_AFTER_S:
                    acted.append(time.monotonic_ns())
                    act()

            with Worker(self.scratch, self.subject.space.memory_limit, room=reaching(self.scratch)) as worker:
                sent = worker.ask(request, Trafficked, self._limit_s(), sample=watch).sent
        if not acted:
            raise NotMeasured("timeout", "the traffic was over before anything was done to the server.")
        return Aftermath(sent, acted[0])

    def ask(self, request: Request, answer: type[A]) -> A:
        """What a client in a process of its own finds."""
        return run_job(self.scratch, request, answer, self._limit_s(), self.subject.space.memory_limit, reaching(self.scratch))

    def _limit_s(self) -> float:
        return min(CLIENT_S, self.subject.space.timeout_s)

    def _reach(self, server: Server) -> dict[str, Any]:
        """Where the server is, and the session to hold its answers against."""
        return {"url": server.url, "name": NAME, "spec": self.subject.spec, "inputs": str(self.subject.inputs.resolve())}
