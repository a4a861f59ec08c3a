"""The server under attack: how it is spoken to, what it may answer, and how it must be afterwards."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from gatekeeper.checks.outcome import Broken
from gatekeeper.making.workspace import Workspace
from gatekeeper.serve.behind import NAME
from gatekeeper.serve.child import Server
from gatekeeper.serve.config import TensorMetadata

ATTACK_S = 10.0
"""Longest time for one hostile request; the server is given less for a body."""
BODY_S = 2.0
GROWTH = 256 << 20
SAMPLE_S = 0.02
INFER = f"/v2/models/{NAME}/infer"
JSON = {"Content-Type": "application/json"}
SIZE = "Inference-Header-Content-Length"


class Victim:
    """One server, and a request that it answers."""

    def __init__(self, server: Server, inputs: list[TensorMetadata], good: dict[str, Any], max_body: int, space: Workspace):
        self.server, self.inputs, self.good, self.max_body, self.space = server, inputs, good, max_body, space
        self.text = server.served.spec.text is not None
        host, _, port = server.address.rpartition(":")
        self.at = (host, int(port))
        for _ in range(3):
            self.expected = self.ask()
        self.pids, self.held = server.session_pids(), server.memory()
        self.limit = max(GROWTH, self.held)

    def ask(self) -> Any:
        """What the good request is answered with."""
        status, data = self.post(json.dumps(self.good).encode())
        if status != 200:
            raise Broken(f"a good request is answered with {status}: {data[:200].decode('utf-8', 'replace')}")
        try:
            return json.loads(data)["outputs"]
        except (ValueError, KeyError):
            raise Broken("a good request is not answered with tensors") from None

    def post(
        self, body: bytes | Iterable[bytes], headers: dict[str, str] | None = None, path: str = INFER, method: str = "POST"
    ) -> tuple[int, bytes]:
        """One request that is sound HTTP; the answer must come in time."""
        connection = http.client.HTTPConnection(*self.at, timeout=ATTACK_S)
        try:
            connection.request(method, path, body, JSON if headers is None else headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except TimeoutError:
            raise Broken(f"{_shown(body)}: no answer within {ATTACK_S:g} s") from None
        finally:
            connection.close()

    def refused(self, label: str, body: bytes, headers: dict[str, str] | None = None, path: str = INFER) -> None:
        """It must answer with 4xx."""
        status, data = self.answered(label, body, headers, path)
        if not 400 <= status < 500:
            raise Broken(f"{label}: answered with {status}, not refused: {data[:100].decode('utf-8', 'replace')}")

    def handled(self, label: str, body: bytes, headers: dict[str, str] | None = None, path: str = INFER) -> int:
        """It may answer what it likes but an error of its own."""
        status, data = self.answered(label, body, headers, path)
        if status >= 500:
            raise Broken(f"{label}: answered with {status}: {data[:200].decode('utf-8', 'replace')}")
        return status

    def answered(self, label: str, body: bytes, headers: dict[str, str] | None, path: str) -> tuple[int, bytes]:
        """It must answer something, in time."""
        try:
            return self.post(body, headers, path)
        except Broken as broken:
            raise Broken(f"{label}: no answer within {ATTACK_S:g} s") from broken
        except (OSError, http.client.HTTPException) as error:
            raise Broken(f"{label}: no answer, but {type(error).__name__}") from None

    def document(self, **changes: Any) -> bytes:
        """The good request with other values, as JSON."""
        return json.dumps(self.good | changes).encode()

    def tensor(self, index: int = 0, **changes: Any) -> bytes:
        """The good request with another tensor; a value of None takes a key away."""
        given = [dict(tensor) for tensor in self.good["inputs"]]
        given[index] = {key: value for key, value in (given[index] | changes).items() if value is not None}
        return self.document(inputs=given)

    def raw(self, data: bytes, wait_s: float = ATTACK_S, end: bool = False) -> list[int]:
        """Bytes that may be no HTTP: the statuses of what comes back until the server closes the connection, or `wait_s`
        pass without a byte. With `end` the sending half is closed after them.
        """
        received = b""
        with socket.create_connection(self.at, timeout=wait_s) as connection:
            try:
                connection.sendall(data)
                if end:
                    connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65536):
                    received += part
            except (TimeoutError, ConnectionError):
                pass
        return statuses(received)

    def fine(self) -> None:
        """It is as it was."""
        if not self.server.alive:
            raise Broken(f"the server has ended: {self.server.tail()}")
        started = time.monotonic()
        answer = self.ask()
        if time.monotonic() - started > ATTACK_S:
            raise Broken("a good request takes too long afterwards")
        if answer != self.expected:
            raise Broken("a good request is answered otherwise afterwards")
        if (pids := self.server.session_pids()) != self.pids:
            raise Broken(f"the model's process died (it was {self.pids}, and is {pids})")


class Watched(AbstractContextManager["Watched"]):
    """Looks at the memory of a server while it is attacked."""

    def __init__(self, victim: Victim):
        self.victim, self.most = victim, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def grew(self) -> int:
        """Bytes more than before the first attack, at most."""
        return max(0, max(self.most, self.victim.server.memory()) - self.victim.held)

    def _look(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            self.most = max(self.most, self.victim.server.memory())


def statuses(data: bytes) -> list[int]:
    """Of every answer in what came back."""
    parts = data.split(b"HTTP/1.1 ")[1:]
    return [int(part[:3]) for part in parts if part[:3].isdigit()]


def _shown(body: object) -> str:
    return repr(body[:60]) if isinstance(body, bytes) else "a body in parts"
