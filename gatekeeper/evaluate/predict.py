"""Runs a model over a prepared dataset and keeps what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    """Write every output that has a row for each example, see gatekeeper/data/outputs.py, and which inputs took most memory.

    None of it is read by the user's code: that is asked elsewhere, see gatekeeper/evaluate/apart.py.
    """
    assert not request.reading.own, "the user's code would run beside the model"
    dataset = PreparedDataset(Path(request.dataset))
    session = open_session(request.spec)
    if request.spec.text is not None:
        from gatekeeper.evaluate.text.predict import predict_text

        return predict_text(request, session)
    writer: OutputWriter | None = None
    read: set[str] = set()
    watch, examples, batch = heaviest.Watch(), dataset.contents.examples, request.batch_size
    judged = judged_as(request.reading.task)
    for index in range(dataset.batches(batch)):
        feed = dataset.whole_batch(index, batch)
        names, outputs = session.outputs, list(session.run(feed))
        watch.saw(index)
        if together := judged.gather(arrays_of(names, outputs, request.output), feed, request.reading):
            read |= together[2]
            names, outputs = beside(together, writer, names, outputs)
        if writer is None:
            chosen = 0 if together else choose(names, outputs, request.output, judged.fits)
            writer = OutputWriter(Path(request.destination), names, chosen, examples)
        writer.add(slice(index * batch, (index + 1) * batch), batch, outputs)
    if writer is None:
        raise NotMeasured("data", "the evaluation set has no examples.")
    heaviest.write(Path(request.destination).parent, watch)
    return Predicted(output=writer.close(read).judged, examples=examples)


def arrays_of(names: tuple[str, ...], outputs: list[Any], wanted: str | None) -> dict[str, Any]:
    """Outputs that are arrays, by name; the named one alone, where the file names one."""
    import numpy as np

    arrays = {name: value for name, value in zip(names, outputs, strict=False) if isinstance(value, np.ndarray)}
    return {wanted: arrays[wanted]} if wanted in arrays else arrays


def beside(
    together: tuple[str, Any, set[str]], writer: OutputWriter | None, names: tuple[str, ...], outputs: list[Any]
) -> tuple[tuple[str, ...], list[Any]]:
    """What several outputs say together, and then those that had no part in it: as the first batch has it, for all of them."""
    called, answers, read = together
    left = [name for name in names if name not in read] if writer is None else writer.names[1:]
    by_name = dict(zip(names, outputs, strict=False))
    return (called, *left), [answers, *(by_name[name] for name in left)]
