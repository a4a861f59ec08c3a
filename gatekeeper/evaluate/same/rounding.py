"""How far rounding alone moves the reference's answers: the reference against itself, its weights nudged."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec

from gatekeeper.data.rounding import NUDGES
from gatekeeper.evaluate.predict import Predict, predict
from gatekeeper.evaluate.same.apart import distances
from gatekeeper.evaluate.tasks._base import Reading
from gatekeeper.frameworks._spec import ModelSpec
from gatekeeper.process.messages import Answer, Held, Request


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
        import numpy as np

        from gatekeeper.frameworks._onnx_nudge import nudge

        source, moved = Path(self.spec.artifact), None
        names: list[str] = []
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            still = self._predict(self.spec, Path(folder) / "still")
            for seed in range(NUDGES):
                at = Path(folder) / f"nudged{seed}"
                at.mkdir()
                nudge(source, at / "model.onnx", seed, self.size)
                other = self._predict(msgspec.structs.replace(self.spec, artifact=str(at / "model.onnx")), at / "answers")
                found, problems, _ = distances(still, other, Path(self.whole))
                names = names or [*found, *problems]
                rows = np.stack([found[n] if n in found else np.full(len(next(iter(found.values()))), np.inf) for n in names])
                moved = rows if moved is None else np.maximum(moved, rows)
        np.save(self.destination, moved if moved is not None else np.zeros((0, 0)))
        return Swayed(outputs=names)

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


class Swayed(Answer, frozen=True, kw_only=True):
    """Distances were written, a row for each of these outputs."""

    outputs: list[str]
