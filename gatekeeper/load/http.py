"""Requests to a server of the Open Inference Protocol, over connections that are kept, without waiting for earlier answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from gatekeeper import protocol
from gatekeeper.load.generate import FAILED, OK, SHED

Done = Callable[[int], None]


class Http:
    """Prepared requests, and a loop that sends them in a thread of its own."""

    def __init__(self, request: protocol.LoadTest):
        self.url = f"{request.url}/v2/models/{request.name}/{'generate' if request.text else 'infer'}"
        self.timeout_s = request.request_timeout_ms / 1000
        self.bodies = _bodies(request)
        self.loop = _loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.session = asyncio.run_coroutine_threadsafe(_session(request.outstanding), self.loop).result()

    def send(self, index: int, done: Done) -> None:
        """Send it now."""
        self.loop.call_soon_threadsafe(self._start, index, done)

    def close(self) -> None:
        """Close every connection."""
        asyncio.run_coroutine_threadsafe(self.session.close(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _start(self, index: int, done: Done) -> None:
        self.loop.create_task(self._ask(index, done))

    async def _ask(self, index: int, done: Done) -> None:
        body, headers = self.bodies[index]
        outcome = FAILED
        try:
            async with asyncio.timeout(self.timeout_s), self.session.post(self.url, data=body, headers=headers) as answer:
                await answer.read()
                outcome = OK if answer.status == 200 else SHED if answer.status == 503 else FAILED
        except Exception:  # a connection that is lost, an answer that is none, or no answer in time
            outcome = FAILED
        finally:
            done(outcome)


async def _session(connections: int) -> Any:
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=60),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _bodies(request: protocol.LoadTest) -> list[tuple[bytes, dict[str, str]]]:
    """Body and headers of each example, made once."""
    import msgspec

    if request.text:
        asked = [{"text_input": text, "parameters": {"max_tokens": request.new_tokens}} for text in request.prompts]
        return [(msgspec.json.encode(each), {"content-type": "application/json"}) for each in asked]
    import tritonclient.http as triton
    from tritonclient.utils import np_to_triton_dtype

    found = []
    with np.load(request.inputs) as arrays:
        for i in range(request.examples):
            tensors = []
            for name in arrays.files:
                tensor = triton.InferInput(name, list(arrays[name][i].shape), np_to_triton_dtype(arrays[name].dtype))
                tensor.set_data_from_numpy(arrays[name][i])
                tensors.append(tensor)
            body, size = triton.InferenceServerClient.generate_request_body(tensors)
            headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(size)}
            found.append((bytes(body), headers))
    return found
