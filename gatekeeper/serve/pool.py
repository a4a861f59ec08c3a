"""Requests wait in a bounded queue for session processes; one that dies is started again, and what it held is tried once more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec
import numpy as np

from gatekeeper.errors import NotMeasured
from gatekeeper.process.child import command, environment, how_it_ended, signal_group
from gatekeeper.serve.config import SESSION, Served
from gatekeeper.serve.messages import Ask, Generate, Reply, pack, unpack
from gatekeeper.serve.metrics import Metrics
from gatekeeper.serve.remembered import Remembered, question
from gatekeeper.serve.tensors import BadRequest, Feed

MOST_CRASHES = 5
"""Deaths in a row without one answer, after which the server is no longer ready."""

BACKOFF_S = 0.1
_REPLY = msgspec.msgpack.Decoder(Reply)


class Busy(Exception):
    """The queue is full, or nothing can be answered now."""


class ModelFailed(Exception):
    """The model failed; the message says how."""


class Late(Exception):
    """No answer within the time a request may take."""


@dataclass(eq=False)
class Job:
    """One request on its way."""

    ask: Ask
    feed: Feed = field(default_factory=dict)
    replies: asyncio.Queue[Reply | Exception] = field(default_factory=asyncio.Queue)
    tried: bool = False
    given_up: bool = False

    @property
    def rows(self) -> int:
        """Examples in it."""
        return min((len(a) for a in self.feed.values() if a.ndim), default=1)

    def fits(self, other: Job) -> bool:
        """Whether both can be one batch."""
        return (
            bool(self.feed)
            and self.feed.keys() == other.feed.keys()
            and all(a.dtype == other.feed[n].dtype and a.shape[1:] == other.feed[n].shape[1:] for n, a in self.feed.items())
        )


class SessionProcess:
    """A session process."""

    def __init__(self, process: asyncio.subprocess.Process):
        self.process = process

    @classmethod
    async def start(cls, served: Served) -> SessionProcess:
        """A process whose model is loaded; `NotMeasured` with its reason where it cannot be."""
        process = await asyncio.create_subprocess_exec(
            *command(SESSION), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=environment(served.spec.threads), start_new_session=True,
        )  # fmt: skip
        session = cls(process)
        try:
            session.send(msgspec.msgpack.encode(served))
            reply = await session.reply()
        except (asyncio.IncompleteReadError, OSError):
            await session.end()
            raise NotMeasured("crash", f"the session's process ended while it loaded the model ({session.how()}).") from None
        except BaseException:
            await session.end()
            raise
        if reply.error:
            await session.end()
            raise NotMeasured("model", reply.error)
        return session

    def send(self, body: bytes) -> None:
        """Send a message."""
        assert self.process.stdin
        self.process.stdin.writelines([len(body).to_bytes(4, "little"), body])

    async def reply(self) -> Reply:
        """The next message that comes; `IncompleteReadError` where the process ended."""
        assert self.process.stdout
        size = int.from_bytes(await self.process.stdout.readexactly(4), "little")
        return _REPLY.decode(await self.process.stdout.readexactly(size))

    async def end(self) -> None:
        """Kill it; nothing it started is left."""
        signal_group(self.process.pid, "SIGKILL")
        await self.process.wait()

    def how(self) -> str:
        """How the process ended."""
        return how_it_ended(self.process.returncode)


class Pool:
    """The sessions of one served model, and the requests that wait for them."""

    def __init__(self, served: Served, metrics: Metrics):
        self.served, self.metrics = served, metrics
        self.waiting: asyncio.Queue[Job] = asyncio.Queue(served.queue)
        self.sessions: dict[int, SessionProcess] = {}
        self.crashes = 0
        self.batching = served.max_batch > 1 and all(t.shape[:1] == [-1] for t in (*served.inputs(), *served.outputs()))
        self.known = Remembered(served.cache) if served.cache else None
        self._tasks: list[asyncio.Task[None]] = []
        self._held: Job | None = None
        metrics.watch(self.waiting.qsize)

    @property
    def ready(self) -> bool:
        """Whether requests can be answered."""
        return bool(self.sessions) and self.crashes < MOST_CRASHES

    async def start(self) -> None:
        """Open every session; `NotMeasured` where one cannot be."""
        for index in range(self.served.workers):
            self.sessions[index] = await SessionProcess.start(self.served)
        self._tasks = [asyncio.create_task(self._work(index)) for index in range(self.served.workers)]

    async def close(self) -> None:
        """End every session."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in self.sessions.values():
            await session.end()

    async def infer(self, feed: Feed, anew: bool = False) -> Feed:
        """The answer to one request; `anew` is what the model says now, whatever was answered before."""
        known = None if anew else self.known
        asked = question(feed) if known is not None else b""
        if known is not None and (found := known.get(asked)) is not None:
            self.metrics.remembered.inc()
            return unpack(found)
        async for reply in self._answers(Job(Ask(arrays=pack(feed)), feed)):
            if known is not None:
                known.put(asked, reply.arrays)
            return unpack(reply.arrays)
        raise ModelFailed("the model gave no answer")

    def generate(self, wanted: Generate) -> AsyncIterator[Reply]:
        """The pieces of a text."""
        return self._answers(Job(Ask(generate=wanted)))

    async def _answers(self, job: Job) -> AsyncIterator[Reply]:
        if self.crashes >= MOST_CRASHES:
            raise Busy(f"the model crashed {self.crashes} times in a row; no more is tried")
        try:
            self.waiting.put_nowait(job)
        except asyncio.QueueFull:
            raise Busy(f"{self.served.queue} requests wait already") from None
        try:
            async with asyncio.timeout(self.served.request_timeout_s):
                while True:
                    reply = await job.replies.get()
                    if isinstance(reply, Exception):
                        raise reply
                    if reply.error:
                        raise BadRequest(reply.error, reply.status) if reply.status < 500 else ModelFailed(reply.error)
                    yield reply
                    if reply.done:
                        return
        except TimeoutError:
            raise Late(f"no answer within {self.served.request_timeout_s:g} s") from None
        finally:
            job.given_up = True

    async def _work(self, index: int) -> None:
        while True:
            jobs = await self._take()
            while jobs:
                try:
                    if index not in self.sessions:
                        await asyncio.sleep(BACKOFF_S * self.crashes)
                        self.sessions[index] = await SessionProcess.start(self.served)
                    await self._run(self.sessions[index], jobs)
                    self.crashes = 0
                    jobs = []
                except Exception as error:  # whatever it is (uvloop says RuntimeError of a closed pipe): this task must go on
                    jobs = await self._died(index, jobs, error)

    async def _died(self, index: int, jobs: list[Job], error: Exception) -> list[Job]:
        """What is left to be tried again after a session died."""
        session = self.sessions.pop(index, None)
        self.crashes += 1
        self.metrics.restarts.inc()
        if session is not None:
            await session.end()
        how = f"the model's process ended ({session.how()})" if session and not isinstance(error, NotMeasured) else str(error)
        again = [job for job in jobs if not job.tried and not job.given_up and self.crashes < MOST_CRASHES]
        for job in jobs:
            if job not in again:
                job.replies.put_nowait(ModelFailed(how))
            job.tried = True
        return again

    async def _take(self) -> list[Job]:
        """The next request, with others that can be answered together with it."""
        jobs = [self._held or await self._next()]
        self._held = None
        if not (self.batching and jobs[0].feed):
            return jobs
        rows, deadline = jobs[0].rows, asyncio.get_running_loop().time() + self.served.batch_delay_ms / 1000
        while rows < self.served.max_batch:
            left = deadline - asyncio.get_running_loop().time()
            try:
                following = await asyncio.wait_for(self._next(), max(left, 0)) if left > 0 else self.waiting.get_nowait()
            except (TimeoutError, asyncio.QueueEmpty):
                break
            if not jobs[0].fits(following) or rows + following.rows > self.served.max_batch:
                self._held = following
                break
            jobs.append(following)
            rows += following.rows
        return jobs

    async def _next(self) -> Job:
        while (job := await self.waiting.get()).given_up:
            pass
        return job

    async def _run(self, session: SessionProcess, jobs: list[Job]) -> None:
        self.metrics.batches.observe(sum(job.rows for job in jobs))
        if len(jobs) == 1:
            return await self._each(session, jobs[0])
        feed = {n: np.concatenate([job.feed[n] for job in jobs]) for n in jobs[0].feed}
        session.send(msgspec.msgpack.encode(Ask(arrays=pack(feed))))
        reply = await self._reply(session)
        answer = {} if reply.error else unpack(reply.arrays)
        ends = np.cumsum([job.rows for job in jobs])
        if reply.error or any(a.ndim == 0 or len(a) != ends[-1] for a in answer.values()):
            for job in jobs:  # one of them may be at fault, or the model does not keep rows apart
                await self._each(session, job)
            return None
        for job, end in zip(jobs, ends, strict=True):
            own = {n: a[end - job.rows : end] for n, a in answer.items()}
            job.replies.put_nowait(Reply(arrays=pack(own)))
        return None

    async def _each(self, session: SessionProcess, job: Job) -> None:
        session.send(msgspec.msgpack.encode(job.ask))
        while True:
            reply = await self._reply(session)
            job.replies.put_nowait(reply)
            if reply.done:
                return
            job.tried = True  # a text that has begun cannot begin again

    async def _reply(self, session: SessionProcess) -> Reply:
        """A session that takes longer than any request may is no longer one."""
        async with asyncio.timeout(self.served.request_timeout_s):
            return await session.reply()
