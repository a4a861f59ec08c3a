"""A served model whose alerts are raised: each fault is injected for real, and whoever watches must see it, and nothing before.

The model is behind `gatekeeper serve` and has real traffic. First it is well: nobody may be told. Then one fault after the other
comes to it, each with counters of its own, as a job of its own. That a fault arrived is counted by who injects it, or by who
sends the requests: an alert on a fault that never came would have proved nothing.
"""

from __future__ import annotations

import http.server
import math
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec

from gatekeeper.deploy.asking import Ask, Pair
from gatekeeper.deploy.sidecar import Sidecar
from gatekeeper.deploy.traffic import LONGEST_S, Traffic, classes
from gatekeeper.errors import NotMeasured
from gatekeeper.load.sender import MOST_AT_ONCE, NEW_TOKENS, Sender
from gatekeeper.load.steady import Steady
from gatekeeper.load.stress import median_ms
from gatekeeper.making.subject import Subject
from gatekeeper.monitor.alerts._base import Rule, alert
from gatekeeper.monitor.eyes import Eyes, Looks, Rules
from gatekeeper.monitor.faults._base import Scene, fault
from gatekeeper.monitor.faults.slowness import longest_s
from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.programs import answer, check_programs, serving, until
from gatekeeper.monitor.site import Site
from gatekeeper.monitor.sources._http import get
from gatekeeper.monitor.window import LABELLED, REQUESTS, SHADOWED
from gatekeeper.process.hold import reaching
from gatekeeper.process.isolate import Worker
from gatekeeper.records.watched import Alerted, Watching
from gatekeeper.serve.behind import NAME, ready_s, served
from gatekeeper.serve.child import Server

How = Literal["real_time", "periodic"]
WELL = "well"
BOTH = (True, False)
ASKING = "wrong_answers"
"""The fault that needs somebody who holds answers against what they were."""

RATE_QPS, BEARABLE = 100.0, 0.4
"""Requests a second, and at most such a part of what one after another would give."""
ASKED_QPS, ASKED_BEARABLE = 20.0, 0.15
ALONE_S, BEFORE_S, MORE = 2.0, 1.0, 1.4
"""How long speed is measured; how long a server is well before its fault; by how much more is counted than a rule needs."""
SHORTEST_S, MOST_S = 6.0, 120.0
"""What a rule looks back at least, and at most: more nobody waits for in a CI job."""
PATIENCE_S, READY_S, TIMEOUT_S, QUEUE = 60.0, 30.0, 2.0, 4096
LONG_S = 3600.0
"""What rules of rare events look back: all of a job, which begins at nothing."""


@dataclass
class _Counts:
    """What one alert needs and saw while the model was well."""

    least: int
    seen: int = 0


def prove(subject: Subject, limits: Mapping[str, Any], how: How, seed: int, note: Callable[[str], None]) -> Watching:
    """Every alert of `limits` that a fault raises, on that fault and on identical data. `NotMeasured` where a model is too slow
    for it, `UsageError` where a program is missing.
    """
    if how == "real_time":
        check_programs()
    began = time.monotonic()
    ruled = {name: config for name, config in limits.items() if hasattr(alert(name), "FAULT")}
    with ExitStack() as stack:
        stage = _Stage(subject, ruled, seed, stack)
        stage.meet()
        jobs = [WELL, *sorted(set(stage.faults.values()), key=lambda name: fault(name).ORDER)]
        pages = stack.enter_context(stage.pages(jobs))
        site = Site({}, stage.window_s, LONG_S)
        eyes: Eyes = (Rules if how == "real_time" else Looks)(ruled, site, pages, stage.scratch)
        with eyes:
            loud, sent, asked = stage.well(eyes)
            note(f"{WELL}: {', '.join(loud) or 'nobody was told'}, {sent} requests")
            found = {}
            for name in jobs[1:]:
                found[name] = stage.strike(name, eyes)
                arrived, fired = found[name]
                told = ", ".join(f"{each} after {fired[each]:.1f} s" for each in fired) or "nobody was told"
                note(f"{name}: arrived {arrived} times; {told}")
    alerts = [
        Alerted(
            alert=name,
            fault=stage.faults[name],
            arrived=found[stage.faults[name]][0],
            fired_s=found[stage.faults[name]][1].get(name),
            silent=name not in loud,
            least=stage.least(name),
            seen=asked if stage.faults[name] == ASKING else sent,
        )
        for name in ruled
    ]
    return Watching(
        variant=subject.id,
        how=how,
        alerts=alerts,
        not_shown=sorted(set(limits) - set(ruled)),
        rate_qps=stage.rate,
        window_s=stage.window_s,
        seconds=time.monotonic() - began,
    )


@dataclass
class _Stage:
    """The server, its traffic and its page of metrics."""

    subject: Subject
    limits: Mapping[str, Any]
    seed: int
    stack: ExitStack
    rate: float = 0.0
    asked_rate: float = 0.0
    window_s: float = SHORTEST_S
    job: str = ""
    pairs: Path | None = None
    server: Server = field(init=False)
    sidecar: Sidecar | None = None

    @cached_property
    def faults(self) -> dict[str, str]:
        """The fault of each alert."""
        return {name: alert(name).FAULT for name in self.limits}  # type: ignore[attr-defined]

    @cached_property
    def scratch(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.subject.space.scratch, prefix="watched-"))

    @cached_property
    def crew(self) -> tuple[Worker, Worker]:
        """Who sends the traffic, and who holds answers against one another."""
        space = self.subject.space
        workers = [Worker(self.scratch, space.memory_limit, room=reaching(self.scratch)) for _ in range(2)]
        return self.stack.enter_context(workers[0]), self.stack.enter_context(workers[1])

    def least(self, name: str) -> int:
        """How many observations the rules of an alert need."""
        rules: list[Rule] = alert(name).rules(self.limits[name], Site(), None)
        return max((rule.least for rule in rules), default=0)

    def meet(self) -> None:
        """Start it; how fast it answers one request after another says how many it bears, and so how long all this takes."""
        late = max(TIMEOUT_S, 3 * longest_s(dict(self.limits)))
        with Server(served(self.subject), self.scratch) as first:
            first.wait_ready(ready_s(self.subject))
            alone = Sender(self.subject, first, self.seed).send("single_stream", 1.0, ALONE_S)
        took_s = median_ms(alone) / 1000
        if not math.isfinite(took_s):
            raise NotMeasured("model", "no request was answered, one at a time: nothing can be watched.")
        self.rate, self.asked_rate = min(RATE_QPS, BEARABLE / took_s), min(ASKED_QPS, ASKED_BEARABLE / took_s)
        needs = [self.least(n) / (self.asked_rate if f == ASKING else self.rate) for n, f in self.faults.items()]
        self.window_s = math.ceil(max(SHORTEST_S, MORE * max(needs, default=0.0)))
        if self.window_s > MOST_S:
            said = f"at {self.rate:.3g} requests/s the rules need {self.window_s:.0f} s of them before they say anything"
            raise NotMeasured("timeout", f"{said}, and have {MOST_S:.0f} s. Use a faster machine, or a smaller model.")
        settings = served(self.subject, queue=QUEUE, request_timeout_s=max(late, 20 * took_s))
        self.server = self.stack.enter_context(Server(settings, self.scratch))
        self.server.wait_ready(ready_s(self.subject))
        if ASKING in self.faults.values():
            self.sidecar = self.stack.enter_context(Sidecar(self.server.address, self.scratch))

    @contextmanager
    def pages(self, jobs: list[str]) -> Iterator[dict[str, str]]:
        """An address for each job: the server's own /metrics while it is the job's turn, with what is counted of answers."""
        stage = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = stage.metrics() if self.path.strip("/") == stage.job else None
                answer(self, text or b"", 200 if text else 503)

            def log_message(self, *words: object) -> None:
                """Nothing."""

        with serving(Handler) as url:
            yield {job: f"{url}/{job}" for job in jobs}

    def metrics(self) -> bytes | None:
        """None where the server does not answer."""
        try:
            page = get(f"{self.server.url}/metrics", "the server")
        except Unread:
            return None
        if page.status != 200:
            return None
        same = [pair.same for pair in self.asked()]
        kinds = [(SHADOWED, "agrees"), (LABELLED, "right")] if self.sidecar else []
        more = [f'{family}{{{label}="{str(kind).lower()}"}} {same.count(kind)}\n' for family, label in kinds for kind in BOTH]
        return page.body + "".join(more).encode()

    def asked(self) -> list[Pair]:
        """Questions whose answer was held against that of the same model, asked directly."""
        if self.pairs is None or not self.pairs.exists():
            return []
        lines = self.pairs.read_bytes().split(b"\n")[:-1]  # what comes after the last line's end is still being written
        return [pair for line in lines if (pair := msgspec.json.decode(line, type=Pair)).same is not None]

    def answered(self) -> float:
        """Good answers of the server since it began; 0 where it says nothing."""
        text = (self.metrics() or b"").decode()
        found = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(f'{REQUESTS}{{code="200"')]
        return float(found[0]) if found else 0.0

    def well(self, eyes: Eyes) -> tuple[list[str], int, int]:
        """Who was told although nothing is wrong, and how many requests and questions there were."""
        with self.traffic(WELL) as traffic:
            eyes.watch(WELL)
            time.sleep(self.window_s)
            eyes.settle()
            loud = sorted(eyes.told())
        return loud, traffic.sent, len(self.asked())

    def strike(self, name: str, eyes: Eyes) -> tuple[int, dict[str, float]]:
        """How often the fault arrived, and after how long each of its alerts was told."""
        what, expected = fault(name), {each for each, own in self.faults.items() if own == name}
        until(lambda: self.answered_one(), READY_S)
        with self.traffic(name) as traffic:
            eyes.watch(name)
            time.sleep(BEFORE_S)
            scene = Scene(self.server, dict(self.limits), traffic, self.answered, self.sidecar)
            began = time.monotonic()
            thread = threading.Thread(target=what.inject, args=(scene,), daemon=True)
            thread.start()
            try:
                until(lambda: expected <= set(eyes.told()), self.window_s + PATIENCE_S)
            finally:
                scene.over.set()
                thread.join()
        told = eyes.told()
        return what.arrived(scene), {each: max(0.0, told[each] - began) for each in sorted(expected & set(told))}

    def answered_one(self) -> bool:
        """Whether it answers, after what was done to it before."""
        try:
            return get(f"{self.server.url}/v2/health/ready", "the server").status == 200
        except Unread:
            return False

    @contextmanager
    def traffic(self, job: str) -> Iterator[Traffic]:
        """Requests until the block ends; meanwhile it is the job's turn."""
        folder = Path(tempfile.mkdtemp(dir=self.scratch, prefix=f"{job}-"))
        stop, started = folder / "stop", folder / "started"
        load = self._load(self.server.url, folder / "requests.npz", self.rate)
        steady = Steady(**load, stop=str(stop), started=str(started))
        traffic = Traffic(stop, Path(steady.destination))
        self.job, self.pairs = job, folder / "asked.jsonl"
        traffic.start(self.crew[0], steady)
        if self.sidecar is not None and job in (WELL, ASKING):
            asking = self._load(self.server.url, self.pairs, self.asked_rate)
            ask = Ask(**asking, green_url=f"http://{self.sidecar.address}", stop=str(stop), classes=classes(self.subject.task))
            traffic.start(self.crew[1], ask)
        if not until(lambda: started.exists() or traffic.failed, READY_S):
            raise NotMeasured("timeout", f"the load generator did not begin within {READY_S:.0f} s.")
        try:
            yield traffic
        finally:
            stop.touch()
            traffic.join()
        traffic.finish()

    def _load(self, url: str, destination: Path, rate: float) -> dict[str, Any]:
        sender = self.sender
        return {
            "scenario": "server", "spec": self.subject.spec, "inputs": str(self.subject.inputs.resolve()),
            "examples": sender.examples, "target_qps": rate, "duration_s": LONGEST_S, "destination": str(destination),
            "folder": str(self.scratch), "outstanding": MOST_AT_ONCE, "seed": self.seed,
            "request_timeout_ms": 1000 * self.server.served.request_timeout_s + 1000, "url": url, "name": NAME,
            "new_tokens": NEW_TOKENS, "prompts": sender.prompts,
        }  # fmt: skip

    @cached_property
    def sender(self) -> Sender:
        """What knows the examples, and a text model's prompts as text."""
        return Sender(self.subject, self.server, self.seed)
