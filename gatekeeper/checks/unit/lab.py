"""The worker's side of the contract tests: it puts a model into situations and writes down what it does.

Nothing is judged here. A test observes the variant and the original in processes of their own, so that a crash of one says
nothing of the other, and what they did is compared afterwards.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from gatekeeper.frameworks._base import Session, TextSession, framework, runtime
from gatekeeper.process import protocol

PROMPT_TOKENS = 32
NEW_TOKENS = 8
MAX_REASON = 300


class Lab:
    """One model, opened, with the feeds it is tried on.

    `feeds` are what `session.run` takes; for a text model, prompts of at most PROMPT_TOKENS tokens. `tensors` are the
    original's inputs: name, dtype, shape.
    """

    def __init__(self, setup: protocol.Setup):
        import numpy as np

        self.setup, self.text, self.tensors = setup, setup.text, setup.tensors
        if module := runtime(setup.framework):
            importlib.import_module(module)
        with np.load(setup.inputs) as arrays:
            whole = {name: arrays[name] for name in arrays.files}
        count = len(next(iter(whole.values())))
        if self.text is None:
            self.feeds = [{name: array[i] for name, array in whole.items()} for i in range(count)]
        else:
            self.feeds = [{"tokens": whole["tokens"][i : i + 1, :PROMPT_TOKENS]} for i in range(count)]
        start = time.perf_counter_ns()
        self.session = self.open()
        loaded = time.perf_counter_ns()
        self.session.run(self.feeds[0])
        self.ready = protocol.Ready(load_ns=loaded - start, run_ns=time.perf_counter_ns() - loaded)

    def open(self) -> Session:
        """A further session of the same model."""
        setup = self.setup
        return framework(setup.framework).open_session(Path(setup.artifact), setup.threads, setup.device)

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

    def observe(self, request: protocol.Observe) -> protocol.Observed:
        """Run what one test asks of the model, and write the answers to `request.destination`."""
        from gatekeeper.checks.outcome import Skipped
        from gatekeeper.checks.unit.base import case

        log = Log(self)
        try:
            case(request.check).observe(self, log)
        except Skipped as skipped:
            return protocol.Observed(skip=str(skipped))
        return log.written(request.destination)


class Log:
    """What a model did, trial by trial. An exception is an answer of its kind, and is kept as its text."""

    def __init__(self, lab: Lab):
        self._lab = lab
        self._trials: list[protocol.Trial] = []
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
            found = list(islice(chosen.generate({"tokens": tokens, "new_tokens": np.int64(count)}), take))
        except Exception as error:
            self.refused(label, error)
            return None
        self.keep(label, ("new tokens",), [np.asarray(found, dtype=np.int64)])
        return found

    def keep(self, label: str, names: Sequence[str], answer: Sequence[Any]) -> None:
        """An answer: arrays under the session's names of them."""
        import numpy as np

        outputs: list[tuple[str, str]] = []
        for i, value in enumerate(answer):
            array = np.asarray(value)
            outputs.append((names[i] if i < len(names) else f"[{i}]", str(array.dtype)))
            # Of texts and dictionaries the text is compared: a file of plain arrays holds no objects.
            self._arrays[f"{len(self._trials)}.{i}"] = array.astype(str) if array.dtype.kind in "OV" else array
        self._trials.append(protocol.Trial(label=label, outputs=outputs))

    def refused(self, label: str, error: Exception) -> None:
        """An exception instead of an answer."""
        said = " ".join(str(error).split())[:MAX_REASON]
        text = f"{type(error).__name__}: {said}".encode("utf-8", "backslashreplace").decode()
        self._trials.append(protocol.Trial(label=label, error=text))

    def add(self, other: Log) -> None:
        """What another log holds, after what is here."""
        for i, trial in enumerate(other._trials):
            for j in range(len(trial.outputs)):
                self._arrays[f"{len(self._trials)}.{j}"] = other._arrays[f"{i}.{j}"]
            self._trials.append(trial)

    def written(self, destination: str) -> protocol.Observed:
        """Everything, the arrays in a file."""
        import numpy as np

        np.savez(destination, **self._arrays)
        return protocol.Observed(trials=self._trials, numbers=self.numbers)
