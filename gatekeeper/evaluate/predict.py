"""Runs a model over a prepared dataset and keeps what it answers."""

from __future__ import annotations

from pathlib import Path

from gatekeeper.data.outputs import OutputWriter, choose
from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate import heaviest
from gatekeeper.evaluate.tasks._base import Reading, judged_as
from gatekeeper.frameworks._spec import ModelSpec, open_session
from gatekeeper.process.messages import Answer, Held, Request


class Predict(Request, frozen=True, kw_only=True):
    """Run a model over a prepared dataset and write its outputs, the judged one to `destination`."""

    spec: ModelSpec
    dataset: str
    destination: str
    batch_size: int
    output: str | None
    reading: Reading

    def answer(self, held: Held) -> Predicted:
        """Write the predictions."""
        return predict(self)


class Predicted(Answer, frozen=True, kw_only=True):
    """Predictions were written."""

    output: str
    examples: int


def predict(request: Predict) -> Predicted:
    """Write every output that has a row for each example, see gatekeeper/data/outputs.py, and which inputs took most memory."""
    dataset = PreparedDataset(Path(request.dataset))
    session = open_session(request.spec)
    if request.spec.text is not None:
        from gatekeeper.evaluate.text.predict import predict_text

        return predict_text(request, session)
    writer: OutputWriter | None = None
    watch, examples, batch = heaviest.Watch(), dataset.contents.examples, request.batch_size
    for index in range(dataset.batches(batch)):
        outputs = session.run(dataset.whole_batch(index, batch))
        watch.saw(index)
        if writer is None:
            chosen = choose(session.outputs, outputs, request.output, judged_as(request.reading.task).fits)
            writer = OutputWriter(Path(request.destination), session.outputs, chosen, examples)
        writer.add(index * batch, min(batch, examples - index * batch), batch, outputs)
    if writer is None:
        raise NotMeasured("data", "the evaluation set has no examples.")
    heaviest.write(Path(request.destination).parent, watch)
    return Predicted(output=writer.close().judged, examples=examples)
