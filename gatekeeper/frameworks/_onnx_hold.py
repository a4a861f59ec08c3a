"""What a technique needs done to a model before its own work, held against the original: no quantizer is blamed for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.data.rounding import FAR, NUDGES, explained, nudge_size, unexplained
from gatekeeper.errors import NotMeasured

if TYPE_CHECKING:
    from gatekeeper.frameworks._base import OptimizeJob
    from gatekeeper.models.info import Assessment

_COMPARED = 16


@dataclass(frozen=True)
class Step:
    """What was done, and the model it made; `remedy` is what to do where that answers otherwise."""

    what: str
    made: Path
    remedy: str


def hold(job: OptimizeJob, steps: Sequence[Step], folder: Path) -> None:
    """`NotMeasured` where what came of the last of `steps` no longer answers as the original: the first that changed the
    answers is named. The examples are the first of the calibration set, or one that is made up.
    """
    from gatekeeper.models.formats.onnx import inspect

    if steps[-1].made == job.source:
        return
    about = inspect(job.source)
    feeds = list(_feeds(job, about))
    try:
        original = _answers(job.source, feeds) if feeds else []
    except Exception:  # only one that is made up can be none of this model's
        return
    if not original or not _apart(job.source, about, original, steps[-1].made, feeds, folder):
        return
    for step in steps:
        if step.made != job.source and (said := _apart(job.source, about, original, step.made, feeds, folder)):
            raise NotMeasured(
                "unsupported", f"{step.what} changes the answers: before anything is quantized, {said}. {step.remedy}."
            )


def _apart(source: Path, about: Assessment, original: list[Any], made: Path, feeds: list[Any], folder: Path) -> str:
    """How far the converted model's answers are from the original's; empty where rounding explains it."""
    import numpy as np

    from gatekeeper.frameworks._onnx_nudge import nudge

    answers = _answers(made, feeds)
    rows = _distances(original, answers)
    far = (rows > FAR).any(axis=0)
    if not far.any():
        return ""
    moved = np.zeros_like(rows)
    for seed in range(NUDGES):
        nudged = folder / "nudged.onnx"
        nudge(source, nudged, seed, nudge_size(about, "cpu"))
        moved = np.maximum(moved, _distances(original, _answers(nudged, feeds)))
    if explained(int(far.sum()), int(unexplained(rows, moved).sum()), len(far)):
        return ""
    size = max(_relative(a, b) for a, b in zip(original, answers, strict=True))
    return f"its answers are {size:.1%} away from the original's"


def _distances(original: list[Any], other: list[Any]) -> Any:
    """As in gatekeeper/data/apart.py, [outputs, feeds]; without end where shapes differ."""
    import numpy as np

    from gatekeeper.data.apart import Scale

    rows = []
    for a, b in zip(original, other, strict=True):
        if a is not None and b is not None and a.shape == b.shape:
            rows.append(Scale(a).apart(a, b))
        else:
            rows.append(np.full(max(len(a) if a is not None else 0, 1), 0.0 if a is None else np.inf))
    count = max(map(len, rows))
    return np.stack([np.resize(row, count) for row in rows])


def _answers(path: Path, feeds: list[Any]) -> list[Any]:
    """Each output of every feed, [feeds, ...]; None for one that is a sequence or a map, or changes its shape."""
    import numpy as np

    session = _session(path)
    found: list[Any] = []
    for answers in zip(*(session.run(None, feed) for feed in feeds), strict=True):
        arrays = all(isinstance(answer, np.ndarray) and answer.shape == answers[0].shape for answer in answers)
        found.append(np.stack(answers) if arrays else None)
    return found


def _feeds(job: OptimizeJob, about: Assessment) -> Iterator[dict[str, Any]]:
    import numpy as np

    from gatekeeper.data.feeds import made_up
    from gatekeeper.data.prepared import PreparedDataset

    if job.calibration is None:
        size = about.fixed_batch or 1
        yield {tensor.name: made_up(np.random.default_rng(0), tensor, size) for tensor in about.inputs}
        return
    dataset = PreparedDataset(job.calibration)
    size = dataset.contents.layout.seen(about).fixed_batch or 1
    for index in range(min(_COMPARED, dataset.contents.examples // size)):
        yield dataset.own_batch(index, size)


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _relative(original: Any, converted: Any) -> float:
    """For people: the difference's size to that of numbers, the share that differs of anything else."""
    import numpy as np

    if original is None or converted is None:
        return 0.0
    if original.shape != converted.shape:
        return 1.0
    if original.dtype.kind != "f":
        return float((original != converted).mean())
    a, b = np.nan_to_num(original.astype(np.float64)), np.nan_to_num(converted.astype(np.float64))
    return float(np.linalg.norm(a - b)) / max(float(np.linalg.norm(a)), 1e-12)
