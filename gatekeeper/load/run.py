"""The load tests of one model: scenarios, the highest rate it bears, too much of it, and a long run.

The baseline goes first. What it can bear sets the rate where the pipeline file declares none, and its p99 at that rate is
the limit where none is declared; every variant then gets the same requests.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from gatekeeper.errors import NotMeasured
from gatekeeper.load.peak import peak
from gatekeeper.load.profile import LoadProfile, SoakProfile
from gatekeeper.load.sender import ScenarioName, Sender
from gatekeeper.load.soak import beside, soak
from gatekeeper.load.stress import median_ms, stress
from gatekeeper.making.subject import Subject
from gatekeeper.records.evidence import LoadEvidence, Requests, Soak
from gatekeeper.records.tested import Check, LoadRun, Tested
from gatekeeper.serve.behind import ready_s, served
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.quantile import quantile
from gatekeeper.units import parse_duration

SERVER_S = {"smoke": 5.0, "production_scale": 60.0}
"""Seconds of the server scenario, where the file does not say how long; the other scenarios follow from it."""

OTHERS, STEP, STRESS, LEAST_S = 1 / 12, 1 / 20, 1 / 12, 1.5
"""Of the server scenario's length: single stream and offline, each rate of the search for the peak, too many requests."""

LEAST_REQUESTS, PATIENCE = 1100, 5.0
"""The tail is judged on 1,000 requests; for these the server scenario goes on to so many times its length."""

SHARE, BEARABLE = 0.5, 0.75
"""Of what a model bears: the rate where none is declared, and the highest at which a long run says anything of growth."""

HALVINGS = 4
ABSURD = 20.0  # times what the model bears: a declared rate above is not even tried for long


@dataclass(frozen=True)
class UnderLoad:
    """What a model did under load: evidence for gates, and lines for the report."""

    evidence: LoadEvidence
    tested: Tested
    target_qps: float
    bound_ms: float | None


def load_tests(
    subject: Subject, profile: LoadProfile, soak: SoakProfile | None, level: str, seed: int, baseline: UnderLoad | None
) -> UnderLoad:
    """Put a model under load; `baseline` is what the original did, None for the original itself."""
    with ExitStack() as stack:
        return _Loader(subject, profile, soak, level, seed, baseline, stack).run()


@dataclass
class _Loader:
    subject: Subject
    profile: LoadProfile
    soak: SoakProfile | None
    level: str
    seed: int
    baseline: UnderLoad | None
    stack: ExitStack
    lines: list[LoadRun] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server_s = parse_duration(self.profile.duration) if self.profile.duration else SERVER_S[self.level]
        self.whole = self.level == "production_scale"
        self.sender = self.served() if self.profile.over == "http" else Sender(self.subject, None, self.seed)

    def served(self) -> Sender:
        """To a server that is there until the load tests end."""
        from gatekeeper.serve.child import Server

        server = self.stack.enter_context(Server(served(self.subject), self.subject.space.scratch))
        server.wait_ready(ready_s(self.subject))
        return Sender(self.subject, server, self.seed)

    def seconds(self, share: float) -> float:
        """Of the server scenario's length."""
        return max(min(LEAST_S, self.server_s), share * self.server_s)

    def run(self) -> UnderLoad:
        """Every scenario that is asked for, in one go with one server."""
        scenarios, baseline = self.profile.scenarios, self.baseline
        offline, capacity = self.capacity()
        target = self.target(capacity)
        evidence = LoadEvidence(target_qps=target, offline=offline if "offline" in scenarios else None)
        server, long = None, None
        if "server" in scenarios:
            server, long = self.at_rate(target, capacity)
            evidence = replace(evidence, server=server, baseline=baseline.evidence.server if baseline else server)
        bound = self.bound(server)
        if server is not None:
            self.line("server", server, target, bound)
        curve, highest, checks = self.beyond(capacity, bound)
        if baseline and (self.soak or self.whole):
            endured = beside(long, self.sender, self.served()) if long else self.endure(min(target, SHARE * capacity))
            evidence = replace(evidence, soak=endured)
        tested = Tested(checks=checks, load=self.lines, curve=curve, peak_qps=highest, bound_ms=bound, notes=self.notes)
        return UnderLoad(evidence, tested, target, bound)

    def capacity(self) -> tuple[Requests, float]:
        """The offline scenario, after one request at a time; and requests a second that are answered when all are there."""
        alone = self.sender.send("single_stream", 1.0, self.seconds(OTHERS))
        if not alone.ok.any():
            raise NotMeasured("model", "no request was answered, one at a time: nothing can be measured under load.")
        if "single_stream" in self.profile.scenarios:
            self.line("single_stream", alone, None)
        rate = 1e3 / median_ms(alone)
        duration = self.seconds(OTHERS)
        offline = self.sender.send("offline", rate, duration, most=max(16, int(rate * duration)))
        if "offline" in self.profile.scenarios:
            self.line("offline", offline, None)
        done = (offline.start_ns + offline.latency_ns)[offline.ok]
        return offline, max(SHARE * rate, done.size / (float(done.max()) / 1e9)) if done.size else rate

    def target(self, capacity: float) -> float:
        """Requests a second: as declared, as the baseline got, or what the baseline is seen to bear."""
        if declared := self.profile.target_qps:
            if declared > capacity:
                self.notes.append(f"{declared:,.4g} requests/s are declared; it answers at most {capacity:,.3g}/s")
            return declared
        if self.baseline:
            return self.baseline.target_qps
        rate = SHARE * capacity
        for _ in range(HALVINGS):  # requests that do not wait for earlier ones come in bursts: less is borne than the capacity
            if self.sender.send("server", rate, self.seconds(OTHERS)).ok.all():
                break
            rate /= 2
        return rate

    def bound(self, server: Requests | None) -> float | None:
        """The p99 limit in milliseconds: as declared, else what the baseline's may be."""
        if self.profile.p99_ms:
            return self.profile.p99_ms
        if self.baseline:
            return self.baseline.bound_ms
        upper = quantile(server, ALPHA).upper / 1e6 if server is not None else float("inf")
        return upper if upper < float("inf") else None

    def at_rate(self, target: float, capacity: float) -> tuple[Requests, Soak | None]:
        """The server scenario: as long as asked, longer where that is too few requests to judge, shorter where it is absurd.

        Where it is as long a run as one for growth, and at a rate that the model bears, it is that run as well.
        """
        least = min(LEAST_REQUESTS, int(PATIENCE * self.server_s * target))
        most = int(max(LEAST_REQUESTS, ABSURD * capacity * self.server_s)) if target > ABSURD * capacity else 0
        if not self.sender.server or self.soak or target > BEARABLE * capacity:
            return self.sender.send("server", target, self.server_s, least, most), None
        long = soak(self.sender, target, self.server_s, least, most)
        return long.requests, long

    def beyond(self, capacity: float, bound: float | None) -> tuple[list[LoadRun], float | None, list[Check]]:
        """At production scale: latency against load, the highest rate within the limit, and more than the server can take."""
        if not self.whole:
            return [], None, []
        first = SHARE * capacity
        curve, highest = peak(self.sender, first, capacity, bound, self.seconds(STEP)) if bound else ([], None)
        if not (self.baseline and self.sender.server):
            return curve, highest, []
        over, checks = stress(self.sender, first, capacity, self.seconds(STRESS))
        self.line("stress", over, None)
        return curve, highest, checks

    def endure(self, rate: float) -> Soak:
        """A long run, always behind a server: the memory of its process is then the model's and not the generator's."""
        duration = parse_duration(self.soak.duration) if self.soak else SERVER_S[self.level]
        sender = self.sender if self.sender.server else self.served()
        long = soak(sender, rate, duration)
        self.lines.append(sender.line("soak", long.requests, rate))
        return beside(long, sender, self.served())

    def line(self, scenario: ScenarioName, requests: Requests, rate: float | None, bound: float | None = None) -> None:
        self.lines.append(self.sender.line(scenario, requests, rate, bound))
