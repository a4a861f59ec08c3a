"""One scenario of load on one model, and the line that the report has of it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gatekeeper.data.feeds import count_feeds, read_feeds
from gatekeeper.errors import NotMeasured
from gatekeeper.load.generate import LoadTest, LoadTested
from gatekeeper.making.subject import Subject
from gatekeeper.process.hold import reaching
from gatekeeper.process.isolate import run_job
from gatekeeper.records.evidence import Requests
from gatekeeper.records.tested import LoadRun

if TYPE_CHECKING:
    from gatekeeper.serve.child import Server

ScenarioName = Literal["single_stream", "server", "offline", "stress", "soak"]

TIMEOUT_MS = 10_000.0
AT_ONCE = 32
"""Requests on their way at once in the offline scenario: enough to keep any session busy, few enough for every queue."""

MOST_AT_ONCE = 1024
NEW_TOKENS = 8
LONGER, SPARE_S = 10.0, 60.0
"""A scenario that takes so many times its length and so long has hung."""


@dataclass(frozen=True)
class Sender:
    """Sends requests to a server, or where there is none to a session in the generator's own process."""

    subject: Subject
    server: Server | None
    seed: int

    @property
    def over(self) -> Literal["http", "in_process"]:
        """How requests go."""
        return "http" if self.server else "in_process"

    def send(
        self, scenario: Literal["single_stream", "server", "offline"], rate: float, seconds: float, least: int = 1, most: int = 0
    ) -> Requests:
        """One scenario, in a process of its own: at least `least` and at most `most` requests, 0 for as many as it takes."""
        import numpy as np

        subject, server = self.subject, self.server
        try:
            work = Path(tempfile.mkdtemp(dir=subject.space.scratch, prefix="load-"))
        except OSError as error:
            raise NotMeasured("disk", f"there is no folder for the load generator: {error.strerror}.") from None
        over: dict[str, Any] = {"url": server.url, "name": server.name, "prompts": self.prompts} if server else {}
        request = LoadTest(
            scenario=scenario, spec=subject.spec, inputs=str(subject.inputs), examples=self.examples, target_qps=rate,
            duration_s=seconds, destination=str(work / "requests.npz"), folder=str(work), least_requests=least,
            most_requests=most, outstanding=AT_ONCE if scenario == "offline" else MOST_AT_ONCE, seed=self.seed,
            request_timeout_ms=TIMEOUT_MS, callers=subject.spec.threads + 1, new_tokens=NEW_TOKENS, **over,
        )  # fmt: skip
        limit = max(2 * seconds, min(subject.space.timeout_s, LONGER * seconds)) + SPARE_S
        answer = run_job(
            subject.space.scratch, request, LoadTested, limit, subject.space.memory_limit, reaching(subject.space.scratch)
        )
        with np.load(work / "requests.npz") as written:
            arrays = {name: written[name] for name in ("start_ns", "latency_ns", "lag_ns", "ok", "shed")}
        return Requests(**arrays, unsent=answer.unsent)

    @cached_property
    def examples(self) -> int:
        """How many different requests there are."""
        return count_feeds(self.subject.inputs)

    @cached_property
    def prompts(self) -> list[str]:
        """The timed prompts of a text model as text, for a server that takes text."""
        text = self.subject.spec.text
        if text is None:
            return []
        from gatekeeper.evaluate.text.tokenizer import open_tokenizer

        tokenizer = open_tokenizer(Path(text.model), text.framework)
        given = len(tokenizer.before)  # the server puts them there itself
        prompts = (feed["tokens"].reshape(-1)[given:] for feed in read_feeds(self.subject.inputs))
        return [tokenizer.decode([int(i) for i in prompt]) for prompt in prompts]

    def line(self, scenario: ScenarioName, requests: Requests, rate: float | None, bound: float | None = None) -> LoadRun:
        """What the report says of a scenario; `bound` is the latency limit in milliseconds that it was held against."""
        import numpy as np

        ok, answered = requests.ok, requests.latency_ns[requests.ok]
        end = float((requests.start_ns + requests.latency_ns).max()) / 1e9
        percentiles = [float(p) for p in np.percentile(answered, [50, 95, 99], method="higher")] if answered.size else [None] * 3
        late = int((~ok | (requests.latency_ns > bound * 1e6)).sum()) if bound else 0
        return LoadRun(
            scenario=scenario, over=self.over, target_qps=rate, completed_qps=answered.size / max(end, 1e-9),
            requests=int(ok.size), errors=int(ok.size - ok.sum() - requests.shed.sum()), shed=int(requests.shed.sum()),
            duration_s=end, p50_ns=percentiles[0], p95_ns=percentiles[1], p99_ns=percentiles[2],
            max_ns=float(answered.max()) if answered.size else None,
            lag_p99_ns=float(np.percentile(requests.lag_ns, 99)) if rate else None,
            meets=late <= 0.01 * ok.size if bound else None,
        )  # fmt: skip
