"""Plain requests to a server that is tested."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gatekeeper.checks.outcome import Broken

REQUEST_S = 30.0


@contextmanager
def asked() -> Iterator[None]:
    """Around a test: a server that cannot be asked has failed it."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise Broken(f"the server could not be asked: {type(error).__name__}: {error}") from error


def call(
    address: str,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout_s: float = REQUEST_S,
) -> tuple[int, bytes]:
    """One plain request: status and body."""
    connection = http.client.HTTPConnection(address, timeout=timeout_s)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def call_json(address: str, path: str) -> Any:
    """What a GET of JSON answers; `Broken` where it is none."""
    status, data = call(address, "GET", path)
    if status != 200:
        raise Broken(f"GET {path} is answered with {status}")
    try:
        return json.loads(data)
    except ValueError:
        raise Broken(f"GET {path} is not answered with JSON") from None
