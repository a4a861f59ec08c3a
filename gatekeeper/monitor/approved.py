"""The reference of an artifact: its answers to the evaluation set that it was approved on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.evaluate.tasks._base import judged_as
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import opener
from gatekeeper.legs.setup import bench
from gatekeeper.making.cache import Cache
from gatekeeper.models.files import assess, digest_files
from gatekeeper.models.fit import fit
from gatekeeper.monitor.features import features, way_of
from gatekeeper.monitor.reference import FORM, Contents, Reference
from gatekeeper.monitor.sample import SIZE, Sample, scrambled
from gatekeeper.monitor.sources.requests import ANSWER, MOST_ANSWERS, SHARES, SURE
from gatekeeper.planning.plan import model_of
from gatekeeper.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gatekeeper.config.loaded import Loaded

FIRST = 100


def approved(loaded: Loaded, artifact: Path, cache: Cache, progress: Progress) -> Reference:
    """What the evaluation set of a pipeline file holds, and what an artifact answers to it, in a worker; `UsageError` with
    what to do where that cannot be told.
    """
    _, assessment = model_of(loaded)
    if assessment.text:
        raise UsageError(f"{artifact}: is a language model, of which only a log tells what it is asked. Name one with --learn.")
    try:
        about = assess(artifact)
        named = [part for part in artifact.name.split("__")[1:2] if part in FRAMEWORKS.names]
        framework = named[0] if named else opener(about.format) or "onnx_runtime"
        with bench(loaded, assessment, [], cache, progress) as (_, evaluation, _, _):
            progress.step(f"Asking {artifact.name} about the evaluation set")
            dataset = evaluation.prepared()
            if dataset is None:
                raise UsageError(
                    f"{loaded.path}: names no dataset, so that nobody knows what was normal. Name a log with --learn."
                )
            spec = evaluation.spec(framework, artifact, 1, "cpu", fit(evaluation.seen, about, evaluation.batch_size()))
            identity = digest_files([Path(file) for file in about.files])
            predictions = evaluation.predictions(spec, identity, dataset)
            return _sketched(evaluation, dataset, predictions, identity)
    except NotMeasured as error:
        raise UsageError(f"{artifact}: {error}") from None


def _sketched(evaluation: Any, dataset: Path, predictions: Path, identity: str) -> Reference:
    """The sketch of the rows of a prepared set, and of the answers to them."""
    import numpy as np

    from gatekeeper.data.prepared import PreparedDataset

    data, outputs = PreparedDataset(dataset), np.load(predictions, mmap_mode="r")
    reading, size = evaluation.reading(dataset), data.contents.examples
    judged = judged_as(reading.task)
    answers = np.asarray(judged.read(outputs, judged.way(outputs, reading)))
    one = judged.ANSWERS == "class" and answers.ndim == 2
    classes = answers.argmax(axis=1) if one else answers if answers.ndim == 1 else None
    sure = confidences(answers) if one else np.full(size, np.nan)
    labels = data.labels
    known = classes is not None and labels is not None and judged.ANSWERS == "class" and labels.shape[:1] == labels.shape
    right = int((labels == classes).sum()) if known else 0
    priorities = scrambled("evaluation set", 0, size)
    kept = np.argsort(priorities, kind="stable")[:SIZE]
    ways = {name: way_of([array[i] for i in range(min(FIRST, size))]) for name, array in data.inputs.items()}
    rows = [{name: array[i] for name, array in data.inputs.items()} for i in kept]
    columns = {SURE: sure[kept], **features(ways, rows)}
    columns[ANSWER] = classes[kept].astype(float) if classes is not None else np.full(len(kept), np.nan)
    told = Counter(map(str, classes.tolist())) if classes is not None else Counter[str]()
    contents = Contents(
        form=FORM,
        seen=size,
        inputs=ways,
        answers=dict(told) if len(told) <= MOST_ANSWERS else {},
        confidence=[(end, int((sure <= end).sum())) for end in SHARES] if one else [],
        right=right,
        labelled=size if known else 0,
        model=identity,
    )
    return Reference(contents, Sample(columns, priorities[kept], size))


def confidences(outputs: NDArray[Any]) -> NDArray[np.float64]:
    """The largest class probability of each row, as `gatekeeper serve` counts it: by a softmax where they are no
    probabilities.
    """
    import numpy as np

    rows = np.asarray(outputs, dtype=float)
    probable = (rows.min(axis=1) >= 0) & (np.abs(rows.sum(axis=1) - 1) < 1e-3)
    shifted = np.exp(rows - rows.max(axis=1, keepdims=True))
    found: NDArray[np.float64] = np.where(probable, rows.max(axis=1), 1 / shifted.sum(axis=1))
    return found
