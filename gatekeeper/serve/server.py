"""Runs a server until it is told to stop; what was accepted by then is answered."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable

import uvicorn

from gatekeeper.errors import UsageError
from gatekeeper.serve.app import App
from gatekeeper.serve.config import Served
from gatekeeper.serve.metrics import Metrics
from gatekeeper.serve.pool import Pool

QUIET_S, STAY_S = 1.0, 3.0
"""Told to stop it goes on until nobody has asked for the first, at most for the second: who stands before it learns by its health
that it goes, and until then connections come whose closing would be lost requests.
"""


class _Server(uvicorn.Server):
    """One that closes its door when nobody comes any more; `latest` says when somebody last did, by `time.monotonic`."""

    def __init__(self, config: uvicorn.Config, latest: Callable[[], float]):
        super().__init__(config)
        self.latest = latest

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, and not before it is quiet: that closes at once what it has not read yet."""
        end = time.monotonic() + STAY_S
        while (now := time.monotonic()) < end and now - self.latest() < QUIET_S and not self.force_exit:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


def serve(served: Served, started: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `started` is called with the URL once requests can be answered.

    `NotMeasured` where the model cannot be opened, `UsageError` where the address cannot be had.
    """
    listening = _listen(served.host, served.port)
    ended = contextlib.suppress(KeyboardInterrupt)  # uvicorn raises the signal again at its end
    with contextlib.closing(listening), ended, asyncio.Runner(loop_factory=_loop()) as runner:
        runner.run(_serve(served, listening, started))


def _loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The faster event loop, where there is one for this system."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # an answer's body must not wait for its head's receipt
        listening.bind((host, port))
        listening.listen(1024)
    except OSError as error:
        said = error.strerror or str(error)
        raise UsageError(f"{host}:{port}: cannot listen there: {said}. Choose another --port; 0 takes any free one.") from None
    return listening


async def _serve(served: Served, listening: socket.socket, started: Callable[[str], None]) -> None:
    metrics = Metrics(served.task)
    pool = Pool(served, metrics)
    app = App(served, pool, metrics)
    config = uvicorn.Config(
        app.routes(), lifespan="off", log_level="error", access_log=False, server_header=False,
        timeout_graceful_shutdown=max(1, round(served.drain_s)), h11_max_incomplete_event_size=1 << 16,
    )  # fmt: skip
    server = _Server(config, lambda: app.latest)
    app.stopping = lambda: server.should_exit
    try:
        await pool.start()
        running = asyncio.create_task(server.serve(sockets=[listening]))
        while not (server.started or running.done()):
            await asyncio.sleep(0.005)
        host, port = listening.getsockname()[:2]
        started(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        await running
    finally:
        await pool.close()
