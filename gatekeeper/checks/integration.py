"""The variant behind a real server: it answers over HTTP exactly as its session does, whatever happens to its processes."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from gatekeeper.checks.behind import Broken, call, call_json, check, not_run
from gatekeeper.checks.client.converse import Converse
from gatekeeper.checks.client.exchange import Exchange, Exchanged
from gatekeeper.checks.client.traffic import Sent, Traffic, Trafficked
from gatekeeper.errors import NotMeasured
from gatekeeper.making.subject import Subject
from gatekeeper.process.isolate import Worker
from gatekeeper.process.messages import Answer, Request
from gatekeeper.records.base import Verdict
from gatekeeper.records.tested import Check
from gatekeeper.serve.behind import DRAIN_S, NAME, ready_s, served
from gatekeeper.serve.child import Server

KIND: Literal["integration_tests"] = "integration_tests"
SMOKE_FEEDS, ALL_FEEDS = 4, 10_000
SMOKE_JSON_S, ALL_JSON_S = 10.0, 20.0
CALLERS = 8
TRAFFIC_S, ACT_AFTER_S = 1.6, 0.5
MARGIN_NS = 100_000_000
"""A request that was sent so long before the server was told to stop has reached it; of later ones a client cannot know."""
CLIENT_S = 900.0

A = TypeVar("A", bound=Answer)


def integration_checks(subject: Subject, level: str, dataset: Path | None = None) -> list[Check]:
    """The tests of a level; `dataset` is the prepared evaluation set."""
    with tempfile.TemporaryDirectory(dir=subject.space.scratch, prefix="served-") as scratch:
        return _Tests(subject, Path(scratch), dataset).run(level)


class _Tests:
    """All tests of one model; most of them on one server."""

    def __init__(self, subject: Subject, scratch: Path, dataset: Path | None):
        self.subject, self.scratch, self.dataset = subject, scratch, dataset

    def run(self, level: str) -> list[Check]:
        """In order; where no server comes up, the others are not tried."""
        whole = level == "full_pipeline"
        on_one: list[tuple[str, Callable[[Server], str]]] = [
            ("metadata", self.metadata),
            ("answers", self.every_answer if whole else self.answers),
            ("bad_request", self.bad_request),
        ]
        if self.subject.spec.text is not None:
            on_one.append(("texts", self.texts))
        if whole:
            on_one.append(("session_killed", self.session_killed))
        on_own: list[tuple[str, Callable[[], str]]] = [("stops", self.stops)]
        if whole:
            on_own = [("server_killed", self.server_killed), ("drained", self.drained), ("two_servers", self.two_servers)]
        with Server(served(self.subject), self.scratch) as server:
            found = [check(KIND, "ready", lambda: self.ready(server))]
            if found[0].verdict is not Verdict.PASS:
                return found + not_run(KIND, [name for name, _ in (*on_one, *on_own)], found[0].reason)
            for name, test in on_one:
                found.append(check(KIND, name, lambda test=test: self.on(server, test)))  # type: ignore[misc]
        return found + [check(KIND, name, own) for name, own in on_own]

    def on(self, server: Server, test: Callable[[Server], str]) -> str:
        """A test on a server that others have used."""
        if not server.alive:
            raise Broken("the server has ended")
        return test(server)

    def ready(self, server: Server) -> str:
        """It comes up, and says so."""
        started = time.monotonic()
        server.wait_ready(ready_s(self.subject))
        took = time.monotonic() - started
        for path in ("/v2/health/live", "/v2/health/ready", f"/v2/models/{NAME}/ready"):
            status, _ = call(server.address, "GET", path)
            if status != 200:
                raise Broken(f"{path} is answered with {status}")
        return f"ready after {took:.1f} s"

    def metadata(self, server: Server) -> str:
        """It describes the original's inputs and outputs."""
        from gatekeeper.serve.config import DATATYPES

        said = call_json(server.address, f"/v2/models/{NAME}")
        if said.get("name") != NAME:
            raise Broken(f"it calls itself {said.get('name')!r}")
        for kind, tensors in (("inputs", self.subject.model.inputs), ("outputs", self.subject.model.outputs)):
            found = {t["name"]: (t["datatype"], t["shape"]) for t in said.get(kind, [])}
            if self.subject.spec.text is not None:
                if not found:
                    raise Broken(f"it names no {kind}")
                continue
            if set(found) != {t.name for t in tensors}:
                raise Broken(f"its {kind} are {', '.join(found)}, and the model's {', '.join(t.name for t in tensors)}")
            for tensor in tensors:
                datatype, shape = found[tensor.name]
                sizes = [d if isinstance(d, int) and d > 0 else -1 for d in tensor.shape]
                if (datatype, shape) != (DATATYPES.get(tensor.dtype, datatype), sizes):
                    raise Broken(f"it says that {tensor.name} is {datatype}{shape}, and it is {tensor.dtype}{sizes}")
        return "it names the model's inputs and outputs"

    def answers(self, server: Server) -> str:
        """Some examples."""
        return self.exchange(server, None, SMOKE_FEEDS, SMOKE_JSON_S)

    def every_answer(self, server: Server) -> str:
        """Every example there is."""
        return self.exchange(server, self.dataset, ALL_FEEDS, ALL_JSON_S)

    def exchange(self, server: Server, dataset: Path | None, most: int, json_s: float) -> str:
        before = server.session_pids()
        fixed = self.subject.model.fixed_batch or 1
        request = Exchange(**self.reach(server), dataset=str(dataset) if dataset else None, batch=fixed, most=most, json_s=json_s)
        found = self.ask(request, Exchanged)
        deaths = f"the model's process died while it answered (it was {before}, and is {server.session_pids()})"
        died = server.session_pids() != before
        if found.wrong:
            raise Broken(found.wrong + (f"; {deaths}" if died else ""))
        if died:
            raise Broken(deaths)
        left = f"; {found.unsaid} of NaN or infinity, which JSON cannot say" if found.unsaid else ""
        return (
            f"{found.binary} of {found.asked} requests as binary tensors and {found.json} as JSON, equal to the session's{left}"
        )

    def bad_request(self, server: Server) -> str:
        """It refuses what is no request, and goes on."""
        path = f"/v2/models/{NAME}/infer"
        for body in (b"", b"{", b'{"inputs": []}', json.dumps({"inputs": [{"name": "no such input"}]}).encode()):
            status, _ = call(server.address, "POST", path, body, {"Content-Type": "application/json"})
            if not 400 <= status < 500:
                raise Broken(f"{body.decode()!r} is answered with {status}, not refused")
        status, _ = call(server.address, "POST", "/v2/models/another/infer", b"{}")
        if status != 404:
            raise Broken(f"a model that is not there is answered with {status}, not 404")
        self.exchange(server, None, 1, SMOKE_JSON_S)
        return "refused with 4xx, and a good request is answered right afterwards"

    def texts(self, server: Server) -> str:
        """What it writes is what the session writes greedily, whole and as a stream."""
        found = self.ask(Converse(**self.reach(server)), Exchanged)
        if found.wrong:
            raise Broken(found.wrong)
        return f"{found.json} texts, whole and as streams, are those that the session writes"

    def session_killed(self, server: Server) -> str:
        """The process with the session is killed under traffic: another takes its place, and nobody notices."""
        before = server.session_pids()

        def kill() -> None:
            for pid in before:
                os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))

        sent, acted = self.traffic(server, kill)
        _none(sent, "wrong", "failed", "lost", "unreached")
        self.enough(sent, acted)
        after = server.session_pids()
        if not after or set(after) & set(before):
            raise Broken(f"the session's process was killed, and no other took its place (it was {before}, and is {after})")
        refused = sum(s.outcome == "refused" for s in sent)
        more = f"; {refused} were refused with 503 meanwhile" if refused else ""
        return f"{len(sent) - refused} requests around the kill were answered, all of them right{more}"

    def server_killed(self) -> str:
        """The whole server is killed under traffic and started again where it was."""
        with Server(served(self.subject), self.scratch) as server:
            server.wait_ready(ready_s(self.subject))
            sessions = server.session_pids()
            sent, _ = self.traffic(server, server.kill)
            _none(sent, "wrong", "failed")
            port = server.port
            deadline = time.monotonic() + 10
            while left := [pid for pid in sessions if _runs(pid)]:
                if time.monotonic() > deadline:
                    raise Broken(f"the server was killed, and its process {left[0]} is still there 10 s later")
                time.sleep(0.05)
        with Server(served(self.subject, port=port), self.scratch) as server:
            server.wait_ready(ready_s(self.subject))
            said = self.exchange(server, None, SMOKE_FEEDS, SMOKE_JSON_S)
        right = sum(s.outcome == "right" for s in sent)
        return f"{right} requests answered right before; ready again on the same port, and {said}"

    def stops(self) -> str:
        """It ends when it is told to, and nothing is left."""
        with Server(served(self.subject), self.scratch) as server:
            server.wait_ready(ready_s(self.subject))
            _ended_well(server.drain(DRAIN_S + 10))
        return "it stops with exit code 0 and leaves no process"

    def drained(self) -> str:
        """It is told to stop under traffic."""
        with Server(served(self.subject), self.scratch) as server:
            server.wait_ready(ready_s(self.subject))
            codes: list[int] = []
            sent, acted = self.traffic(server, lambda: codes.append(server.drain(DRAIN_S + 10)))
            _ended_well(codes[0] if codes else None)
        _none(sent, "wrong", "failed")
        accepted = [s for s in sent if s.began_ns < acted - MARGIN_NS]
        _none(accepted, "lost", "unreached")
        self.enough(sent, acted, after=False)
        flying = sum(s.began_ns < acted < s.ended_ns and s.outcome == "right" for s in sent)
        return (
            f"{sum(s.outcome == 'right' for s in sent)} requests answered right, {flying} of them in flight when it was told to "
            "stop; none that it had accepted was lost; exit code 0, and no process left"
        )

    def two_servers(self) -> str:
        """Two servers of the same model do not get into each other's way."""
        with Server(served(self.subject), self.scratch) as one, Server(served(self.subject), self.scratch) as two:
            one.wait_ready(ready_s(self.subject))
            two.wait_ready(ready_s(self.subject))
            if one.url == two.url:
                raise Broken(f"both say they are at {one.url}")
            self.exchange(one, None, SMOKE_FEEDS, SMOKE_JSON_S)
            _ended_well(one.drain(DRAIN_S + 10))
            self.exchange(two, None, SMOKE_FEEDS, SMOKE_JSON_S)
        return "both answer right, the second also after the first has stopped"

    def traffic(self, server: Server, act: Callable[[], None]) -> tuple[list[Sent], int]:
        """What became of requests, and when something was done to the server among them."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            started = Path(folder) / "started"
            request = Traffic(**self.reach(server), callers=CALLERS, seconds=TRAFFIC_S, started=str(started))
            seen: list[float] = []
            acted: list[int] = []

            def watch(full: bool) -> None:
                if not seen and started.exists():
                    seen.append(time.monotonic())
                if seen and not acted and time.monotonic() - seen[0] > ACT_AFTER_S:
                    acted.append(time.monotonic_ns())
                    act()

            with Worker(self.scratch, self.subject.space.memory_limit) as worker:
                sent = worker.ask(request, Trafficked, self.limit_s(), sample=watch).sent
        if not acted:
            raise NotMeasured("timeout", "the traffic was over before anything was done to the server.")
        return sent, acted[0]

    def enough(self, sent: list[Sent], acted: int, after: bool = True) -> None:
        """A test in which nothing was answered has tested nothing."""
        if not any(s.outcome == "right" and s.ended_ns < acted for s in sent):
            raise Broken("no request was answered before")
        if after and not any(s.outcome == "right" and s.began_ns > acted for s in sent):
            raise Broken("no request was answered afterwards")

    def ask(self, request: Request, answer: type[A]) -> A:
        with Worker(self.scratch, self.subject.space.memory_limit) as worker:
            return worker.ask(request, answer, self.limit_s())

    def limit_s(self) -> float:
        return min(CLIENT_S, self.subject.space.timeout_s)

    def reach(self, server: Server) -> dict[str, Any]:
        return {"url": server.url, "name": NAME, "spec": self.subject.spec, "inputs": str(self.subject.inputs.resolve())}


def _none(sent: list[Sent], *outcomes: str) -> None:
    """`Broken` where a request ended in one of these ways."""
    bad = [s for s in sent if s.outcome in outcomes]
    if bad:
        raise Broken(
            f"{len(bad)} of {len(sent)} requests went wrong; the first was {bad[0].outcome}: {bad[0].said or 'no answer'}"
        )


def _ended_well(code: int | None) -> None:
    if code != 0:
        raise Broken(f"told to stop, the server ended with code {code}, not 0")


def _runs(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
