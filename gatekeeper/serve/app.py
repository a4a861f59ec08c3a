"""The routes: Open Inference Protocol v2 (health, metadata, infer, generate), and /metrics."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gatekeeper.serve.config import Served
from gatekeeper.serve.messages import Generate, Reply
from gatekeeper.serve.metrics import Metrics
from gatekeeper.serve.openapi import MODEL_VERSION, MOST_TOKENS, description
from gatekeeper.serve.pool import Busy, Late, ModelFailed, Pool
from gatekeeper.serve.tensors import SIZE_HEADER, BadRequest, read, write
from gatekeeper.serve.tokens import check_tokens
from gatekeeper.version import version

EXTENSIONS = ["binary_tensor_data"]
ANEW = "no-cache"
"""Who says so in `cache-control` is answered by the model itself, as HTTP has it (RFC 9111, section 5.2.1.4)."""


class TextParameters(msgspec.Struct, frozen=True):
    """Parameters of a text to generate. Only the likeliest text is served: a temperature must be 0."""

    max_tokens: int = 20
    stop: list[str] = []
    temperature: float | None = None
    top_p: float | None = None


class TextRequest(msgspec.Struct, frozen=True):
    """`GenerateRequest` of the protocol."""

    text_input: str
    parameters: TextParameters = TextParameters()


class App:
    """Answers requests to one model out of its pool of sessions."""

    def __init__(self, served: Served, pool: Pool, metrics: Metrics):
        self.served, self.pool, self.metrics = served, pool, metrics
        self.inputs, self.outputs = served.inputs(), served.outputs()
        self.stopping: Callable[[], bool] = lambda: False
        self.latest = -math.inf  # when a model was last asked for anything

    def routes(self) -> Starlette:
        """The application."""
        routes = [
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
            Route("/v2", self.server),
            Route("/v2/", self.server),
            Route("/v2/openapi.json", self.openapi),
            Route("/metrics", self.scrape),
        ]
        for model in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
            routes += [
                Route(model, self.model),
                Route(f"{model}/ready", self.model_ready),
                Route(f"{model}/infer", self.timed(self.infer), methods=["POST"]),
                Route(f"{model}/generate", self.timed(self.generate), methods=["POST"]),
                Route(f"{model}/generate_stream", self.timed(self.generate_stream), methods=["POST"]),
            ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _http_error, Exception: _bug})

    async def live(self, request: Request) -> Response:
        """The process answers."""
        return Response()

    async def ready(self, request: Request) -> Response:
        """Requests can be answered."""
        able = self.pool.ready and not self.stopping()
        return Response() if able else _error(503, "not ready: the server is stopping, or its model cannot be run")

    async def server(self, request: Request) -> Response:
        """What this server is."""
        return _json({"name": "gatekeeper", "version": version(), "extensions": EXTENSIONS})

    async def openapi(self, request: Request) -> Response:
        """What this server takes and answers."""
        return _json(description(self.served))

    async def scrape(self, request: Request) -> Response:
        """The metrics."""
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4")

    async def model(self, request: Request) -> Response:
        """The inputs and outputs of the model."""
        if unknown := self._unknown(request):
            return unknown
        tensors = {"inputs": msgspec.to_builtins(self.inputs), "outputs": msgspec.to_builtins(self.outputs)}
        platform = f"gatekeeper_{self.served.spec.framework}"
        return _json({"name": self.served.name, "versions": [MODEL_VERSION], "platform": platform} | tensors)

    async def model_ready(self, request: Request) -> Response:
        """Whether this model can be asked."""
        return self._unknown(request) or await self.ready(request)

    async def infer(self, request: Request) -> Response:
        """Tensors to tensors."""
        body = await self._body(request)
        asked, feed = read(body, request.headers.get(SIZE_HEADER), self.inputs, self.outputs)
        if self.served.spec.text is not None:
            check_tokens(feed["tokens"], self.served.spec.text)
        answer = await self.pool.infer(feed, anew=ANEW in request.headers.get("cache-control", "").lower())
        self.metrics.confident(answer)
        parts, head = write(asked, self.served.name, MODEL_VERSION, answer)
        if head is None:
            return Response(parts[0], media_type="application/json")
        return Response(b"".join(parts), media_type="application/octet-stream", headers={SIZE_HEADER: str(head)})

    async def generate(self, request: Request) -> Response:
        """A text, whole."""
        wanted = self._text(await self._body(request))
        said = "".join([reply.piece async for reply in self.pool.generate(wanted)])
        return _json(self._piece(said))

    async def generate_stream(self, request: Request) -> Response:
        """A text as server-sent events, a piece each."""
        wanted = self._text(await self._body(request))
        pieces = self.pool.generate(wanted)
        first = await anext(pieces)  # what is refused is refused before the answer begins
        return StreamingResponse(self._events(first, pieces), media_type="text/event-stream")

    async def _events(self, first: Reply, pieces: AsyncIterator[Reply]) -> AsyncIterator[bytes]:
        try:
            yield self._event(first)
            async for reply in pieces:
                yield self._event(reply)
        except (BadRequest, Busy, Late, ModelFailed) as error:
            yield b"data: " + msgspec.json.encode({"error": str(error)}) + b"\n\n"

    def _event(self, reply: Reply) -> bytes:
        return b"data: " + msgspec.json.encode(self._piece(reply.piece) | {"done": reply.done}) + b"\n\n"

    def _piece(self, text: str) -> dict[str, Any]:
        return {"model_name": self.served.name, "model_version": MODEL_VERSION, "text_output": text}

    def _text(self, body: bytes) -> Generate:
        if self.served.spec.text is None:
            raise BadRequest(f"the model {self.served.name} writes no text. Use `infer`.")
        try:
            asked = msgspec.json.decode(body, type=TextRequest)
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequest(f"the body is no request for text: {error}", 422) from None
        parameters = asked.parameters
        if parameters.temperature or parameters.top_p not in (None, 1):
            raise BadRequest("only the likeliest text is served: leave `temperature` and `top_p` out.", 422)
        if not 0 <= parameters.max_tokens <= MOST_TOKENS:
            raise BadRequest(f"`max_tokens` is {parameters.max_tokens}, not 0 to {MOST_TOKENS}.", 422)
        return Generate(asked.text_input, parameters.max_tokens, [s for s in parameters.stop if s])

    def timed(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """A handler whose requests are counted, and whose errors are answers of the protocol."""

        async def handled(request: Request) -> Response:
            start, self.latest = time.perf_counter(), time.monotonic()
            response = self._unknown(request) or await self._answered(handler, request)
            self.metrics.answered(response.status_code, time.perf_counter() - start)
            return response

        return handled

    async def _answered(self, handler: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
        try:
            return await handler(request)
        except BadRequest as error:
            return _error(error.status, str(error))
        except Busy as error:
            return _error(503, f"{error}: try again", {"retry-after": "1"})
        except Late as error:
            return _error(504, str(error))
        except ModelFailed as error:
            return _error(500, str(error))
        except ClientDisconnect:
            return Response(status_code=499)

    def _unknown(self, request: Request) -> Response | None:
        name, asked = request.path_params["name"], request.path_params.get("version", MODEL_VERSION)
        if name != self.served.name:
            return _error(404, f"no model {name[:100]!r}; this server has {self.served.name!r}")
        return None if asked == MODEL_VERSION else _error(404, f"no version {asked[:40]!r}; there is {MODEL_VERSION}")

    async def _body(self, request: Request) -> bytes:
        """The whole body, no larger and no slower than allowed."""
        limit = self.served.max_body_bytes
        if (stated := request.headers.get("content-length", "0")).isdigit() and int(stated) > limit:
            raise BadRequest(f"the body is larger than {limit} bytes.", 413)
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.served.body_timeout_s):
                async for part in request.stream():
                    size += len(part)
                    if size > limit:
                        raise BadRequest(f"the body is larger than {limit} bytes.", 413)
                    parts.append(part)
        except TimeoutError:
            raise BadRequest(f"the body did not come within {self.served.body_timeout_s:g} s.", 408) from None
        return b"".join(parts)


def _json(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(data), status, headers, "application/json")


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    close = {"connection": "close"} if status in (408, 413) else {}  # what is left of the body is not read
    text = message.encode("utf-8", "backslashreplace").decode()
    return _json({"error": text}, status, (headers or {}) | close)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, f"{request.method} {request.url.path[:200]}: {error.detail}", dict(error.headers or {}))


async def _bug(request: Request, error: Exception) -> Response:
    return _error(500, f"a bug in gatekeeper: {type(error).__name__}")
