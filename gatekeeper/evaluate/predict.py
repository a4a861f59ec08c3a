"""Runs a model over a prepared dataset and keeps the output that is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatekeeper.data.outputs import choose
from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._spec import ModelSpec, open_session
from gatekeeper.process.messages import Answer, Held, Request


class Predict(Request, frozen=True, kw_only=True):
    """Run a model over a prepared dataset and write its judged output."""

    spec: ModelSpec
    dataset: str
    destination: str
    batch_size: int
    output: str | None
    task: str | None

    def answer(self, held: Held) -> Predicted:
        """Write the predictions."""
        return predict(self)


class Predicted(Answer, frozen=True, kw_only=True):
    """Predictions were written."""

    output: str
    examples: int


def predict(request: Predict) -> Predicted:
    """Write the judged output, shape [examples, ...], to `request.destination` (.npy)."""
    import numpy as np

    dataset = PreparedDataset(Path(request.dataset))
    session = open_session(request.spec)
    if request.spec.text is not None:
        from gatekeeper.evaluate.text.predict import predict_text

        return predict_text(request, session)
    chosen: int | None = None
    parts: list[Any] = []
    for feed in dataset.feeds(request.batch_size):
        size = len(next(iter(feed.values())))
        if size < request.batch_size:  # the last, smaller batch: models with a fixed batch cannot take it
            feed = {name: np.resize(array, (request.batch_size, *array.shape[1:])) for name, array in feed.items()}
        outputs = session.run(feed)
        if chosen is None:
            chosen = choose(session.outputs, outputs, request.output, request.task)
        part = np.asarray(outputs[chosen])
        if part.ndim == 0 or len(part) != len(next(iter(feed.values()))):
            raise NotMeasured(
                "model", f"the output '{session.outputs[chosen]}' has shape {part.shape}: its first axis must be the examples."
            )
        parts.append(part[:size])
    whole = np.concatenate(parts)
    np.save(request.destination, whole)
    return Predicted(output=session.outputs[chosen or 0], examples=len(whole))
