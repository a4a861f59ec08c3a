"""Runs a model over a prepared dataset and keeps what it answers."""

from __future__ import annotations

from pathlib import Path

from gatekeeper.data.outputs import OutputWriter, choose
from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._spec import ModelSpec, open_session
from gatekeeper.process.messages import Answer, Held, Request


class Predict(Request, frozen=True, kw_only=True):
    """Run a model over a prepared dataset and write its outputs, the judged one to `destination`."""

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
    """Write every output that has a row for each example, see gatekeeper/data/outputs.py."""
    import numpy as np

    dataset = PreparedDataset(Path(request.dataset))
    session = open_session(request.spec)
    if request.spec.text is not None:
        from gatekeeper.evaluate.text.predict import predict_text

        return predict_text(request, session)
    writer: OutputWriter | None = None
    for index, feed in enumerate(dataset.feeds(request.batch_size)):
        size = len(next(iter(feed.values())))
        if size < request.batch_size:  # the last, smaller batch: models with a fixed batch cannot take it
            feed = {name: np.resize(array, (request.batch_size, *array.shape[1:])) for name, array in feed.items()}
        outputs = session.run(feed)
        if writer is None:
            chosen = choose(session.outputs, outputs, request.output, request.task)
            writer = OutputWriter(Path(request.destination), session.outputs, chosen, dataset.contents.examples)
        writer.add(index * request.batch_size, size, request.batch_size, outputs)
    if writer is None:
        raise NotMeasured("data", "the evaluation set has no examples.")
    return Predicted(output=writer.close().judged, examples=dataset.contents.examples)
