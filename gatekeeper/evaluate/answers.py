"""From predictions on disk to the answers that travel: classes or token ids where that is what is compared, else numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatekeeper.data.distinct import distinct
from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import family
from gatekeeper.evaluate.tasks._base import Reading, Task, judged_as
from gatekeeper.evaluate.tasks._hidden import hidden
from gatekeeper.evaluate.text.predict import TOP_TOKENS
from gatekeeper.ids import baseline_id, leg_of
from gatekeeper.models.files import digest
from gatekeeper.records.answers import MOST_OUTPUTS, MOST_VALUES, Answers, AnswersHeader, Kind


def collect(files: Mapping[str, Path], dataset: Path, reading: Reading, metric: str | None) -> Answers | None:
    """Answers out of the predictions of baselines and variants, by name; None if there are none.

    Models whose predictions are not finite numbers, or of another shape than the baseline's, are left out and named.
    """
    import numpy as np

    judged, first = judged_as(reading.task, metric), _first(dataset)
    by_name: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    kind: Kind | None = None
    total = 0
    for name, file in files.items():
        try:
            outputs = _outputs(file)
            reference = _outputs(files.get(baseline_id(leg_of(name)), file))
            if outputs.shape != reference.shape:
                raise ValueError(f"its output has shape {outputs.shape}, the baseline's {reference.shape}")
            outputs, reference = outputs[first], reference[first]
            kind = kind or _kind(file, outputs, reading, judged, metric)
            answers, count = _thinned(outputs, reference, kind, judged, reading, dataset, first)
            if by_name and (count, answers.shape) != (total, next(iter(by_name.values())).shape):
                raise ValueError(f"its output has another shape than {next(iter(by_name))}'s")
        except (OSError, ValueError, NotMeasured) as error:
            left_out[name] = str(error)
            continue
        by_name[name], total = answers, count
    if not by_name or kind is None:
        return None
    values = np.stack(list(by_name.values()))
    if kind != "relative distance":
        values = values.astype(np.result_type(np.min_scalar_type(values.min()), np.min_scalar_type(values.max())))
    header = AnswersHeader(
        schema="gatekeeper/answers/v1",
        dataset=_digest(dataset),
        kind=kind,
        total=total,
        names=list(by_name),
        left_out=dict(list(left_out.items())[:64]),
    )
    return Answers(header, values)


def _digest(dataset: Path) -> str:
    """Which examples were answered; labels do not matter."""
    inputs = "\n".join(digest(f) for f in sorted(dataset.glob("input*.npy")))
    return hashlib.sha256(inputs.encode()).hexdigest()


def _outputs(predictions: Path) -> Any:
    """Token ids where a text model wrote them beside its predictions, else the predictions; on disk, not in memory."""
    import numpy as np

    tokens = predictions.with_name(TOP_TOKENS)
    return np.load(tokens if tokens.exists() else predictions, mmap_mode="r")


def _kind(file: Path, outputs: Any, reading: Reading, judged: Task, metric: str | None) -> Kind:
    """How these outputs are compared."""
    if file.with_name(TOP_TOKENS).exists():
        return "same top token"
    known = reading.task is not None or metric is None or bool(family(metric))
    return "same class" if (known and judged.of_classes) or outputs.dtype.kind in "iu" else "relative distance"


def _thinned(
    outputs: Any, reference: Any, kind: Kind, judged: Task, reading: Reading, dataset: Path, first: Any
) -> tuple[Any, int]:
    """Evenly spaced answers, as many as are kept, and how many there were."""
    import numpy as np

    if outputs.dtype.kind not in "biuf":
        raise ValueError(f"its output is {outputs.dtype}, not numbers")
    if not outputs.size:
        raise ValueError("its output is empty")
    if kind == "same top token":
        tokens = outputs.reshape(-1)
        return tokens[_evenly(len(tokens), MOST_VALUES)], len(tokens)
    width = outputs[0].size
    if kind == "same class":
        kept = outputs[_evenly(len(outputs), MOST_VALUES)]
        _check_finite(kept)
        if judged.ANSWERS == "classes":
            places = _asked(judged.read(outputs, judged.way(reference, reading)), judged, dataset, first)
            return places[_evenly(len(places), MOST_VALUES)], len(places)
        one = judged if judged.of_classes else judged_as(None)  # else whole numbers
        places = one.flat(one.read(kept, one.way(reference, reading)), reference)
        return places[_evenly(len(places), MOST_VALUES)], len(outputs) * (len(places) // len(kept))
    columns = _evenly(width, MOST_VALUES)
    kept = outputs[_evenly(len(outputs), min(MOST_OUTPUTS, max(1, MOST_VALUES // width)))].reshape(-1, width)[:, columns]
    with np.errstate(over="ignore"):
        values = kept.astype(np.float32)
    _check_finite(values)
    return values, len(outputs)


def _first(dataset: Path) -> Any:
    """The distinct examples, each where it comes first; a slice where there are no others."""
    import numpy as np

    units = distinct({file.name: np.load(file, mmap_mode="r") for file in dataset.glob("input*.npy")})
    found = np.unique(units, return_index=True)[1]
    return found if len(found) < len(units) else slice(None)


def _asked(answers: Any, judged: Task, dataset: Path, first: Any) -> Any:
    """The answers at every place that is asked about, one after the other."""
    prepared = PreparedDataset(dataset)
    labels = None if prepared.labels is None else prepared.labels[first]
    unasked = hidden(judged, answers, labels, {name: array[first] for name, array in prepared.inputs.items()})
    return answers.reshape(-1) if unasked is None else answers[~unasked]


def _evenly(count: int, most: int) -> Any:
    """Indices of at most `most` of `count` things, evenly spaced; a slice where that is all."""
    import numpy as np

    return slice(None) if count <= most else np.arange(most) * count // most


def _check_finite(outputs: Any) -> None:
    import numpy as np

    if outputs.dtype.kind == "f" and not all(np.isfinite(part).all() for part in outputs):
        raise ValueError("its output holds NaN or infinite values")
