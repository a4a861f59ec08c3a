"""What a watch answers: /metrics to a Prometheus, /v1/verdict to Argo Rollouts and Flagger, /healthz to who looks after it.

Argo's `web` provider reads the JSON of a 200, and takes everything else for an error: `hold` is a 200 as well, which is neither
success nor failure and pauses in the end. Flagger reads the status alone: 200 is yes to what `is` asks, 409 is no. A question
that is none is 400, and one that this gatekeeper does not judge 404, to both.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.monitor.answering.exposition import CONTENT_TYPE, exposition
from gatekeeper.records.rollout import Decision
from gatekeeper.version import install_hint, version

if TYPE_CHECKING:
    from gatekeeper.monitor.answering.rollouts import Rollouts, Verdict
    from gatekeeper.monitor.decide import Look
    from gatekeeper.monitor.resolution.journal import Entry

MOST_BODY, TIMEOUT_S = 1 << 20, 30.0
YES, NO = 200, 409
Answer = tuple[int, bytes, str]


@dataclass
class Answers:
    """What is answered from: the last look, what was tried, and rollouts, if the file says how they are judged."""

    rollouts: Rollouts | None = None
    look: Look | None = None
    tried: Callable[[], list[Entry]] = list

    def get(self, path: str, query: Mapping[str, str]) -> Answer:
        """What a Prometheus and Argo ask."""
        if path == "/healthz":
            return 200, b"ok\n", "text/plain"
        if path == "/metrics":
            return 200, exposition(self.look, self.tried()), CONTENT_TYPE
        if path != "/v1/verdict":
            return _problem(404, "there is /metrics, /v1/verdict and /healthz")
        if (rollouts := self.rollouts) is None:
            return _problem(404, "monitoring.judge is not in the pipeline file, so that no rollout is judged")
        model, green, step = (query.get(name, "") for name in ("model", "green", "step"))
        if not _name(model) or not _name(green) or not (step.isascii() and step.isdigit() and int(step) <= 100):
            return _problem(400, "ask /v1/verdict?model=NAME&step=PERCENT&green=HASH")
        return _json(200, rollouts.about(model, green, int(step)))

    def post(self, path: str, query: Mapping[str, str], body: bytes) -> Answer:
        """What Flagger asks."""
        if path != "/v1/verdict":
            return _problem(404, "there is /v1/verdict")
        if (rollouts := self.rollouts) is None:
            return _problem(404, "monitoring.judge is not in the pipeline file, so that no rollout is judged")
        wanted, of, model = query.get("is", ""), query.get("of", ""), query.get("model", "")
        if not _name(model) or (wanted, of) not in (("promote", "traffic"), ("promote", "promotion"), ("rollback", "")):
            return _problem(400, "ask /v1/verdict?model=NAME&is=promote&of=traffic, &is=promote&of=promotion or &is=rollback")
        try:
            checksum = json.loads(body)["checksum"]
        except (ValueError, KeyError, TypeError):
            checksum = ""
        if not isinstance(checksum, str) or not _name(checksum):
            return _problem(
                400, "the body has no checksum, by which Flagger tells one rollout from another. Use a newer Flagger."
            )
        verdict = rollouts.granted(model, checksum, of)
        return _json(YES if verdict.decision == Decision(wanted) else NO, verdict)


def _name(text: str) -> bool:
    """What may be the name of an object, or a digest."""
    return bool(re.fullmatch(r"[A-Za-z0-9._-]{1,253}", text))


def _json(status: int, verdict: Verdict) -> Answer:
    import msgspec

    return status, msgspec.json.encode(verdict), "application/json"


def _problem(status: int, why: str) -> Answer:
    return status, json.dumps({"error": why}).encode(), "application/json"


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = f"gatekeeper/{version()}", ""
    timeout = TIMEOUT_S
    answers: Answers

    def do_GET(self) -> None:
        """A look at it."""
        self._answer(lambda path, query: self.answers.get(path, query))

    def do_POST(self) -> None:
        """A webhook."""
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit() and int(length) <= MOST_BODY):
            return self._send(_problem(413, f"the body must say its length, of at most {MOST_BODY} bytes"))
        body = self.rfile.read(int(length))
        return self._answer(lambda path, query: self.answers.post(path, query, body))

    def _answer(self, how: Callable[[str, Mapping[str, str]], Answer]) -> None:
        try:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            found = how(parts.path, query)
        except GatekeeperError as error:
            found = _problem(503, str(error))
        except Exception as error:  # whatever a stranger sends, the watch goes on
            found = _problem(500, f"a bug in gatekeeper: {type(error).__name__}")
        self._send(found)

    def _send(self, answer: Answer) -> None:
        status, body, kind = answer
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: Any) -> None:
        """Nothing: there is a request every few seconds."""


def address(listen: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`."""
    host, _, port = listen.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise UsageError(f"--listen {listen!r:.100}: say HOST:PORT, such as 127.0.0.1:9464; port 0 takes any free one.")
    return host.strip("[]"), int(port)


@contextmanager
def answering(listen: str, answers: Answers) -> Iterator[str]:
    """Answer until the block ends; its URL. `UsageError` where nothing can listen there."""
    try:
        import prometheus_client  # noqa: F401  (asked for here, not at the first scrape)
    except ModuleNotFoundError:
        raise UsageError(f"prometheus-client is not installed. {install_hint('serve')}") from None
    host, port = address(listen)
    handler = type("Handler", (_Handler,), {"answers": answers})
    try:
        server = ThreadingHTTPServer((host, port), handler)
    except OSError as error:
        raise UsageError(f"{listen}: cannot listen there: {error.strerror or error}. Name another with --listen.") from None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
