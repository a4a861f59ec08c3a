"""Requests to a server of the Open Inference Protocol, over connections that are kept, without waiting for earlier answers.

A generator that is slow is late, and what it says of a server is then its own. So a request costs as little here as can be: it is
bytes made beforehand, written to a connection that is open already, and of its answer httptools reads no more than the status. A
full HTTP client takes five times as long for each, on a machine that the server needs too.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import cast
from urllib.parse import quote, urlsplit

import httptools

from gatekeeper.data.feeds import read_feeds
from gatekeeper.data.texts import is_text
from gatekeeper.load.generate import FAILED, OK, SHED, LoadTest

Done = Callable[[int], None]

KEPT_S = 2.0
"""A connection that was idle for longer is not used again: the server may be about to close it, and a request be lost with it."""

OPENED = 16
"""Connections that are there before the first request, which should not pay for them."""


class Http:
    """Prepared requests, and a loop that sends them in a thread of its own."""

    def __init__(self, request: LoadTest):
        self.timeout_s = request.request_timeout_ms / 1000
        self.requests = _requests(request)
        where = urlsplit(request.url)
        self.loop = _loop()
        self.open = partial(self.loop.create_connection, partial(Connection, self), where.hostname, where.port)
        self.idle: list[Connection] = []  # the one used last is used next
        self.all: set[Connection] = set()
        self.opening: set[asyncio.Task[None]] = set()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._open(min(OPENED, request.outstanding)), self.loop).result()

    def send(self, index: int, done: Done) -> None:
        """Send it now."""
        self.loop.call_soon_threadsafe(self._start, index, done)

    def close(self) -> None:
        """Close every connection."""
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _start(self, index: int, done: Done) -> None:
        now = self.loop.time()
        while self.idle:
            connection = self.idle.pop()
            if now - connection.idle_since < KEPT_S:
                connection.ask(self.requests[index], done, now + self.timeout_s)
                return
            connection.transport.close()
        task = self.loop.create_task(self._connect(index, done, now + self.timeout_s))
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    async def _connect(self, index: int, done: Done, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                _, connection = await self.open()
        except (OSError, TimeoutError):
            done(FAILED)
            return
        connection.ask(self.requests[index], done, deadline)

    async def _open(self, count: int) -> None:
        """Connections to begin with; where there is no server, requests will find that out."""
        opening = (asyncio.wait_for(self.open(), self.timeout_s) for _ in range(count))
        opened = await asyncio.gather(*opening, return_exceptions=True)
        self.idle = [each[1] for each in opened if not isinstance(each, BaseException)]

    async def _close(self) -> None:
        for connection in list(self.all):
            connection.transport.abort()
        await asyncio.sleep(0)  # so that each is told


class Connection(asyncio.Protocol):
    """One connection: a request at a time."""

    def __init__(self, owner: Http):
        self.owner = owner
        self.parser = httptools.HttpResponseParser(self)
        self.done: Done | None = None
        self.idle_since = owner.loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It can be used."""
        self.transport = cast(asyncio.Transport, transport)
        self.owner.all.add(self)

    def ask(self, message: bytes, done: Done, deadline: float) -> None:
        """Send a request; `done` is called when it is answered, lost or late."""
        self.done = done
        self.timer = self.owner.loop.call_at(deadline, self.transport.abort)
        self.transport.write(message)

    def data_received(self, data: bytes) -> None:
        """A part of an answer."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_message_complete(self) -> None:
        """An answer is whole."""
        status = self.parser.get_status_code()
        if status < 200:
            return  # more is to come
        if self.parser.should_keep_alive():
            self.idle_since = self.owner.loop.time()
            self.owner.idle.append(self)
        else:
            self.transport.close()
        self._end(OK if status == 200 else SHED if status == 503 else FAILED)

    def connection_lost(self, error: Exception | None) -> None:
        """By the server's will or by ours."""
        self.owner.all.discard(self)
        if self in self.owner.idle:
            self.owner.idle.remove(self)
        self._end(FAILED)

    def _end(self, outcome: int) -> None:
        done, self.done = self.done, None
        if done is not None:
            self.timer.cancel()
            done(outcome)


def _loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _requests(request: LoadTest) -> list[bytes]:
    """Each example's request, head and body."""
    verb = "generate" if request.spec.text else "infer"
    first = f"POST /v2/models/{quote(request.name, safe='')}/{verb} HTTP/1.1\r\nhost: {urlsplit(request.url).netloc}\r\n"
    messages = []
    for body, headers in _bodies(request):
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers | {"content-length": str(len(body))}).items())
        messages.append(f"{first}{lines}\r\n".encode() + body)
    return messages


FRESH = {"cache-control": "no-cache"}
"""What is measured is the model (RFC 9111, section 5.2.1.4): the examples come again and again, and users' requests may not."""


def _bodies(request: LoadTest) -> list[tuple[bytes, dict[str, str]]]:
    """Body and headers of each example."""
    import msgspec

    if request.spec.text:
        asked = [{"text_input": text, "parameters": {"max_tokens": request.new_tokens}} for text in request.prompts]
        return [(msgspec.json.encode(each), FRESH | {"content-type": "application/json"}) for each in asked]
    import tritonclient.http as triton
    from tritonclient.utils import np_to_triton_dtype

    bodies = []
    for feed in read_feeds(request.inputs):
        tensors = []
        for name, array in feed.items():
            array = array.astype(object) if is_text(array) else array  # as the client takes texts
            tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
            tensor.set_data_from_numpy(array)
            tensors.append(tensor)
        body, size = triton.InferenceServerClient.generate_request_body(tensors)
        headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(size)}
        bodies.append((bytes(body), FRESH | headers))
    return bodies
