"""The worker's side of the contract tests: it puts a model into situations and writes down what it does.

Nothing is judged here. A test observes the variant and the original in processes of their own, so that a crash of one says
nothing of the other, and what they did is compared afterwards.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from gatekeeper.data.feeds import read_feeds, read_prompts
from gatekeeper.frameworks._base import Session, TextSession, runtime
from gatekeeper.frameworks._spec import ModelSpec, open_session
from gatekeeper.process.messages import Answer, Held, Request

PROMPT_TOKENS = 32
NEW_TOKENS = 8
MAX_REASON = 300


class OpenLab(Request, frozen=True, kw_only=True):
    """Open a model for contract tests."""

    spec: ModelSpec
    inputs: str  # .npz of feeds
    tensors: list[dict[str, Any]]  # of the original: name, dtype, shape

    def answer(self, held: Held) -> Ready:
        """Keep the lab for what follows."""
        lab = Lab(self)
        held.put(lab)
        return lab.ready


class Ready(Answer, frozen=True, kw_only=True):
    """The model was opened and has answered once."""

    load_ns: int
    run_ns: int


class Observe(Request, frozen=True, kw_only=True):
    """Do what one contract test asks of the model; the arrays it answers go to `destination` (.npz)."""

    check: str
    destination: str

    def answer(self, held: Held) -> Observed:
        """In the lab that was set up."""
        return held.get(Lab, "observe before setup").observe(self)


class Trial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call of a model: the names and element types of what it answered, in order, or why it did not."""

    label: str
    error: str = ""
    outputs: list[tuple[str, str]] = []


class Observed(Answer, frozen=True, kw_only=True):
    """What a model did in one contract test; `skip` says why the test does not apply to it."""

    trials: list[Trial] = []
    numbers: dict[str, float] = {}
    skip: str = ""


class Lab:
    """One model, opened, with the feeds it is tried on.

    `feeds` are what `session.run` takes; for a text model, prompts of at most PROMPT_TOKENS tokens. `tensors` are the
    original's inputs: name, dtype, shape.
    """

    def __init__(self, request: OpenLab):
        self.spec, self.text, self.tensors = request.spec, request.spec.text, request.tensors
        if module := runtime(self.spec.framework):
            importlib.import_module(module)
        self.feeds = read_prompts(request.inputs, PROMPT_TOKENS) if self.text else read_feeds(request.inputs)
        start = time.perf_counter_ns()
        self.session = self.open()
        loaded = time.perf_counter_ns()
        self.session.run(self.feeds[0])
        self.ready = Ready(load_ns=loaded - start, run_ns=time.perf_counter_ns() - loaded)

    def open(self) -> Session:
        """A further session of the same model."""
        return open_session(self.spec)

    @property
    def concurrent(self) -> bool:
        """Whether several threads may call the session at once."""
        return bool(getattr(self.session, "CONCURRENT", False))

    @property
    def batched(self) -> bool:
        """Whether the original takes any number of examples."""
        firsts = [tensor["shape"][0] for tensor in self.tensors if tensor["shape"]]
        return len(firsts) == len(self.tensors) and not any(isinstance(d, int) and d > 0 for d in firsts)

    def rows(self, count: int, start: int = 0) -> dict[str, Any]:
        """A feed of `count` examples from the feeds, going round where there are fewer."""
        import numpy as np

        whole = {name: np.concatenate([feed[name] for feed in self.feeds]) for name in self.feeds[0]}
        wanted = (start + np.arange(count)) % len(next(iter(whole.values())))
        return {name: np.ascontiguousarray(array[wanted]) for name, array in whole.items()}

    def observe(self, request: Observe) -> Observed:
        """Run what one test asks of the model, and write the answers to `request.destination`."""
        from gatekeeper.checks.outcome import Skipped
        from gatekeeper.checks.unit.base import case

        log = TrialLog(self)
        try:
            case(request.check).observe(self, log)
        except Skipped as skipped:
            return Observed(skip=str(skipped))
        return log.written(request.destination)


class TrialLog:
    """What a model did, trial by trial. An exception is an answer of its kind, and is kept as its text."""

    def __init__(self, lab: Lab):
        self._lab = lab
        self._trials: list[Trial] = []
        self._arrays: dict[str, Any] = {}
        self.numbers: dict[str, float] = {}

    def run(self, label: str, feed: dict[str, Any], session: Session | None = None) -> list[Any] | None:
        """One call of `run`; None where it raised."""
        chosen = session or self._lab.session
        try:
            answer = chosen.run(feed)
        except Exception as error:
            self.refused(label, error)
            return None
        self.keep(label, chosen.outputs, answer)
        return answer

    def generate(
        self, label: str, tokens: Any, count: int = NEW_TOKENS, session: Session | None = None, take: int | None = None
    ) -> list[int] | None:
        """`count` tokens after a prompt, or only the first `take` of them; None where it raised."""
        from itertools import islice

        import numpy as np

        chosen = cast(TextSession, session or self._lab.session)
        try:
            new_tokens = list(islice(chosen.generate({"tokens": tokens, "new_tokens": np.int64(count)}), take))
        except Exception as error:
            self.refused(label, error)
            return None
        self.keep(label, ("new tokens",), [np.asarray(new_tokens, dtype=np.int64)])
        return new_tokens

    def keep(self, label: str, names: Sequence[str], answer: Sequence[Any]) -> None:
        """An answer: arrays under the session's names of them."""
        import numpy as np

        outputs: list[tuple[str, str]] = []
        for i, value in enumerate(answer):
            array = np.asarray(value)
            outputs.append((names[i] if i < len(names) else f"[{i}]", str(array.dtype)))
            # Of texts and dictionaries the text is compared: a file of plain arrays holds no objects.
            self._arrays[f"{len(self._trials)}.{i}"] = array.astype(str) if array.dtype.kind in "OV" else array
        self._trials.append(Trial(label=label, outputs=outputs))

    def refused(self, label: str, error: Exception) -> None:
        """An exception instead of an answer."""
        said = " ".join(str(error).split())[:MAX_REASON]
        text = f"{type(error).__name__}: {said}".encode("utf-8", "backslashreplace").decode()
        self._trials.append(Trial(label=label, error=text))

    def add(self, other: TrialLog) -> None:
        """What another log holds, after what is here."""
        for i, trial in enumerate(other._trials):
            for j in range(len(trial.outputs)):
                self._arrays[f"{len(self._trials)}.{j}"] = other._arrays[f"{i}.{j}"]
            self._trials.append(trial)

    def written(self, destination: str) -> Observed:
        """Everything, the arrays in a file."""
        import numpy as np

        np.savez(destination, **self._arrays)
        return Observed(trials=self._trials, numbers=self.numbers)
