"""How far rounding alone moves the reference's answers: the reference against itself, its weights nudged."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from gatekeeper.data.rounding import NUDGES
from gatekeeper.evaluate.predict import Predict, predict
from gatekeeper.evaluate.same.apart import distances
from gatekeeper.evaluate.tasks._base import Reading
from gatekeeper.frameworks._spec import ModelSpec
from gatekeeper.process.messages import Answer, Done, Held, Request


class Sway(Request, frozen=True, kw_only=True):
    """Ask the reference `spec` and nudged copies of it the examples of `dataset`, and write how far they move, at most.

    `whole` are the reference's predictions on all examples, which say how far outputs spread. `scratch` is a folder to work in.
    """

    spec: ModelSpec
    dataset: str
    whole: str
    size: float
    batch_size: int
    output: str | None
    reading: Reading
    scratch: str
    destination: str

    def answer(self, held: Held) -> Swayed:
        """Write distances, float64 [outputs, examples], in the order of `outputs`."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            still = self._predict(self.spec, Path(folder) / "still")
            return _swayed(still, self._nudged(Path(folder)), Path(self.whole), self.destination)

    def _nudged(self, folder: Path) -> Iterator[Path]:
        """Predictions of nudged copies, one by one."""
        from gatekeeper.frameworks._onnx_nudge import nudge

        for seed in range(NUDGES):
            at = folder / f"nudged{seed}"
            at.mkdir()
            nudge(Path(self.spec.artifact), at / "model.onnx", seed, self.size)
            yield self._predict(msgspec.structs.replace(self.spec, artifact=str(at / "model.onnx")), at / "answers")

    def _predict(self, spec: ModelSpec, folder: Path) -> Path:
        folder.mkdir()
        request = Predict(
            spec=spec,
            dataset=self.dataset,
            destination=str(folder / "predictions.npy"),
            batch_size=self.batch_size,
            output=self.output,
            reading=self.reading,
        )
        predict(request)
        return folder / "predictions.npy"


class Nudge(Request, frozen=True, kw_only=True):
    """Write a nudged copy of a model, as `Sway` makes it."""

    source: str
    destination: str
    seed: int
    size: float

    def answer(self, held: Held) -> Done:
        """Write it."""
        from gatekeeper.frameworks._onnx_nudge import nudge

        nudge(Path(self.source), Path(self.destination), self.seed, self.size)
        return Done()


class Moved(Request, frozen=True, kw_only=True):
    """Write how far the predictions of nudged copies are from the reference's `still`, as `Sway` does. These were read apart,
    where code of the user's reads them.
    """

    still: str
    nudged: list[str]
    whole: str
    destination: str

    def answer(self, held: Held) -> Swayed:
        """Write distances."""
        return _swayed(Path(self.still), map(Path, self.nudged), Path(self.whole), self.destination)


class Swayed(Answer, frozen=True, kw_only=True):
    """Distances were written, a row for each of these outputs."""

    outputs: list[str]


def _swayed(still: Path, nudged: Iterable[Path], whole: Path, destination: str) -> Swayed:
    """Write by how much answers move, at most."""
    import numpy as np

    moved, names = None, list[str]()
    for other in nudged:
        found, problems, _ = distances(still, other, whole)
        names = names or [*found, *problems]
        rows = np.stack([found[n] if n in found else np.full(len(next(iter(found.values()))), np.inf) for n in names])
        moved = rows if moved is None else np.maximum(moved, rows)
    np.save(destination, moved if moved is not None else np.zeros((0, 0)))
    return Swayed(outputs=names)
