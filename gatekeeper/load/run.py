"""The load tests of one model: scenarios, the highest rate it bears, too much of it, and a long run.

The baseline goes first. What it can bear sets the rate where the pipeline file declares none, and its p99 at that rate is
the limit where none is declared; every variant then gets the same requests.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gatekeeper import protocol
from gatekeeper.checks.behind import ready_s, served
from gatekeeper.config.types import Load, Soak
from gatekeeper.config.units import parse_duration
from gatekeeper.errors import NotMeasured
from gatekeeper.evidence import LoadEvidence, Requests
from gatekeeper.evidence import Soak as SoakEvidence
from gatekeeper.gates.p99_latency import quantile
from gatekeeper.measure.isolate import run_job
from gatekeeper.records import Check, LoadRun, Tested, Verdict
from gatekeeper.stats.looks import ALPHA
from gatekeeper.subject import Subject

if TYPE_CHECKING:
    from gatekeeper.serve.child import Server

Scenario = Literal["single_stream", "server", "offline", "probe", "stress", "soak"]

SERVER_S = {"smoke": 5.0, "production_scale": 60.0}
"""The server scenario, where the file does not say how long; the others follow from it."""

OTHERS, PROBE_S, STEP_S, STEPS, STRESS_S, SOAK_S = 1 / 6, 2.0, 4.0, 6, 5.0, 60.0
LEAST_REQUESTS, PATIENCE = 1100, 2.5
"""The tail is judged on 1,000 requests; for these the server scenario goes on to so many times its length."""

SHARE = 0.5  # of what the baseline bears: the rate where none is declared
OVERLOAD = 3.0  # times what the model bears
RECOVERY_S, RECOVERY = 5.0, 2.0  # after too much, the median is back within twice itself by then
ABSURD = 20.0  # times what the model bears: a declared rate above is not even tried for long
TIMEOUT_MS = 10_000.0
MEMORY_EVERY_S = 0.25
NEW_TOKENS = 8


@dataclass(frozen=True)
class LoadFound:
    """What a model did under load: evidence for gates, and lines for the report."""

    evidence: LoadEvidence
    tested: Tested
    capacity: float
    target_qps: float
    bound_ms: float | None


def load_tests(
    subject: Subject, profile: Load, soak: Soak | None, level: str, seed: int, baseline: LoadFound | None
) -> LoadFound:
    """Put a model under load; `baseline` is what the original did, None for the original itself."""
    with ExitStack() as stack:
        return _Loader(subject, profile, soak, level, seed, baseline, stack).run()


@dataclass
class _Loader:
    subject: Subject
    profile: Load
    soak: Soak | None
    level: str
    seed: int
    baseline: LoadFound | None
    stack: ExitStack
    tested: Tested = field(default_factory=Tested)

    def __post_init__(self) -> None:
        self.server_s = parse_duration(self.profile.duration) if self.profile.duration else SERVER_S[self.level]
        self.scale = self.server_s / SERVER_S[self.level] if self.profile.duration else 1.0
        self.whole = self.level == "production_scale"
        self.folder = Path(tempfile.mkdtemp(dir=self.subject.space.scratch, prefix="load-"))
        self.lines: list[LoadRun] = []
        self.notes: list[str] = []
        self.server: Server | None = None

    def run(self) -> LoadFound:
        """Every scenario that is asked for, in one go with one server."""
        if self.profile.over == "http":
            self.server = self.start()
        capacity = self.probe()
        target = self.profile.target_qps or (self.baseline.target_qps if self.baseline else SHARE * capacity)
        if self.profile.target_qps and target > capacity:
            self.notes.append(f"{target:,.4g} requests/s are declared; it bears {capacity:,.3g}/s")
        if "single_stream" in self.profile.scenarios:
            self.line("single_stream", self.scenario("single_stream", target, self.others()), None)
        evidence = LoadEvidence(target_qps=target)
        server = None
        if "server" in self.profile.scenarios:
            server = self.at_rate(target, capacity)
            evidence = replace(evidence, server=server, baseline=self.baseline.evidence.server if self.baseline else server)
        bound = self.bound(server)
        if server is not None:
            self.line("server", server, target, bound)
        if "offline" in self.profile.scenarios:
            offline = self.scenario("offline", capacity, self.others())
            self.line("offline", offline, None)
            evidence = replace(evidence, offline=offline)
        curve, peak = self.peak(capacity, bound) if self.whole and bound else ([], None)
        checks = self.stress(capacity) if self.whole and self.server and self.baseline else []
        if self.baseline and (self.soak or self.whole):
            evidence = replace(evidence, soak=self.endure(min(target, SHARE * capacity)))
        tested = Tested(checks=checks, load=self.lines, curve=curve, peak_qps=peak, bound_ms=bound, notes=self.notes)
        return LoadFound(evidence, tested, capacity, target, bound)

    def start(self) -> Server:
        from gatekeeper.serve.child import Server

        server = self.stack.enter_context(Server(served(self.subject), self.subject.space.scratch))
        server.wait_ready(ready_s(self.subject))
        return server

    def others(self) -> float:
        """Seconds of the scenarios beside `server`."""
        return max(1.0, OTHERS * self.server_s if self.whole else PROBE_S * self.scale)

    def bound(self, server: Requests | None) -> float | None:
        """The p99 limit in milliseconds: as declared, else what the baseline's may be."""
        if self.profile.p99_ms:
            return self.profile.p99_ms
        if self.baseline:
            return self.baseline.bound_ms
        upper = quantile(server, ALPHA).upper / 1e6 if server is not None else float("inf")
        return upper if upper < float("inf") else None

    def probe(self) -> float:
        """Requests a second when the next is sent as soon as there is room: what the model bears."""
        duration = max(0.5, PROBE_S * min(1.0, self.scale))
        alone = self.scenario("single_stream", 1.0, duration)
        if not alone.ok.any():
            raise NotMeasured("model", "no request was answered, one at a time: nothing can be measured under load.")
        import numpy as np

        rate = 1e9 / float(np.median(alone.latency_ns[alone.ok]))
        count = max(16, int(rate * duration))
        burst = self.scenario("offline", rate, duration, most=count)
        done = (burst.start_ns + burst.latency_ns)[burst.ok]
        return max(rate * 0.5, done.size / (float(done.max()) / 1e9)) if done.size else rate

    def at_rate(self, target: float, capacity: float) -> Requests:
        """The server scenario: as long as asked, longer where that is too few requests to judge, shorter where it is absurd."""
        least = min(LEAST_REQUESTS, int(PATIENCE * self.server_s * target))
        most = int(max(LEAST_REQUESTS, ABSURD * capacity * self.server_s)) if target > ABSURD * capacity else 0
        return self.scenario("server", target, self.server_s, least=least, most=most)

    def peak(self, capacity: float, bound: float) -> tuple[list[LoadRun], float | None]:
        """Bisect between rates, in ratios: the highest whose p99 and errors hold, and every rate that was tried."""
        low, high, best = 0.0, 2.0 * capacity, None
        points: list[LoadRun] = []
        rate = SHARE * capacity
        for _ in range(STEPS):
            found = self.scenario("server", rate, max(1.0, STEP_S * self.scale), least=1)
            point = _line("server", self.profile.over, found, rate, bound)
            points.append(point)
            if point.meets:
                low, best = rate, max(best or 0.0, rate)
            else:
                high = rate
            rate = (low * high) ** 0.5 if low else high / 2
        return sorted(points, key=lambda p: p.target_qps or 0.0), best

    def stress(self, capacity: float) -> list[Check]:
        """More than it bears: it must refuse what it cannot take, answer what it took, and be itself again soon."""
        import numpy as np

        before = self.scenario("server", SHARE * capacity, 1.0)
        over = self.scenario("server", OVERLOAD * capacity, max(1.0, STRESS_S * self.scale))
        self.line("stress", over, OVERLOAD * capacity)
        after = self.scenario("server", SHARE * capacity, 1.0)
        failed = int(over.ok.size - over.ok.sum() - over.shed.sum())
        medians = [float(np.median(r.latency_ns[r.ok])) / 1e6 if r.ok.any() else float("inf") for r in (before, after)]
        rate = f"{OVERLOAD * capacity:,.0f}/s, {OVERLOAD:g} times what it bears"
        return [
            _check("loses_no_accepted_request", failed == 0, f"at {rate}: {failed} of {over.ok.size} accepted requests failed"),
            _check("sheds_over_capacity", bool(over.shed.any()), f"at {rate}: {int(over.shed.sum())} refused with 503"),
            _check(
                "recovers",
                medians[1] <= RECOVERY * medians[0],
                f"median {medians[0]:.3g} ms before, {medians[1]:.3g} ms right after, allowed {RECOVERY:g} times",
            ),
        ]

    def endure(self, rate: float) -> SoakEvidence:
        """A long run at the target's rate, while the memory of the server (or of the session's process) is read."""
        duration = parse_duration(self.soak.duration) if self.soak else SOAK_S
        reader = _Memory(self.server.memory if self.server else lambda: 0)
        with reader:
            found = self.scenario("server", rate, duration)
        self.line("soak", found, rate)
        return SoakEvidence(found, reader.at_s, reader.bytes)

    def scenario(
        self, name: Literal["single_stream", "server", "offline"], rate: float, seconds: float, **bounds: int
    ) -> Requests:
        """One scenario in a process of its own."""
        import numpy as np

        subject, text = self.subject, self.subject.text is not None
        work = Path(tempfile.mkdtemp(dir=self.folder))
        with np.load(subject.inputs) as arrays:
            examples = len(next(iter(arrays.values())))
        over: dict[str, Any] = {"framework": subject.framework, "artifact": str(subject.artifact.resolve())}
        if self.server is not None:
            over = {"url": self.server.url, "name": self.server.name, "prompts": _prompts(subject) if text else []}
        request = protocol.LoadTest(
            scenario=name, inputs=str(subject.inputs), examples=examples, target_qps=rate, duration_s=seconds,
            destination=str(work / "requests.npz"), folder=str(work), least_requests=bounds.get("least", 1),
            most_requests=bounds.get("most", 0), outstanding=32 if name == "offline" else 1024, request_timeout_ms=TIMEOUT_MS,
            seed=self.seed, threads=subject.threads, device=subject.device, callers=subject.threads + 1, text=text,
            new_tokens=NEW_TOKENS, **over,
        )  # fmt: skip
        limit = min(subject.space.timeout_s, PATIENCE * 10 * seconds + 60)
        run_job(subject.space.scratch, request, protocol.LoadTested, limit, subject.space.memory_limit)
        with np.load(work / "requests.npz") as found:
            return Requests(**{name: found[name] for name in ("start_ns", "latency_ns", "lag_ns", "ok", "shed")})

    def line(self, scenario: Scenario, found: Requests, rate: float | None, bound: float | None = None) -> None:
        self.lines.append(_line(scenario, self.profile.over, found, rate, bound))


def _line(
    scenario: Scenario, over: Literal["http", "in_process"], found: Requests, rate: float | None, bound: float | None
) -> LoadRun:
    import numpy as np

    ok, answered = found.ok, found.latency_ns[found.ok]
    end = float((found.start_ns + found.latency_ns).max()) / 1e9
    percentiles = [float(p) for p in np.percentile(answered, [50, 95, 99], method="higher")] if answered.size else [None] * 3
    late = int((~ok | (found.latency_ns > bound * 1e6)).sum()) if bound else 0
    return LoadRun(
        scenario=scenario, over=over, target_qps=rate, completed_qps=answered.size / max(end, 1e-9), requests=int(ok.size),
        errors=int(ok.size - ok.sum() - found.shed.sum()), shed=int(found.shed.sum()), duration_s=end,
        p50_ns=percentiles[0], p95_ns=percentiles[1], p99_ns=percentiles[2],
        max_ns=float(answered.max()) if answered.size else None,
        lag_p99_ns=float(np.percentile(found.lag_ns, 99)) if rate else None, meets=late <= 0.01 * ok.size if bound else None,
    )  # fmt: skip


def _check(name: str, holds: bool, reason: str) -> Check:
    return Check(kind="load_tests", name=name, verdict=Verdict.PASS if holds else Verdict.FAIL, reason=reason)


def _prompts(subject: Subject) -> list[str]:
    """The timed prompts as text, for a server that takes text."""
    import numpy as np

    from gatekeeper.evaluate.text.tokenizer import open_tokenizer

    assert subject.text is not None
    tokenizer = open_tokenizer(Path(subject.text.model), subject.text.framework)
    with np.load(subject.inputs) as arrays:
        return [tokenizer.decode([int(i) for i in row.reshape(-1)]) for row in arrays["tokens"]]


class _Memory:
    """Reads a number of bytes again and again while it is entered."""

    def __init__(self, read: Callable[[], int]):
        self.read = read
        self.at_s: list[float] = []
        self.bytes: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> _Memory:
        self._start = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(MEMORY_EVERY_S):
            self.at_s.append(time.monotonic() - self._start)
            self.bytes.append(self.read())
