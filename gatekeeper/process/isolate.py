"""The parent's side of a worker process: start, ask, suspend, watch, end, and say what killed it."""

from __future__ import annotations

import os
import queue
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, TypeVar, cast

import msgspec

from gatekeeper.errors import NotMeasured
from gatekeeper.process import memory, protocol

A = TypeVar("A", bound=protocol.Answer)

# What a worker inherits. Everything else stays out: a model's code must not see the job's tokens.
PASSED = {
    "PATH", "HOME", "USERPROFILE", "LANG", "LC_ALL", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "CUDA_PATH", "VIRTUAL_ENV",
    "NUMBER_OF_PROCESSORS", "OPENVINO_LIB_PATHS", "MALLOC_ARENA_MAX",
}  # fmt: skip
QUIET = {"OLIVE_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1", "CI": "true", "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}

LIMIT_INTERVAL_S = 0.05
QUIET_INTERVAL_S = 0.5
READ_INTERVAL_S = 0.2
SAMPLE_INTERVAL_S = 0.002
FULL_SAMPLE_EVERY = 25


def environment(threads: int | None = None) -> dict[str, str]:
    """What a process that runs a model sees: this package, and nothing of the job's secrets."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {k: v for k, v in os.environ.items() if k in PASSED} | QUIET | {"PYTHONPATH": os.pathsep.join(paths)}
    return env | ({"OMP_NUM_THREADS": str(threads)} if threads is not None else {})


class Worker:
    """One child process. Use as a context manager: it never outlives the block."""

    def __init__(self, scratch: Path, memory_limit: int, threads: int | None = None):
        self.memory_limit = memory_limit
        self.log = tempfile.NamedTemporaryFile(dir=scratch, prefix="worker-", suffix=".log", delete=False)  # noqa: SIM115
        env = environment(threads)
        env |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))  # what a killed worker leaves goes with the run
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "gatekeeper.process.worker", str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.log,
                env=env,
                cwd=scratch,
                start_new_session=True,
            )
        except OSError as error:
            raise NotMeasured("crash", f"a worker process could not be started: {error.strerror}.") from error
        self.suspended = False
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._closed = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id, also the id of its process group."""
        return self.process.pid

    def ask(
        self,
        request: protocol.Request,
        answer: type[A],
        timeout_s: float,
        sample: Callable[[bool], None] | None = None,
        quiet: bool = False,
    ) -> A:
        """Send a request and wait for its answer.

        `sample(full)` is called every few milliseconds meanwhile. With `quiet` the parent only waits: nothing
        disturbs a timed block. Every way of not answering is a `NotMeasured` with its kind.
        """
        sent = time.monotonic()
        try:
            stdin = cast(IO[bytes], self.process.stdin)
            stdin.write(msgspec.json.encode(request) + b"\n")
            stdin.flush()
        except OSError:
            raise self._died() from None
        line = self._wait(sent + timeout_s, timeout_s, sample, quiet)
        try:
            reply = msgspec.json.decode(line, type=protocol.AnyAnswer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            shown = line[:80].decode("utf-8", "backslashreplace").strip()
            raise self._kill(NotMeasured("garbage", f"the worker answered something else than an answer: {shown!r}.")) from None
        if isinstance(reply, protocol.Failed):
            raise NotMeasured(reply.kind, reply.message)
        if not isinstance(reply, answer):
            raise self._kill(NotMeasured("garbage", f"the worker answered '{type(reply).__name__}' out of turn."))
        self._check_clock(reply, (time.monotonic() - sent) * 1.01e9)
        return reply

    def _wait(self, deadline: float, timeout_s: float, sample: Callable[[bool], None] | None, quiet: bool) -> bytes:
        interval = QUIET_INTERVAL_S if quiet else SAMPLE_INTERVAL_S if sample else LIMIT_INTERVAL_S
        count, checked = 0, 0.0
        while True:
            try:
                line = self._answers.get(timeout=min(interval, max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                pass
            else:
                if not line:
                    raise self._died()
                if len(line) > protocol.MAX_ANSWER_BYTES or not line.endswith(b"\n"):
                    raise self._kill(NotMeasured("garbage", "the worker's answer is endless or cut short."))
                self._check_memory()
                return line
            now = time.monotonic()
            if now >= deadline:
                remedy = "the worker was ended. Raise `measure.timeout` if it needs longer."
                raise self._kill(NotMeasured("timeout", f"no answer within {timeout_s:.0f} s; {remedy}"))
            if self._answers.empty() and self.process.poll() is not None:
                # It ended, but something it started may hold its answers open: do not wait for that.
                self._stop.set()  # the reader then queues what there is, and that no more will come
                self._reader.join()
            if sample:
                count += 1
                sample(count % FULL_SAMPLE_EVERY == 0)
            if now - checked >= LIMIT_INTERVAL_S:
                checked = now
                self._check_memory()

    def _check_memory(self) -> None:
        taken = memory.resident(self.pid)
        if taken > self.memory_limit:
            raise self._kill(
                NotMeasured(
                    "memory",
                    f"out of memory: the worker took {taken / 1e9:.1f} GB of {self.memory_limit / 1e9:.1f} GB allowed. "
                    "Raise `measure.memory_limit` or use a larger machine.",
                )
            )

    def _check_clock(self, reply: protocol.Answer, passed_ns: float) -> None:
        """A worker cannot have measured more time than passed here, nor none at all."""
        sensible = True
        if isinstance(reply, protocol.Loaded):
            sensible = 0 <= reply.load_ns <= passed_ns and 0 <= reply.overhead_ns <= passed_ns
        elif isinstance(reply, protocol.Timed):
            cores = os.cpu_count() or 1
            sensible = (
                min(reply.latencies_ns, default=0) > 0
                and min(reply.first_tokens_ns, default=1) > 0
                and min(reply.yielded or 0, reply.preempted or 0) >= 0
                and sum(reply.latencies_ns) + sum(reply.first_tokens_ns) <= reply.wall_ns <= passed_ns
                and 0 <= reply.cpu_ns <= 2 * passed_ns * cores  # its clock ticks more coarsely than this one
            )
        elif isinstance(reply, protocol.Saturated):
            sensible = reply.inferences >= 0 and 0 < reply.wall_ns <= passed_ns
        if not sensible:
            raise self._kill(
                NotMeasured("garbage", "the worker's clock makes no sense: it reports more time than passed, or none.")
            )

    def suspend(self) -> None:
        """Stop every thread of the worker, so that it takes nothing from the one that is measured."""
        if not self.suspended and self.process.poll() is None:
            self._signal("SIGSTOP")
            self.suspended = True

    def resume(self) -> None:
        """Let it run again."""
        if self.suspended:
            self._signal("SIGCONT")
            self.suspended = False

    def close(self) -> None:
        """End the worker and whatever it started; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._signal("SIGKILL")  # the whole group: the worker may have ended and left others in it
        self.process.wait()
        self._stop.set()
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                try:
                    stream.close()
                except OSError:
                    pass
        self.log.close()

    def tail(self, lines: int = 3) -> str:
        """The last lines the worker printed, for an error message."""
        try:
            text = Path(self.log.name).read_bytes()[-4000:].decode("utf-8", "backslashreplace")
        except OSError:
            return ""
        return " | ".join(line.strip() for line in text.splitlines()[-lines:] if line.strip())

    def _signal(self, name: str) -> None:
        if os.name == "posix":
            try:
                os.killpg(self.process.pid, getattr(signal, name))
            except (ProcessLookupError, PermissionError):
                pass
            return
        import psutil

        try:
            main = psutil.Process(self.process.pid)
            for process in (*main.children(recursive=True), main):
                {"SIGSTOP": process.suspend, "SIGCONT": process.resume, "SIGKILL": process.kill}[name]()
        except psutil.Error:
            pass

    def _read(self) -> None:
        """Queue whole lines; an empty one says that no more will come."""
        descriptor = cast(IO[bytes], self.process.stdout).fileno()
        rest = b""
        while not (self._stop.is_set() and not _readable(descriptor, 0)):
            if not _readable(descriptor, READ_INTERVAL_S):
                continue
            try:
                data = os.read(descriptor, 1 << 20)
            except OSError:
                break
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._answers.put(line + b"\n")
            if len(rest) > protocol.MAX_ANSWER_BYTES:
                break
        if rest:
            self._answers.put(rest)
        self._answers.put(b"")

    def _kill(self, reason: NotMeasured) -> NotMeasured:
        self.close()
        return reason

    def _died(self) -> NotMeasured:
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return self._kill(NotMeasured("garbage", "the worker closed its answers and went on running; it was ended."))
        tail = self.tail()
        self.close()
        said = f" It last said: {tail}" if tail else ""
        if code < 0:
            name = signal.Signals(-code).name if -code in {s.value for s in signal.Signals} else f"signal {-code}"
            if name == "SIGKILL":
                return NotMeasured(
                    "memory", "the worker was killed from outside, most likely by the system for lack of memory." + said
                )
            return NotMeasured("crash", f"the worker crashed ({name}).{said}")
        return NotMeasured("crash", f"the worker ended with exit code {code} instead of answering.{said}")


def run_job(scratch: Path, request: protocol.Request, answer: type[A], timeout_s: float, memory_limit: int) -> A:
    """Ask one thing of a fresh worker."""
    with Worker(scratch, memory_limit) as worker:
        return worker.ask(request, answer, timeout_s)


def _readable(descriptor: int, timeout_s: float) -> bool:
    """Whether a read would not block. Windows cannot ask that of a pipe; there the read itself waits."""
    return os.name != "posix" or bool(select.select([descriptor], [], [], timeout_s)[0])
