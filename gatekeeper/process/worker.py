"""The child process in which everything that touches a framework happens: `python -m gatekeeper.process.worker`.

Requests come in on standard input, answers leave on what was standard output; anything a framework prints goes
to standard error instead, so it cannot be mistaken for an answer.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gatekeeper.errors import GatekeeperError, NotMeasured
from gatekeeper.measure.timing import Timer, overhead_ns
from gatekeeper.process import protocol

if TYPE_CHECKING:
    from gatekeeper.checks.unit.lab import Lab

MAX_MESSAGE = 2000


class Worker:
    """Answers requests; holds the one session that `open` and `load` made."""

    def __init__(self) -> None:
        self.opened: protocol.Open | None = None
        self.feeds: list[dict[str, Any]] = []
        self._timer: Timer | None = None
        self._lab: Lab | None = None

    def answer(self, request: protocol.AnyRequest) -> protocol.AnyAnswer:
        """The answer to one request; raises what went wrong."""
        match request:
            case protocol.Open():
                return self.open(request)
            case protocol.Load():
                return self.load()
            case protocol.Block():
                return self.timer().block(request)
            case protocol.Saturate():
                return self.timer().saturate(request)
            case protocol.Optimize():
                return optimize(request)
            case protocol.Prepare():
                from gatekeeper.evaluate.prepare import prepare

                return prepare(request)
            case protocol.Predict():
                from gatekeeper.evaluate.predict import predict

                return predict(request)
            case protocol.LoadTest():
                from gatekeeper.load.generate import load_test

                return load_test(request)
            case protocol.Score():
                from gatekeeper.evaluate.score import score

                return score(request)
            case protocol.Setup():
                from gatekeeper.checks.unit.lab import Lab

                self._lab = Lab(request)
                return self._lab.ready
            case protocol.Observe():
                if self._lab is None:
                    raise NotMeasured("garbage", "observe before setup")
                return self._lab.observe(request)
            case protocol.OwnTests():
                from gatekeeper.checks.unit.own import run_own

                return run_own(request)
            case protocol.Exchange() | protocol.Converse() | protocol.Traffic():
                from gatekeeper.checks.client import answer_client

                return answer_client(request)
            case protocol.Fuzz():
                from gatekeeper.checks.security.fuzz import fuzz

                return fuzz(request)

    def open(self, request: protocol.Open) -> protocol.Done:
        """Import the framework and hold the inputs, so that the model's own memory can be told from theirs."""
        import numpy as np

        from gatekeeper.frameworks._base import runtime

        if module := request.runtime or runtime(request.framework):
            importlib.import_module(module)
        with np.load(request.inputs) as arrays:
            count = len(next(iter(arrays.values())))
            whole = {name: arrays[name] for name in arrays.files}
        self.feeds = [{name: array[i] for name, array in whole.items()} for i in range(count)]
        self.opened = request
        return protocol.Done()

    def load(self) -> protocol.Loaded:
        """Load the model, warm it up, and keep the garbage collector out of what is timed."""
        from gatekeeper.frameworks._base import framework

        if self.opened is None:
            raise NotMeasured("garbage", "load before open")
        start = time.perf_counter_ns()
        session = framework(self.opened.framework).open_session(
            Path(self.opened.artifact), self.opened.threads, self.opened.device
        )
        load_ns = time.perf_counter_ns() - start
        self._timer = Timer(session, self.feeds)
        self._timer.warm_up()
        gc.collect()
        gc.freeze()
        gc.disable()
        ran_on = str(getattr(session, "ran_on", ""))[:200]
        return protocol.Loaded(load_ns=load_ns, overhead_ns=overhead_ns(), clock_ns=time.perf_counter_ns(), ran_on=ran_on)

    def timer(self) -> Timer:
        """The loaded session's timer."""
        if self._timer is None:
            raise NotMeasured("garbage", "timing before load")
        return self._timer


def optimize(request: protocol.Optimize) -> protocol.Done:
    """Make one artifact in the folder `request.destination`."""
    from gatekeeper.frameworks._base import OptimizeJob, framework

    framework(request.framework).optimize(
        OptimizeJob(
            source=Path(request.source),
            destination=Path(request.destination),
            technique=request.technique,
            device=request.device,
            vnni=request.vnni,
            calibration=Path(request.calibration) if request.calibration else None,
            original=Path(request.original) if request.original else None,
            config=Path(request.config) if request.config else None,
            trusted=request.trusted,
        )
    )
    return protocol.Done()


def failure(error: BaseException) -> protocol.Failed:
    """What went wrong, classified, short and encodable, whatever the exception says of itself."""
    try:
        found = _classified(error)
    except Exception:  # an exception whose own text raises
        found = protocol.Failed(kind="crash", message=type(error).__name__)
    text = found.message[:MAX_MESSAGE].encode("utf-8", "backslashreplace").decode()
    return protocol.Failed(kind=found.kind, message=text)


def _classified(error: BaseException) -> protocol.Failed:
    if isinstance(error, NotMeasured):
        return protocol.Failed(kind=error.kind, message=str(error))
    if isinstance(error, GatekeeperError):
        return protocol.Failed(kind="data", message=str(error))
    if isinstance(error, MemoryError) or "bad_alloc" in str(error) or "Failed to allocate memory" in str(error):
        return protocol.Failed(kind="memory", message=f"out of memory: {str(error) or type(error).__name__}")
    if isinstance(error, ModuleNotFoundError):
        return protocol.Failed(kind="unsupported", message=f"the package '{error.name}' is not installed.{_hint(error.name)}")
    if isinstance(error, OSError) and error.errno in (28, 122):
        return protocol.Failed(kind="disk", message=f"the disk is full: {error.filename or ''}. Free some space.")
    text = " ".join(str(error).split())
    return protocol.Failed(kind="crash", message=f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _hint(module: str | None) -> str:
    from gatekeeper.version import install_hint

    text = dict.fromkeys(("safetensors", "tokenizers", "torch", "transformers"), "huggingface")
    served = dict.fromkeys(("httptools", "prometheus_client", "starlette", "uvicorn", "uvloop"), "serve")
    tested = dict.fromkeys(("mlperf_loadgen", "pytest", "schemathesis", "tritonclient"), "testing")
    extra = ({"sklearn": "metrics", "PIL": "images"} | text | served | tested).get((module or "").partition(".")[0])
    return f" {install_hint(extra)}" if extra else ""


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, even while it is suspended.

    The first argument is the parent's process id: it may have died before this process could ask for its own.
    """
    if sys.platform == "linux":
        import ctypes
        import signal

        parent = int(sys.argv[1]) if len(sys.argv) > 1 else os.getppid()
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)


def main() -> None:
    """Answer requests until standard input ends."""
    die_with_parent()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    worker = Worker()
    decoder = msgspec.json.Decoder(protocol.AnyRequest)
    for line in sys.stdin.buffer:
        reply: protocol.AnyAnswer
        try:
            reply = worker.answer(decoder.decode(line))
        except Exception as error:
            if not isinstance(error, GatekeeperError):
                import traceback

                traceback.print_exc()
            reply = failure(error)
        answers.write(msgspec.json.encode(reply) + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
