"""Where a variant's time goes, and what it moves: its framework's profiler beside the latency without one, in a worker."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path

from gatekeeper.explain.ceiling import Move, MovedBytes
from gatekeeper.explain.profilers._base import Times, profiler
from gatekeeper.frameworks._spec import ModelSpec, open_session
from gatekeeper.making.workspace import Workspace
from gatekeeper.process.messages import Answer, Held, Request
from gatekeeper.process.scratch import scratch_folder
from gatekeeper.records.explained import Operator, Profile, Traffic

SECONDS = 2.0
LATENCY_S = 0.5
LATENCY_RUNS = 20
CLEAR_NS = 20_000
CLEAR_BYTES = 1 << 16
"""An operator that takes less, or moves less, tells nothing of what the machine can move: the profiler counts microseconds."""


class Look(Request, frozen=True, kw_only=True):
    """Time whole inferences, then profile. `inputs` is an .npz of feeds."""

    spec: ModelSpec
    inputs: str
    folder: str
    seconds: float = SECONDS

    def answer(self, held: Held) -> Looked:
        """The latency first: a profiler leaves threads and caches in another state."""
        from gatekeeper.data.feeds import read_feeds
        from gatekeeper.measure.timing import Block, Timer

        feeds = read_feeds(self.inputs)
        timer = Timer(open_session(self.spec), feeds)
        timer.warm_up()
        timed = timer.block(Block(duration_ns=int(LATENCY_S * 1e9), least=LATENCY_RUNS))
        del timer
        times = profiler(self.spec.framework).profile(self.spec, feeds, Path(self.folder), self.seconds)
        return Looked(latency_ns=statistics.median(timed.latencies_ns), times=times)


class Looked(Answer, frozen=True, kw_only=True):
    """The median latency without a profiler, and what it said."""

    latency_ns: float
    times: Times

    def sensible(self, passed_ns: float) -> bool:
        """An inference took some time, and not more than passed."""
        return 0 < self.latency_ns <= passed_ns and all(node.ns >= 0 for node in self.times.nodes)


@dataclass(frozen=True)
class Profiled:
    """A profile, and the share of operators' time of each node of the artifact's graph, by number."""

    profile: Profile
    shares: dict[int, float]
    looked: Looked


def look(space: Workspace, spec: ModelSpec, inputs: Path, seconds: float = SECONDS) -> Profiled:
    """Profile a variant on these feeds; `NotMeasured` where its framework has no profiler, or not for such a model."""
    profiler(spec.framework)  # says so before a worker is started
    with scratch_folder(space.scratch, "profile-") as folder:
        request = Look(spec=spec, inputs=str(inputs), folder=str(folder), seconds=seconds)
        looked = space.ask(request, Looked, folder)
    return Profiled(profile_of(spec.framework, looked), shares(looked.times), looked)


def profile_of(framework: str, looked: Looked) -> Profile:
    """By kind of operator, the one that takes most first."""
    times = looked.times
    total = sum(node.ns for node in times.nodes) or 1.0
    kinds: dict[str, list[float]] = {}
    for node in times.nodes:
        kinds.setdefault(node.operator, []).append(node.ns)
    operators = [Operator(operator=kind, share=sum(each) / total, nodes=len(each)) for kind, each in kinds.items()]
    return Profile(
        profiler=framework,
        runs=times.runs,
        operators=sorted(operators, key=lambda each: -each.share),
        inside=None if times.phases else total / looked.latency_ns,
        notes=list(times.notes),
    )


def shares(times: Times) -> dict[int, float]:
    """Of operators' time, by a node's number in the artifact's graph."""
    total = sum(node.ns for node in times.nodes) or 1.0
    found: dict[int, float] = {}
    for node in times.nodes:
        if node.index is not None:
            found[node.index] = found.get(node.index, 0.0) + node.ns / total
    return found


def moved(space: Workspace, looked: Looked | None, latency_ns: float, weights: int, threads: int) -> Traffic:
    """What an inference moves, beside what this machine was seen to move, measured now with so many threads.

    Without a profile that counts bytes it is at least the weights' `weights` bytes.
    """
    counted = [node.moved for node in looked.times.nodes if node.moved is not None] if looked else []
    whole = len(counted) == len(looked.times.nodes) if looked and counted else False
    total = max(sum(counted), weights) if whole else weights
    request = Move(bytes=total, threads=threads)
    answer = space.ask(request, MovedBytes)
    # Reading alone is faster than reading and writing: it is the ceiling of what only reads its weights.
    rounds = [{way: value for way, value in each.items() if not whole or way != "read"} for each in answer.rounds]
    best = [max(each.values()) for each in rounds]
    ceiling, name = max((value, way) for each in rounds for way, value in each.items())
    own = kernels(looked, latency_ns) if looked and whole else {}
    if own and max(own.values()) > ceiling:
        name = max(own, key=lambda each: own[each])
        ceiling, name = own[name], f"its own {name}"
    return Traffic(
        bytes_per_inference=total,
        least=not whole,
        rate=total * 1e9 / latency_ns,
        ceiling=ceiling,
        ceiling_of=name,
        rounds=best,
        spread=(max(best) - min(best)) / max(best),
    )


def kernels(looked: Looked, latency_ns: float) -> dict[str, float]:
    """Bytes a second of the model's own operators, the best of each kind; their times are shares of the latency."""
    total = sum(node.ns for node in looked.times.nodes) or 1.0
    found: dict[str, float] = {}
    for node in looked.times.nodes:
        if node.moved and node.moved >= CLEAR_BYTES and node.ns >= CLEAR_NS:
            rate = node.moved * 1e9 / (node.ns / total * latency_ns)
            found[node.operator] = max(found.get(node.operator, 0.0), rate)
    return found
