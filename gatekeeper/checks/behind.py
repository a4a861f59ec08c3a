"""What the tests behind a server share: the server of a model, and checks of what functions find."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from gatekeeper.errors import NotMeasured
from gatekeeper.records.base import Verdict
from gatekeeper.records.tested import Check

if TYPE_CHECKING:
    pass

REQUEST_S = 30.0


class Broken(Exception):
    """What was tested does not hold; says how."""


class Skipped(Exception):
    """The test does not apply; says why."""


def check(kind: Literal["integration_tests", "security_tests"], name: str, test: Callable[[], str]) -> Check:
    """Run one test: it returns why it passes, and raises where it does not. What could not be tested is no failure."""
    started, verdict = time.monotonic(), Verdict.PASS
    try:
        reason = test()
    except Broken as broken:
        verdict, reason = Verdict.FAIL, str(broken)
    except Skipped as skipped:
        verdict, reason = Verdict.SKIP, str(skipped)
    except NotMeasured as failure:
        verdict = Verdict.ERROR if failure.kind in ("disk", "unsupported") else Verdict.FAIL
        reason = str(failure)
    except (OSError, http.client.HTTPException) as error:
        verdict, reason = Verdict.FAIL, f"the server could not be asked: {type(error).__name__}: {error}"
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:  # an answer that no test foresaw
        verdict, reason = Verdict.ERROR, f"what it answered cannot be judged: {type(error).__name__}: {str(error)[:300]}"
    return Check(kind=kind, name=name, verdict=verdict, reason=reason, seconds=time.monotonic() - started)


def not_run(kind: Literal["integration_tests", "security_tests"], names: list[str], reason: str) -> list[Check]:
    """Checks that could not be run, because one before them failed."""
    return [Check(kind=kind, name=name, verdict=Verdict.ERROR, reason=f"not tested: {reason}") for name in names]


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
