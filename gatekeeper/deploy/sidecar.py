"""What stands between HAProxy and a model in a rehearsal: it passes requests on, and does to some what a fault says.

It counts what it did, apart from whoever judges: a rehearsal whose fault did not arrive proves nothing. `python -m
gatekeeper.deploy.sidecar` is its process; both colours have one, so that it makes no difference between them.
"""

from __future__ import annotations

import asyncio
import random
import sys
import threading
from collections import deque
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType

import msgspec

from gatekeeper.errors import NotMeasured
from gatekeeper.process.child import Child
from gatekeeper.process.inside import begin
from gatekeeper.process.memory import resident

MODULE = "gatekeeper.deploy.sidecar"
READY_S, ANSWER_S = 20.0, 5.0
KEPT = 16
"""Earlier answers to give in the place of right ones."""

ERROR = b'{"error":"injected"}'


class Injected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done to questions to the model, each to a share of them."""

    errors: float = 0.0  # answered with 500, the model is not asked
    slow: float = 0.0
    delay_s: float = 0.0  # by which slow ones are late
    wrong: float = 0.0  # answered with what was the answer to another question
    leak_bytes: int = 0  # kept for ever with each question


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, since the sidecar started."""

    requests: int = 0
    errors: int = 0
    slow: int = 0
    wrong: int = 0
    leaked_bytes: int = 0


class _Said(msgspec.Struct, kw_only=True):
    port: int = 0
    arrived: Arrived | None = None


class _Told(msgspec.Struct, kw_only=True):
    upstream: str = ""
    inject: Injected | None = None
    count: bool = False


class Sidecar(AbstractContextManager["Sidecar"]):
    """One sidecar before a model at `upstream` (host:port). Use as a context manager."""

    def __init__(self, upstream: str, scratch: Path):
        self.child = Child(MODULE, "sidecar", scratch)
        self._tell(_Told(upstream=upstream))
        self.address = f"127.0.0.1:{self._hear(READY_S).port}"

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.child.close()

    def inject(self, fault: Injected) -> None:
        """From the next request on: this returns when it is so."""
        self._tell(_Told(inject=fault))
        self._hear(ANSWER_S)

    def arrived(self) -> Arrived:
        """What it did until now."""
        self._tell(_Told(count=True))
        return self._hear(ANSWER_S).arrived or Arrived()

    def memory(self) -> int:
        """Bytes that it holds."""
        return resident(self.child.pid) if self.child.alive else 0

    def _tell(self, told: _Told) -> None:
        with suppress(OSError):  # it is dead, and will not answer
            self.child.say(msgspec.json.encode(told) + b"\n")

    def _hear(self, timeout_s: float) -> _Said:
        line = self.child.lines.get(timeout_s)
        if not line or not line.endswith(b"\n"):
            raise NotMeasured("crash", f"what injects faults does not answer.{self.child.last_words()}")
        return msgspec.json.decode(line, type=_Said)


class _Relay:
    """Passes requests on, in the sidecar's own process."""

    def __init__(self, upstream: str):
        self.host, _, port = upstream.rpartition(":")
        self.port = int(port)
        self.fault, self.counts = Injected(), dict.fromkeys(Arrived.__struct_fields__, 0)
        self.answers: deque[bytes] = deque(maxlen=KEPT)
        self.leaked: list[bytearray] = []
        self.rng = random.Random(1)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: a request, as HAProxy sends them here."""
        try:
            request = await _message(reader)
            if request:
                writer.write(await self._answer(request))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass  # HAProxy sees a connection that ends without an answer, as it would without a sidecar
        finally:
            writer.close()

    async def _answer(self, request: bytes) -> bytes:
        if not request.startswith(b"POST"):
            return await self._pass(request)
        self.counts["requests"] += 1
        fault = self.fault
        if fault.leak_bytes:
            self.leaked.append(bytearray(b"x") * fault.leak_bytes)
            self.counts["leaked_bytes"] += fault.leak_bytes
        if self._struck(fault.errors):
            self.counts["errors"] += 1
            head = f"HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\ncontent-length: {len(ERROR)}\r\n"
            return head.encode() + b"connection: close\r\n\r\n" + ERROR
        if self._struck(fault.slow):
            self.counts["slow"] += 1
            await asyncio.sleep(fault.delay_s)
        answer = await self._pass(request)
        if self._struck(fault.wrong):
            other = next((each for each in self.answers if _body(each) != _body(answer)), None)
            self.counts["wrong"] += other is not None
            return other or answer
        if answer.split(b" ", 2)[1:2] == [b"200"]:
            self.answers.append(answer)
        return answer

    def _struck(self, share: float) -> bool:
        return bool(share) and self.rng.random() < share

    async def _pass(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(request)
            return await _message(reader)
        finally:
            writer.close()


def _body(message: bytes) -> bytes:
    """What it says, without its head, in which the time of day is."""
    return message.partition(b"\r\n\r\n")[2]


async def _message(reader: asyncio.StreamReader) -> bytes:
    """A whole request or answer whose length its head says; nothing where the other side just left."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return b""
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        elif name.lower() == b"transfer-encoding":
            raise ValueError("only messages of known length are passed on")
    return head + (await reader.readexactly(length) if length else b"")


async def _run() -> None:
    answers, loop = begin(), asyncio.get_running_loop()

    def say(said: _Said) -> None:
        answers.write(msgspec.json.encode(said) + b"\n")
        answers.flush()

    relay = _Relay(msgspec.json.decode(sys.stdin.buffer.readline(), type=_Told).upstream)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0, limit=1 << 26, backlog=1024)
    say(_Said(port=server.sockets[0].getsockname()[1]))

    def heed(told: _Told) -> None:
        if told.inject is not None:
            relay.fault = told.inject
        if told.count or told.inject is not None:
            say(_Said(arrived=Arrived(**relay.counts)))

    def listen() -> None:
        for line in sys.stdin.buffer:
            loop.call_soon_threadsafe(heed, msgspec.json.decode(line, type=_Told))

    threading.Thread(target=listen, daemon=True).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_run())
