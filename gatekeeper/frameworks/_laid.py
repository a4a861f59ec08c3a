"""A session of a model with constants, with states, or with its examples on another axis, that is asked as all others are."""

from __future__ import annotations

from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.models.layout import Layout


class Laid:
    """Feeds and answers have the examples first, and the steps second where there are states to hand on. What else the session
    can do, it does as it is.
    """

    def __init__(self, session: Any, layout: Layout):
        self._session, self._layout = session, layout
        handed = {carry.output for carry in layout.carries.values()}
        self._kept = [i for i, name in enumerate(session.outputs) if name not in handed]
        self.inputs: tuple[str, ...] = tuple(
            name for name in session.inputs if name not in layout.constants and name not in layout.carries
        )
        self.outputs: tuple[str, ...] = tuple(session.outputs[i] for i in self._kept)

    def run(self, feed: dict[str, Any]) -> list[Any]:
        """As the model takes it, and back."""
        if self._layout.carries:
            return self._sequence(feed)
        return self._layout.answers(self.outputs, self._session.run(self._layout.feed(feed)))

    def _sequence(self, feed: dict[str, Any]) -> list[Any]:
        """Answers to all steps of the examples' sequences, [examples, steps, ...]."""
        import numpy as np

        found = [[answers[i] for i in self._kept] for _, answers in unrolled(self._session, self._layout, feed)]
        try:
            return [np.stack(answers, axis=1) for answers in zip(*found, strict=True)]
        except ValueError:
            said = "an output of the model differs in shape from step to step, and steps are compared one by one."
            raise NotMeasured("model", f"{said} Leave `carry` out and give single steps.") from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def unrolled(session: Any, layout: Layout, feed: dict[str, Any]) -> Any:
    """Step by step, what the model takes and what it answers, all with the examples first; `feed` is [examples, steps, ...]."""
    import numpy as np

    first = next(iter(feed.values()))
    states = {name: carry.array(len(first)) for name, carry in layout.carries.items()}
    states = {name: np.moveaxis(state, layout.inputs.get(name, 0), 0) for name, state in states.items()}
    places = {carry.output: session.outputs.index(carry.output) for carry in layout.carries.values()}
    for step in range(first.shape[1]):
        taken = {name: array[:, step] for name, array in feed.items()} | states
        answers = layout.answers(session.outputs, session.run(layout.feed(taken)))
        yield taken, answers
        new = {name: answers[places[carry.output]] for name, carry in layout.carries.items()}
        for name, state in new.items():
            if state.shape != states[name].shape:
                said = f"the model takes the state '{name}' as {states[name].shape} and answers it as {state.shape}"
                raise NotMeasured("model", f"{said}, examples first: it cannot be carried. Correct `inputs`.")
        states = new
