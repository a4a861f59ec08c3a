"""The worker's side of the fuzzers: requests that nobody thought of, the same ones for the same seed.

`openapi` is schemathesis on the server's description, with data that fits it and data that does not. `tensors` is hypothesis,
which changes a good request at random places.
"""

from __future__ import annotations

import copy
import http.client
import json
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from gatekeeper.process.messages import Answer, Held, Request
from gatekeeper.serve.behind import NAME

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

TIMEOUT_S = 10.0
MAX_SAID = 200
EXAMPLES = 100_000  # time ends it first


class Fuzz(Request, frozen=True, kw_only=True):
    """Send a server requests that are made up, for a while."""

    url: str
    engine: Literal["openapi", "tensors"]
    good: dict[str, Any]  # a request that it answers
    description: dict[str, Any]  # OpenAPI
    seconds: float
    seed: int

    def answer(self, held: Held) -> Fuzzed:
        """Say what went wrong."""
        return fuzz(self)


class Fuzzed(Answer, frozen=True, kw_only=True):
    """How many requests there were, and what went wrong, each kind once."""

    cases: int
    failures: list[str] = []


class _Out(BaseException):
    """The time is over."""


class _Tally:
    """Failures, each kind once. The time counts from the first request: what it takes to begin is not the server's."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.deadline = float("inf")
        self.cases = 0
        self.failures: dict[str, str] = {}

    def count(self) -> None:
        """One more request; raises when it is enough."""
        if not self.cases:
            self.deadline = time.monotonic() + self.seconds
        if time.monotonic() > self.deadline:
            raise _Out
        self.cases += 1

    def failed(self, kind: str, said: str) -> None:
        """A failure; only the first of its kind is kept."""
        self.failures.setdefault(kind, " ".join(said.split())[:MAX_SAID].encode("utf-8", "backslashreplace").decode())


def fuzz(request: Fuzz) -> Fuzzed:
    """Fuzz a server for a while."""
    warnings.simplefilter("ignore")
    cases, failures = {"openapi": _openapi, "tensors": _tensors}[request.engine](request)
    return Fuzzed(cases=cases, failures=failures)


def _openapi(request: Fuzz) -> tuple[int, list[str]]:
    """Each operation for its share of the time, half of that with data that does not fit the description."""
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.core.failures import FailureGroup
    from schemathesis.core.result import Ok
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    schema = schemathesis.openapi.from_dict(request.description)
    schema.config.update(base_url=request.url)
    operations = [loaded.ok() for loaded in schema.get_all_operations() if isinstance(loaded, Ok)]
    posts = [operation for operation in operations if operation.method.upper() == "POST"]
    total = 0
    failures: dict[str, str] = {}
    for operation in operations:
        share = 0.6 * request.seconds / len(posts) if operation in posts else 0.1 * request.seconds / len(operations)
        if operation in posts and operation.path.endswith("/infer"):
            share += 0.3 * request.seconds
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if mode is GenerationMode.NEGATIVE and operation not in posts:
                continue
            tally = _Tally(share / 2)

            def ask(case: Any, tally: _Tally = tally) -> None:
                tally.count()
                try:
                    response = case.call(timeout=TIMEOUT_S)
                except Exception as error:  # whatever its client raises: there was no answer
                    tally.failed(f"{case.method} {type(error).__name__}", f"{case.method} {case.path}: no answer: {error}")
                    return
                try:
                    case.validate_response(response, checks=checks)
                except FailureGroup as group:
                    for failure in group.exceptions:
                        said = f"{case.method} {case.path}: {failure.title}: {response.status_code}: {failure.message}"
                        tally.failed(f"{case.path} {type(failure).__name__} {response.status_code}", said)

            _drive(operation.as_strategy(generation_mode=mode), ask, request.seed)
            total += tally.cases
            failures |= tally.failures
    return total, list(failures.values())


def _tensors(request: Fuzz) -> tuple[int, list[str]]:
    """A good request, changed in one to three places."""
    host, _, port = request.url.removeprefix("http://").rpartition(":")
    tally = _Tally(request.seconds)

    def ask(changed: tuple[bytes, dict[str, str]]) -> None:
        tally.count()
        body, headers = changed
        connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)
        try:
            connection.request("POST", f"/v2/models/{NAME}/infer", body, headers)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            tally.failed(type(error).__name__, f"no answer, but {type(error).__name__}, to {body[:100]!r}")
            return
        finally:
            connection.close()
        if answer.status >= 500:
            said = f"{answer.status}: {data[:100].decode('utf-8', 'replace')}"
            tally.failed(str(answer.status), f"{said}, to {body[:100]!r}")

    _drive(_changed(request.good), ask, request.seed)
    return tally.cases, list(tally.failures.values())


def _drive(strategy: SearchStrategy[Any], ask: Callable[[Any], None], seed: int) -> None:
    """Ask with one example after the other, until `ask` says that it is enough."""
    import hypothesis

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
        verbosity=hypothesis.Verbosity.quiet,
    )
    @hypothesis.given(strategy)
    def go(example: Any) -> None:
        ask(example)

    try:
        go()
    except _Out:
        pass


def _changed(good: dict[str, Any]) -> SearchStrategy[tuple[bytes, dict[str, str]]]:
    """Bodies and headers."""
    from hypothesis import strategies as st

    scalars = st.one_of(
        st.none(), st.booleans(), st.integers(), st.integers(-3, 100), st.floats(), st.text(max_size=20),
        st.sampled_from([2**31, 2**63, 2**64, -1, 10**30, "BYTES", "FP32", "INT64", ""]),
    )  # fmt: skip
    values = st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    )
    places = _places(good, ())

    @st.composite
    def change(draw: Any) -> tuple[bytes, dict[str, str]]:
        whole = copy.deepcopy(good)
        for _ in range(draw(st.integers(1, 3))):
            _put(whole, draw(st.sampled_from(places)), draw(values), draw(st.booleans()))
        body = json.dumps(whole).encode("utf-8", "surrogatepass")
        headers = {"Content-Type": "application/json"}
        if draw(st.booleans()):
            stated = draw(st.one_of(st.integers(-2, len(body) + 20), st.just(len(body))))
            body += draw(st.binary(max_size=80))
            headers["Inference-Header-Content-Length"] = str(stated)
        return body, headers

    return change()


def _places(value: Any, path: tuple[str | int, ...]) -> list[tuple[str | int, ...]]:
    """Where something can be put; of long lists, the ends."""
    if isinstance(value, dict):
        keys: list[str | int] = [*value, "parameters", "outputs", "id"]
        inner = [place for key in value for place in _places(value[key], (*path, key))]
        return [(*path, key) for key in dict.fromkeys(keys)] + inner
    if isinstance(value, list):
        ends = sorted({0, len(value) - 1}) if value else []
        return [(*path, i) for i in ends] + [place for i in ends for place in _places(value[i], (*path, i))]
    return []


def _put(whole: Any, path: tuple[str | int, ...], value: Any, away: bool) -> None:
    """Put a value somewhere, or take away what is there; nothing where an earlier change removed the place."""
    for key in path[:-1]:
        try:
            whole = whole[key]
        except (KeyError, IndexError, TypeError):
            return
    try:
        if away:
            del whole[path[-1]]
        else:
            whole[path[-1]] = value
    except (KeyError, IndexError, TypeError):
        return
