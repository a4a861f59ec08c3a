"""Runs a model over a prepared dataset and keeps the output that is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.prepared import PreparedDataset
from gatekeeper.frameworks._base import framework
from gatekeeper.protocol import Predict, Predicted


def predict(request: Predict) -> Predicted:
    """Write the judged output, shape [examples, ...], to `request.destination` (.npy)."""
    import numpy as np

    dataset = PreparedDataset(Path(request.dataset))
    session = framework(request.framework).open_session(Path(request.artifact), request.threads, request.device)
    if request.text is not None:
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


def choose(names: tuple[str, ...], outputs: list[Any], wanted: str | None, task: str | None) -> int:
    """Index of the output to judge: the named one, else for classes the first with scores, else the first."""
    import numpy as np

    if wanted is not None:
        if wanted not in names:
            raise NotMeasured("model", f"the model has no output '{wanted}' (it has {', '.join(names)}). Correct `model.output`.")
        return names.index(wanted)
    arrays = [np.asarray(o) for o in outputs]
    if task is None or task.endswith("classification"):
        for i, array in enumerate(arrays):
            if array.dtype.kind == "f" and array.ndim >= 2 and array.shape[-1] > 1:
                return i
    for i, array in enumerate(arrays):
        if array.dtype.kind in "fiu":
            return i
    raise NotMeasured("model", "the model has no numeric output to judge. Name one with `model.output`.")
