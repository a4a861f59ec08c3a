"""Hostile input to a real server of the variant: each group of attacks is a check."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from gatekeeper.checks.asking import asked
from gatekeeper.checks.outcome import Broken, checked, not_run
from gatekeeper.checks.security.base import GOOD, Attack, attacks
from gatekeeper.checks.security.victim import BODY_S, Victim, Watched
from gatekeeper.data.feeds import read_feeds, read_prompts
from gatekeeper.making.subject import Subject
from gatekeeper.records.base import Verdict
from gatekeeper.records.tested import Check
from gatekeeper.serve.behind import ready_s, served
from gatekeeper.serve.child import Server
from gatekeeper.serve.config import Served

KIND = "security_tests"
LEAST_BODY = 4 << 20
PROMPT_TOKENS = 8


def security_checks(subject: Subject, level: str) -> list[Check]:
    """The attacks of a level. After one that the server did not survive, the next gets a fresh server."""
    with tempfile.TemporaryDirectory(dir=subject.space.scratch, prefix="attacked-") as scratch:
        return _Siege(subject, Path(scratch)).run(level)


class _Siege:
    """One model, and the servers it takes."""

    def __init__(self, subject: Subject, scratch: Path):
        self.subject, self.scratch = subject, scratch
        self.good: dict[str, Any] = {}
        self.victim: Victim | None = None

    def run(self, level: str) -> list[Check]:
        """Every attack; where no server answers even a good request, none of them."""
        chosen = attacks(level, self.subject.spec.text is not None)
        try:
            checks = [checked(KIND, GOOD.name, self.open)]
            if checks[0].verdict is not Verdict.PASS:
                return checks + not_run(KIND, [attack.name for attack in chosen], checks[0].reason)
            return checks + [checked(KIND, attack.name, partial(self.attacked, attack)) for attack in chosen]
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
            with asked():
                self.victim = Victim(server, about.inputs(), self.good, max_body, self.subject.space)
        except BaseException:
            server.close()
            raise
        return f"a good request is answered; the server holds {self.victim.held / 1e6:.0f} MB"

    def attacked(self, attack: Attack) -> str:
        """One group of attacks, and the state of the server afterwards."""
        victim = self.ready()
        with Watched(victim) as watched:
            try:
                with asked():
                    count = attack.run(victim)
                    victim.fine()
            except BaseException:
                self.close()  # what one attack broke must not fail the next
                raise
        made_up = "" if attack.seed is None else f" of seed {attack.seed}"
        return f"{count} requests{made_up}; {self.bounded(watched)}, and it answers as before"

    def bounded(self, watched: Watched) -> str:
        """How much memory the server took for it; `Broken` where that is too much."""
        victim = watched.victim
        grew = watched.grew()
        said = f"the server's memory grew by {grew / 1e6:.0f} MB at most, {victim.limit / 1e6:.0f} MB are allowed"
        if grew > victim.limit:
            self.close()
            raise Broken(said)
        return said

    def ready(self) -> Victim:
        """The server, a fresh one where the last did not survive."""
        if self.victim is None:
            self.open()
        assert self.victim is not None
        return self.victim

    def close(self) -> None:
        if self.victim is not None:
            self.victim.server.close()
            self.victim = None


def good_request(subject: Subject, about: Served) -> dict[str, Any]:
    """The first example as a request in JSON."""
    feed = (read_prompts(subject.inputs, PROMPT_TOKENS) if subject.spec.text else read_feeds(subject.inputs))[0]
    types = {tensor.name: tensor.datatype for tensor in about.inputs()}
    inputs = []
    for name, array in feed.items():
        data = [str(x) for x in array.ravel()] if types[name] == "BYTES" else array.ravel().tolist()
        inputs.append({"name": name, "shape": list(array.shape), "datatype": types[name], "data": data})
    return {"inputs": inputs}
