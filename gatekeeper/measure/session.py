"""What a worker is asked before it is timed: to import the framework and read the feeds, and then to load the model.

Two steps, so that the memory of the model can be told from that of what it needs.
"""

from __future__ import annotations

import gc
import importlib
import time
from dataclasses import dataclass
from typing import Any

from gatekeeper.data.feeds import read_feeds
from gatekeeper.frameworks._base import runtime
from gatekeeper.frameworks._spec import ModelSpec, open_session
from gatekeeper.measure.timing import Timer, overhead_ns
from gatekeeper.process.messages import Answer, Done, Held, Request

MAX_SAID = 200


class Open(Request, frozen=True, kw_only=True):
    """Import the framework and read the inputs to time; the model is not loaded yet."""

    spec: ModelSpec
    inputs: str  # .npz of feeds
    heavy: str = ""  # .npz of feeds that only memory is watched on
    first: int = 0  # the feed that timing begins with
    runtime: str = ""  # the module to import

    def answer(self, held: Held) -> Done:
        """Hold the feeds."""
        import numpy  # noqa: F401  # it is not the model's memory either, whatever the framework imports

        if module := self.runtime or runtime(self.spec.framework):
            importlib.import_module(module)
        heavy = read_feeds(self.heavy) if self.heavy else []
        held.put(Opened(self.spec, read_feeds(self.inputs), heavy, self.first))
        return Done()


class LoadModel(Request, frozen=True, kw_only=True):
    """Load the model, run it a few times, and on what takes most memory."""

    def answer(self, held: Held) -> ModelLoaded:
        """Load it, warm it up, and keep the garbage collector out of what is timed."""
        opened = held.get(Opened, "load before open")
        start = time.perf_counter_ns()
        session = open_session(opened.spec)
        load_ns = time.perf_counter_ns() - start
        timer = Timer(session, opened.feeds, opened.first)
        held.put(timer)
        timer.warm_up()
        for feed in opened.heavy:
            session.run(feed)
        gc.collect()
        gc.freeze()
        gc.disable()
        ran_on = str(getattr(session, "ran_on", ""))[:MAX_SAID]
        return ModelLoaded(load_ns=load_ns, overhead_ns=overhead_ns(), ran_on=ran_on, inputs=timer.inputs)


class ModelLoaded(Answer, frozen=True, kw_only=True):
    """The model is ready. `overhead_ns` is what the timing of one inference adds to it, `inputs` how many are timed equally
    often; 0 of a text model, where each token is.
    """

    load_ns: int
    overhead_ns: int = 0
    ran_on: str = ""
    inputs: int = 0

    def sensible(self, passed_ns: float) -> bool:
        """It cannot have taken longer than the answer did."""
        return 0 <= self.load_ns <= passed_ns and 0 <= self.overhead_ns <= passed_ns and self.inputs >= 0


@dataclass(frozen=True)
class Opened:
    """What is there before the model is."""

    spec: ModelSpec
    feeds: list[dict[str, Any]]
    heavy: list[dict[str, Any]]
    first: int
