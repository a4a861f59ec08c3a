"""One scenario of MLPerf LoadGen, in a worker of its own: requests to a session in this process, or to a server over HTTP.

LoadGen draws the schedule and keeps the time; its trace has, for each request, when it was to start, how late it was sent and
how long it took from then. What became of a request (answered, refused, failed) is noted here.
"""

from __future__ import annotations

import array
import gc
import queue
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._spec import ModelSpec
from gatekeeper.load.profile import MOST_REQUESTS
from gatekeeper.process.messages import Answer, Held, Request

if TYPE_CHECKING:
    import numpy as np

OK, SHED, FAILED, UNSENT = 0, 1, 2, 3
SWITCH_S = 1e-4
"""How long a thread may keep the interpreter: the generator's own must not wait for the answers' threads."""

LATE = 2.0
"""Times the length of its schedule after which the server scenario ends, for a rate at which requests cannot even be sent."""

GIVEN_UP = 10.0
"""Times its length after which nothing more of the offline scenario is sent; what is left has failed."""

OFFLINE_MORE = 1.1
"""How many times the requests that were expected LoadGen sends at once in the offline scenario."""

FASTEST_S, MOST_ALONE = 1e-4, 200_000
"""LoadGen makes the requests of the single stream scenario beforehand: as many as a model of that latency takes, or that many."""

FULL = "Is the disk full? Free some space, or name another folder with TMPDIR."


class LoadTest(Request, frozen=True, kw_only=True):
    """One scenario of load: on a session in the worker, or over HTTP where `url` names a server."""

    scenario: Literal["single_stream", "server", "offline"]
    spec: ModelSpec
    inputs: str  # .npz of feeds
    examples: int  # how many of them
    target_qps: float
    duration_s: float
    destination: str  # .npz of the requests
    folder: str  # of the load generator's logs
    least_requests: int = 1
    most_requests: int = 0  # 0: as many as the duration asks for
    outstanding: int = 1024  # requests on their way at once
    request_timeout_ms: float = 30_000.0
    seed: int = 0
    url: str = ""
    name: str = ""  # of the model at the server
    callers: int = 1
    new_tokens: int = 8
    prompts: list[str] = []  # of a text model over HTTP

    def answer(self, held: Held) -> LoadTested:
        """Write what became of the requests."""
        return load_test(self)


class LoadTested(Answer, frozen=True, kw_only=True):
    """The requests of a scenario were written."""

    requests: int
    answered: int
    unsent: int = 0


class Transport(Protocol):
    """Takes requests without waiting for their answers."""

    def send(self, index: int, done: Callable[[int], None]) -> None:
        """Send the example of that index; `done` is called with OK, SHED or FAILED, from any thread."""

    def close(self) -> None:
        """Let go of what is held."""


class Times(msgspec.Struct):
    """What LoadGen says of a sample: its number, and from its intended start to where it was sent and answered."""

    sample_seq: int
    issue_start_ns: int
    complete_ns: int


class TraceEvent(msgspec.Struct):
    """A line of LoadGen's trace that begins a `Sample`; `ts` is its intended start in microseconds."""

    ts: float
    args: Times


def load_test(request: LoadTest) -> LoadTested:
    """Run a scenario and write its requests to `request.destination`."""
    transport = _transport(request)
    _punctual()
    outcomes: list[int] = []
    try:
        _run(request, transport, outcomes)
    finally:
        transport.close()
    return _kept(request, outcomes)


def _punctual() -> None:
    """What keeps this thread, which LoadGen sends from, from being late."""
    gc.collect()
    gc.freeze()  # what is there stays; a collection during the run then looks at little
    sys.setswitchinterval(SWITCH_S)
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(29, 1)  # PR_SET_TIMERSLACK: else a sleep may take 50 us longer than asked


def _transport(request: LoadTest) -> Transport:
    if request.url:
        from gatekeeper.load.http import Http

        return Http(request)
    from gatekeeper.load.direct import Direct

    return Direct(request)


def _run(request: LoadTest, transport: Transport, outcomes: list[int]) -> None:
    import mlperf_loadgen as loadgen

    room: queue.SimpleQueue[None] = queue.SimpleQueue()  # a semaphore, but one whose holder cannot lose the interpreter
    for _ in range(request.outstanding):
        room.put(None)
    waits = request.scenario != "server"
    end = time.monotonic() + GIVEN_UP * request.duration_s + request.request_timeout_ms / 1000

    def issue(samples: list[Any]) -> None:
        """Called by one thread, LoadGen's own."""
        for sample in samples:
            position = len(outcomes)
            outcomes.append(FAILED)
            try:
                room.get(waits, max(0.0, end - time.monotonic()) if waits else None)
            except queue.Empty:  # more are on their way than any server could hold, or they do not come back
                _complete(sample.id, position, FAILED if waits else UNSENT)
                continue
            transport.send(sample.index % request.examples, _finished(sample.id, position))

    def _finished(sample_id: int, position: int) -> Callable[[int], None]:
        def done(outcome: int) -> None:
            room.put(None)
            _complete(sample_id, position, outcome)

        return done

    def _complete(sample_id: int, position: int, outcome: int) -> None:
        outcomes[position] = outcome
        loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(sample_id, 0, 0)])

    settings = _settings(loadgen, request)
    output = loadgen.LogOutputSettings()
    output.outdir, output.copy_summary_to_stdout, output.copy_detail_to_stdout = request.folder, False, False
    logs = loadgen.LogSettings()
    logs.log_output, logs.enable_trace = output, True
    library = loadgen.ConstructQSL(request.examples, request.examples, lambda _: None, lambda _: None)
    under_test = loadgen.ConstructSUT(issue, lambda: None)
    try:
        loadgen.StartTestWithLogSettings(under_test, library, settings, logs)
    finally:
        loadgen.DestroySUT(under_test)
        loadgen.DestroyQSL(library)


def _settings(loadgen: Any, request: LoadTest) -> Any:
    """LoadGen's own words for a scenario; seeds are ours, so that every model gets the same schedule."""
    settings = loadgen.TestSettings()
    settings.mode = loadgen.TestMode.PerformanceOnly
    milliseconds = int(1000 * request.duration_s)
    settings.min_duration_ms = milliseconds
    settings.min_query_count = max(1, request.least_requests)
    settings.max_query_count = request.most_requests or MOST_REQUESTS
    settings.qsl_rng_seed = settings.sample_index_rng_seed = settings.schedule_rng_seed = request.seed + 1
    if request.scenario == "server":
        most = min(settings.max_query_count, max(settings.min_query_count, int(request.target_qps * request.duration_s)))
        scheduled = 1000 * most / request.target_qps
        settings.scenario = loadgen.TestScenario.Server
        settings.server_target_qps = request.target_qps
        settings.server_target_latency_ns = int(1e6 * request.request_timeout_ms)
        settings.max_query_count = most
        settings.min_duration_ms = min(milliseconds, int(scheduled))  # it makes a schedule of that length, whatever it then sends
        settings.max_duration_ms = int(LATE * max(milliseconds, scheduled))
    elif request.scenario == "offline":
        settings.scenario = loadgen.TestScenario.Offline
        settings.offline_expected_qps = min(request.target_qps, settings.max_query_count / (OFFLINE_MORE * request.duration_s))
    else:
        settings.scenario = loadgen.TestScenario.SingleStream
        settings.max_duration_ms = 2 * milliseconds
        settings.single_stream_expected_latency_ns = int(1e9 * max(FASTEST_S, request.duration_s / MOST_ALONE))
    return settings


def _kept(request: LoadTest, outcomes: list[int]) -> LoadTested:
    """Read the trace, hold it against what was noted, and write both as arrays."""
    import numpy as np

    try:
        table = _traced(Path(request.folder) / "mlperf_log_trace.json")
    except (OSError, msgspec.DecodeError) as error:
        raise NotMeasured("disk", f"the load generator's trace cannot be read ({error}). {FULL}") from None
    if table.shape[1] != len(outcomes) or not outcomes:
        raise NotMeasured("disk", f"the load generator traced {table.shape[1]} of {len(outcomes)} requests. {FULL}")
    _, begun, lag, latency = table[:, np.argsort(table[0])]
    outcome = np.array(outcomes, np.int8)
    ok = outcome == OK
    start = np.round((begun - begun.min()) * 1000).astype(np.int64)
    order = np.argsort(start, kind="stable")
    arrays = {
        "start_ns": start,
        "latency_ns": np.where(ok, latency, 0).astype(np.int64),
        "lag_ns": lag.astype(np.int64),
        "ok": ok,
        "shed": outcome == SHED,
    }
    try:
        np.savez(request.destination, **{name: values[order] for name, values in arrays.items()})
    except OSError as error:
        with suppress(OSError):
            Path(request.destination).unlink()
        raise NotMeasured("disk", f"the requests cannot be written ({error.strerror}). {FULL}") from None
    return LoadTested(requests=len(outcomes), answered=int(ok.sum()), unsent=int((outcome == UNSENT).sum()))


def _traced(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Of each request its number, intended start in microseconds, lag and latency in nanoseconds: an array [4, requests]."""
    import numpy as np

    numbers = array.array("d")
    decoder = msgspec.json.Decoder(TraceEvent)
    with path.open("rb") as lines:
        for line in lines:
            if b'"Sample"' in line and b'"b"' in line:
                event = decoder.decode(line.strip().rstrip(b","))
                times = event.args
                numbers.extend((times.sample_seq, event.ts, times.issue_start_ns, times.complete_ns))
    return np.frombuffer(numbers, np.float64).reshape(-1, 4).T
