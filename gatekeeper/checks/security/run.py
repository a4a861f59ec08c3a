"""Hostile input to a real server of the variant: each group of attacks is a check."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Literal

from gatekeeper.checks.behind import Broken, check, not_run
from gatekeeper.checks.security.fuzz import Fuzz, Fuzzed
from gatekeeper.checks.security.openapi import described
from gatekeeper.checks.security.target import BODY_S, Attack, Target, Watched, attacks
from gatekeeper.data.feeds import read_feeds, read_prompts
from gatekeeper.errors import NotMeasured
from gatekeeper.making.subject import Subject
from gatekeeper.process.isolate import Worker
from gatekeeper.records.base import Verdict
from gatekeeper.records.tested import Check
from gatekeeper.serve.behind import ready_s, served
from gatekeeper.serve.child import Server
from gatekeeper.serve.config import Served

Engine = Literal["openapi", "tensors"]
KIND: Literal["security_tests"] = "security_tests"
LEAST_BODY = 4 << 20
PROMPT_TOKENS = 8
SEED = 20250101
FUZZ_S: dict[Engine, float] = {"openapi": 15.0, "tensors": 8.0}
FUZZED: dict[Engine, str] = {"openapi": "fuzzed_openapi", "tensors": "fuzzed_tensors"}


def security_checks(subject: Subject, level: str) -> list[Check]:
    """The attacks of a level. After one that the server did not survive, the next gets a fresh server."""
    with tempfile.TemporaryDirectory(dir=subject.space.scratch, prefix="attacked-") as scratch:
        return _Siege(subject, Path(scratch)).run(level)


class _Siege:
    """One model, and the servers it takes."""

    def __init__(self, subject: Subject, scratch: Path):
        self.subject, self.scratch = subject, scratch
        self.good: dict[str, Any] = {}
        self.target: Target | None = None

    def run(self, level: str) -> list[Check]:
        """Every attack; where no server answers even a good request, none of them."""
        chosen = attacks(level, self.subject.spec.text is not None)
        fuzzers = list(FUZZED) if level == "comprehensive" else []
        try:
            found = [check(KIND, "good_request", self.open)]
            if found[0].verdict is not Verdict.PASS:
                names = [attack.name for attack in chosen] + [FUZZED[name] for name in fuzzers]
                return found + not_run(KIND, names, found[0].reason)
            for attack in chosen:
                found.append(check(KIND, attack.name, lambda attack=attack: self.attacked(attack)))  # type: ignore[misc]
            for name in fuzzers:
                found.append(check(KIND, FUZZED[name], lambda name=name: self.fuzzed(name)))  # type: ignore[misc]
            return found
        finally:
            self.close()

    def open(self) -> str:
        """A server that answers a good request, and has nothing behind it yet."""
        self.close()
        self.good = self.good or good_request(self.subject, served(self.subject))
        max_body = max(LEAST_BODY, 4 * len(json.dumps(self.good)))
        about = served(self.subject, max_body_bytes=max_body, body_timeout_s=BODY_S)
        server = Server(about, self.scratch)
        try:
            server.wait_ready(ready_s(self.subject))
            self.target = Target(server, about.inputs(), self.good, max_body)
        except BaseException:
            server.close()
            raise
        return f"a good request is answered; the server holds {self.target.held / 1e6:.0f} MB"

    def attacked(self, attack: Attack) -> str:
        """One group of attacks, and the state of the server afterwards."""
        target = self.ready()
        with Watched(target) as watched:
            try:
                count = attack.run(target)
                target.fine()
            except BaseException:
                self.close()  # what one attack broke must not fail the next
                raise
        return f"{count} requests; {self.bounded(watched)}, and it answers as before"

    def fuzzed(self, engine: Engine) -> str:
        """Requests made by a fuzzer in a process of its own."""
        target, seconds = self.ready(), FUZZ_S[engine]
        request = Fuzz(
            url=target.server.url,
            engine=engine,
            good=self.good,
            description=described(target.server.address) if engine == "openapi" else {},
            seconds=seconds,
            seed=SEED,
        )
        with Watched(target) as watched:
            try:
                with Worker(self.scratch, self.subject.space.memory_limit) as worker:
                    found = worker.ask(request, Fuzzed, min(4 * seconds + 60, self.subject.space.timeout_s))
                if found.failures:
                    raise Broken(
                        f"{len(found.failures)} kinds of failure in {found.cases} requests: " + "; ".join(found.failures[:3])
                    )
                if not found.cases:
                    raise NotMeasured("unsupported", "the fuzzer made no request.")
                target.fine()
            except BaseException:
                self.close()
                raise
        return f"{found.cases} requests of seed {SEED}; {self.bounded(watched)}, and it answers as before"

    def bounded(self, watched: Watched) -> str:
        """How much memory the server took for it; `Broken` where that is too much."""
        target = watched.target
        grew = watched.grew()
        said = f"the server's memory grew by {grew / 1e6:.0f} MB at most, {target.limit / 1e6:.0f} MB are allowed"
        if grew > target.limit:
            self.close()
            raise Broken(said)
        return said

    def ready(self) -> Target:
        """The server, a fresh one where the last did not survive."""
        if self.target is None:
            self.open()
        assert self.target is not None
        return self.target

    def close(self) -> None:
        if self.target is not None:
            self.target.server.close()
            self.target = None


def good_request(subject: Subject, about: Served) -> dict[str, Any]:
    """The first example as a request in JSON."""
    feed = (read_prompts(subject.inputs, PROMPT_TOKENS) if subject.spec.text else read_feeds(subject.inputs))[0]
    types = {tensor.name: tensor.datatype for tensor in about.inputs()}
    inputs = []
    for name, array in feed.items():
        data = [str(x) for x in array.ravel()] if types[name] == "BYTES" else array.ravel().tolist()
        inputs.append({"name": name, "shape": list(array.shape), "datatype": types[name], "data": data})
    return {"inputs": inputs}
