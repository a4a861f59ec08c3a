"""A rollout as it would be, on this machine: the baseline's server is blue, the variant's green, HAProxy before both, real load.

The healthy ramp must promote. Each fault of gatekeeper/deploy/faults must be seen to arrive, by who injects it or by HAProxy and
not by the judge, and must end in its right ruling: a rehearsal whose fault did not arrive would have proved nothing.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from gatekeeper.deploy.asking import Ask, Pair
from gatekeeper.deploy.faults._base import Fault, fault, in_order
from gatekeeper.deploy.haproxy import Colour, Proxy, program
from gatekeeper.deploy.journal import Journal
from gatekeeper.deploy.rollout import Outcome, Plan, roll
from gatekeeper.deploy.scene import Scene, Striking
from gatekeeper.deploy.sidecar import Sidecar
from gatekeeper.deploy.strategies._base import Ramping, steps
from gatekeeper.deploy.traffic import LONGEST_S, Traffic, classes
from gatekeeper.deploy.watching import Watcher
from gatekeeper.errors import NotMeasured
from gatekeeper.load.generate import LoadTested
from gatekeeper.load.sender import MOST_AT_ONCE, NEW_TOKENS, Sender
from gatekeeper.load.steady import Steady
from gatekeeper.making.subject import Subject
from gatekeeper.process.hold import reaching
from gatekeeper.process.isolate import Worker
from gatekeeper.records.rollout import Decision, Rehearsal, RolloutLimits, Scenario
from gatekeeper.serve.behind import NAME, ready_s, served
from gatekeeper.serve.child import Server
from gatekeeper.stats.rehearsal import HEALTHY, LIMITS, MOST_DIFFER, NOTHING_LOST, SMALLEST, rehearsed_steps
from gatekeeper.stats.rollout import clean_stretches

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG_S, MOST_S = 90.0, 300.0
"""Where the healthy ramp would take more than the first, its steps are larger. More than the second nobody waits for in a CI job;
the evidence cannot be had.
"""

RATE_QPS, BEARABLE = 100.0, 0.5
"""Requests a second where none are declared, and at most such a part of what one request after another would give."""

ASKED_QPS, ALONE_S = 20.0, 2.0
SLOW_TIMES, SLOW_LEAST_MS = 4.0, 100.0
"""Where no p99 is declared an answer is slow that takes so many times blue's p95 before the ramp, and at least so long."""

POLL_S = LIMITS.burst_s
"""How often it looks: each look is a stretch, if both colours had a request."""

PATIENCE, SPARE_S = 3.0, 15.0
"""A ramp has so many times the least time that its evidence takes, and so much more."""

STARTED_S, TIMEOUT_MS = 30.0, 10_000.0
AFTER_S = 1.0
"""How long traffic goes on after blue was ended, or green was."""


@dataclass(frozen=True)
class Terms:
    """What is rehearsed: the way that the pipeline file says, its rate and its limits where it has them."""

    strategy: str = "blue_green"
    ramping: Ramping = "gradual"
    rate_qps: float | None = None
    p99_ms: float | None = None
    seed: int = 0

    def shares(self, smallest: int = SMALLEST[0]) -> tuple[int, ...]:
        """The steps in percent, of which the smallest are one."""
        return rehearsed_steps(steps(self.strategy, self.ramping), smallest)


def rehearse(
    blue: Subject, green: Subject, terms: Terms, only: list[str] | None = None, note: Callable[[str], None] = lambda _: None
) -> Rehearsal:
    """All scenarios, or `only` some; `NotMeasured` where they cannot be had, a `UsageError` where HAProxy is not there."""
    program()
    began = time.monotonic()
    names = only if only is not None else [*in_order(), HEALTHY]
    with ExitStack() as stack:
        company = Company(blue, green, terms, stack)
        company.meet()
        scenarios = []
        for name in names:
            scenarios.append(company.scenario(name, None if name == HEALTHY else fault(name)))
            note(said(scenarios[-1], company.least_s))
        return Rehearsal(
            variant=green.id,
            strategy=terms.strategy,
            steps=list(company.shares),
            limits=company.limits,
            rate_qps=company.rate,
            scenarios=scenarios,
            least_s=company.least_s,
            seconds=time.monotonic() - began,
        )


def said(scenario: Scenario, least_s: float) -> str:
    """One line on how a scenario ended; of the healthy one also the least time that its evidence takes."""
    arrived = "" if scenario.arrived is None else f", arrived {scenario.arrived} times"
    lost = f", {scenario.lost} of {scenario.requests} requests lost" if scenario.loses else ""
    took = f"{scenario.windows[-1].seconds if scenario.windows else 0:.1f} s"
    took += f" of at least {least_s:.1f} s" if scenario.name == HEALTHY else ""
    why = f" ({scenario.ruling.metric}: {scenario.ruling.reason})" if scenario.ruling.metric else f" ({scenario.ruling.reason})"
    return f"{scenario.name}: {scenario.ruling.decision}{why}{arrived}{lost}, {took}"


def allowed_to_differ(pairs: list[Pair]) -> float:
    """Share of the answers that may differ: beyond those that did before the ramp, as many as of models that agree.

    How many answers a variant may change is for the gates to say; here it is whether they change on the way.
    """
    both = [pair.same for pair in pairs if pair.same is not None]
    if not both:
        raise NotMeasured("model", "baseline and variant answered no question together: their answers cannot be compared.")
    before = both.count(False) / len(both)
    least = LIMITS.disagreement or 0.0
    return min(MOST_DIFFER, before + least + 2 * math.sqrt(before * (1 - before) / len(both)))


class Fronting(Protocol):
    """What stands before both colours."""

    def asking(self, colour: Colour) -> str:
        """Where one colour is asked, whatever the weights are."""
        raise NotImplementedError


def _stretch_s(*rates: float) -> float:
    """How long a stretch takes at least in the mean: as long as a look, and as a request of each colour at these rates."""
    return max(POLL_S, *(1 / rate for rate in rates))


@dataclass
class Company:
    """The servers and clients of all scenarios: starting one takes longer than most scenarios."""

    blue: Subject
    green: Subject
    terms: Terms
    stack: ExitStack
    servers: dict[Colour, Server] = field(default_factory=dict)
    rate: float = 0.0
    limits: RolloutLimits = LIMITS
    shares: tuple[int, ...] = ()
    name: str = NAME  # of the model, in URLs

    @cached_property
    def scratch(self) -> Path:
        """For what is sent and what comes back."""
        return Path(tempfile.mkdtemp(dir=self.blue.space.scratch, prefix="rehearsal-"))

    @cached_property
    def crew(self) -> tuple[Worker, Worker]:
        """Who sends the traffic, and who asks both colours."""
        workers = [Worker(self.scratch, self.blue.space.memory_limit, room=reaching(self.scratch)) for _ in range(2)]
        return self.stack.enter_context(workers[0]), self.stack.enter_context(workers[1])

    def meet(self) -> None:
        """Start both; how fast they answer one question after another says what is much, and from when on it is slow."""
        self.start_servers()
        with Proxy(self.servers[Colour.BLUE].address, self.servers[Colour.GREEN].address) as proxy:
            self.limits = self.before(proxy, LIMITS)
        for smallest in SMALLEST:
            self.shares = self.terms.shares(smallest)
            if self.least_s <= LONG_S:
                break
        if self.least_s > MOST_S:
            said = f"at {self.rate:.3g} requests/s the evidence of a healthy ramp takes {self.least_s:.0f} s at least"
            raise NotMeasured("timeout", f"{said}, and a rehearsal has {MOST_S:.0f} s. Use a faster machine, or a smaller model.")

    def before(self, front: Fronting, limits: RolloutLimits) -> RolloutLimits:
        """The limits with what is slow and how many answers may differ, from questions to both one after another."""
        place = self.scratch / "alone.jsonl"
        ask = self.ask(front, place, self.scratch / "never", rate=1e6, seconds=ALONE_S)
        self.crew[1].ask(ask, LoadTested, ready_s(self.blue))
        pairs = [msgspec.json.decode(line, type=Pair) for line in place.read_bytes().splitlines()]
        took = sorted(pair.blue_ms for pair in pairs if pair.blue_ok)
        if not took:
            raise NotMeasured("model", "the baseline answers no question behind HAProxy: nothing can be rehearsed.")
        slower = max(statistics.median(each) for each in ([p.blue_ms for p in pairs], [p.green_ms for p in pairs]))
        self.rate = self.terms.rate_qps or min(RATE_QPS, BEARABLE * 1000 / slower)
        p95 = took[min(len(took) - 1, int(0.95 * len(took)))]
        slow = self.terms.p99_ms or max(SLOW_LEAST_MS, SLOW_TIMES * p95)
        return msgspec.structs.replace(limits, slow_ms=slow, disagreement=allowed_to_differ(pairs))

    def start_servers(self) -> None:
        """Those that do not run, both at once. Where the machine stops one for a moment its requests wait, and are late: how many
        it may refuse is for the tests of load to say.
        """
        starting = []
        for colour, subject in ((Colour.BLUE, self.blue), (Colour.GREEN, self.green)):
            if colour not in self.servers or not self.servers[colour].alive:
                self.servers[colour] = self.stack.enter_context(Server(served(subject, queue=MOST_AT_ONCE), self.scratch))
                starting.append((self.servers[colour], subject))
        for server, subject in starting:
            server.wait_ready(ready_s(subject))

    @property
    def least_s(self) -> float:
        """The least time that the evidence of a healthy ramp takes: no error, nothing slow, every answer alike, and each look a
        stretch of its own.
        """
        limits, seconds = self.limits, 0.0
        rate = min(limits.error_rate, limits.slow_rate)
        stretches, least = clean_stretches(limits.alpha, rate), limits.least_requests
        pairs = clean_stretches(limits.alpha, limits.disagreement or rate) * _stretch_s(ASKED_QPS)
        for share in self.shares:
            green = self.rate * share / 100 if share else ASKED_QPS
            blue = self.rate * (100 - share) / 100
            seconds += max(stretches * _stretch_s(green, blue), pairs, least / green, least / blue)
        return seconds

    def scenario(self, name: str, what: Fault | None) -> Scenario:
        """One ramp from the beginning, with a HAProxy of its own."""
        began = time.monotonic()
        self.start_servers()
        deadline = getattr(what, "DEADLINE_S", PATIENCE * self.least_s + SPARE_S)
        folder = Path(tempfile.mkdtemp(dir=self.scratch, prefix=f"{name}-"))
        with ExitStack() as stack:
            sidecars = {}
            if not getattr(what, "DIRECT", False):
                for colour, server in self.servers.items():
                    sidecars[colour] = stack.enter_context(Sidecar(server.address, folder))
            where = {colour: sidecars[colour].address if sidecars else server.address for colour, server in self.servers.items()}
            proxy = stack.enter_context(Proxy(where[Colour.BLUE], where[Colour.GREEN], timeout_s=TIMEOUT_MS / 1000))
            traffic = stack.enter_context(self.traffic(proxy, folder))
            slow_ms = self.limits.slow_ms or SLOW_LEAST_MS
            differ = self.limits.disagreement or MOST_DIFFER
            scene = Scene(proxy.control, self.servers, sidecars, slow_ms, differ, traffic.stop, traffic.finish)
            watcher = stack.enter_context(
                Watcher(proxy.control, proxy.log, proxy.word, slow_ms, folder / "asked.jsonl", scene.memory)
            )
            eyes = Striking(watcher.look, scene, what.inject if what else None)
            journal = stack.enter_context(Journal(folder / "journal.jsonl"))
            plan = Plan(steps=self.shares, limits=self.limits, deadline_s=deadline, poll_s=POLL_S)
            outcome = roll(plan, proxy.control, eyes, journal)
            if what is None and outcome.ruling.decision is Decision.PROMOTE:
                self._retire_blue(scene)
            elif scene.signalled_ns:
                time.sleep(AFTER_S)
            traffic.finish()
            arrived = what.arrived(scene) if what and eyes.struck else 0
            lost_later = traffic.lost_after(scene.signalled_ns) if scene.signalled_ns else 0
        return self._written(name, what, outcome, traffic, arrived, lost_later, time.monotonic() - began)

    def _retire_blue(self, scene: Scene) -> None:
        """What follows a promotion: blue answers what it has and is ended, while green has all the traffic."""
        scene.control.wait_drained(Colour.BLUE, TIMEOUT_MS / 1000)
        self.servers[Colour.BLUE].drain(TIMEOUT_MS / 1000)
        time.sleep(AFTER_S)

    @staticmethod
    def _written(
        name: str, what: Fault | None, outcome: Outcome, traffic: Traffic, arrived: int, lost_later: int, seconds: float
    ) -> Scenario:
        return Scenario(
            name=name,
            must=list(what.MUST) if what else [Decision.PROMOTE],
            ruling=outcome.ruling,
            windows=outcome.windows,
            arrived=arrived if what else None,
            requests=traffic.sent,
            lost=traffic.lost,
            lost_later=lost_later,
            loses=getattr(what, "LOSES", "") if what else NOTHING_LOST,
            seconds=seconds,
        )

    @contextmanager
    def traffic(self, proxy: Proxy, folder: Path) -> Iterator[Traffic]:
        """Users' requests, and questions to both colours, until the block ends."""
        stop, started = folder / "stop", folder / "started"
        load = self._load(proxy.url, folder / "requests.npz", self.rate, LONGEST_S)
        steady = Steady(**load, stop=str(stop), started=str(started))
        traffic = Traffic(stop, Path(steady.destination))
        traffic.start(self.crew[0], steady)
        traffic.start(self.crew[1], self.ask(proxy, folder / "asked.jsonl", stop))
        end = time.monotonic() + STARTED_S
        while not started.exists() and not traffic.failed:
            if time.monotonic() > end:
                raise NotMeasured("timeout", f"the load generator did not begin within {STARTED_S:.0f} s.")
            time.sleep(0.01)
        try:
            yield traffic
        finally:
            stop.touch()
            traffic.join()

    def ask(self, front: Fronting, destination: Path, stop: Path, rate: float = ASKED_QPS, seconds: float = LONGEST_S) -> Ask:
        """Questions to both."""
        load = self._load(front.asking(Colour.BLUE), destination, rate, seconds)
        return Ask(**load, green_url=front.asking(Colour.GREEN), stop=str(stop), classes=classes(self.blue.task))

    def _load(self, url: str, destination: Path, rate: float, seconds: float) -> dict[str, Any]:
        return {
            "scenario": "server", "spec": self.blue.spec, "inputs": str(self.inputs), "examples": self.sender.examples,
            "target_qps": rate, "duration_s": seconds, "destination": str(destination), "folder": str(self.scratch),
            "outstanding": MOST_AT_ONCE, "seed": self.terms.seed, "request_timeout_ms": TIMEOUT_MS, "url": url, "name": self.name,
            "new_tokens": NEW_TOKENS, "prompts": self.sender.prompts,
        }  # fmt: skip

    @cached_property
    def sender(self) -> Sender:
        """What knows the examples, and a text model's prompts as text."""
        return Sender(self.blue, None, self.terms.seed)

    @cached_property
    def inputs(self) -> Path:
        """The feeds, where those who send may read them."""
        return self.blue.inputs.resolve()
