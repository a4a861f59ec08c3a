"""A baseline beside the reference: whether rounding explains how far they are apart, and if not, how far, and from where on."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.data.prepared import PreparedDataset, write_prepared
from gatekeeper.data.rounding import FAR, HALF, NUDGES, SMALL, explained, nudge_size, unexplained
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.evaluation import Evaluation
from gatekeeper.evaluate.same.apart import Compare, Compared
from gatekeeper.evaluate.same.first_node import FindFirst, First
from gatekeeper.evaluate.same.rounding import Moved, Nudge, Sway, Swayed
from gatekeeper.evaluate.same.standing import Standing
from gatekeeper.frameworks._spec import ModelSpec
from gatekeeper.process.messages import Done

MOST_NUDGED = 256
"""Examples that nudged models are asked, evenly drawn from those that are far."""


@dataclass(frozen=True)
class Beside:
    """A baseline beside the reference, with what both predict."""

    evaluation: Evaluation
    truth: ModelSpec
    spec: ModelSpec
    dataset: Path
    told: Path
    answers: Path

    def standing(self) -> Standing:
        """As `hold`."""
        import numpy as np

        name, theirs = self.spec.framework, self.truth.framework
        compared, rows = self._compared()
        if compared.problems:
            output, problem = next(iter(compared.problems.items()))
            raise self._another(f"the output {output} of {name} {problem}, {theirs}")
        left_out = "".join(f"; its output {output} is not compared: {why}" for output, why in compared.left_out.items())
        far = (rows > FAR).any(axis=0)
        if not far.any():
            exactly = f"it answers exactly as {theirs}"
            same = f"it answers as {theirs}: at most {rows.max():.1e} of an output's spread apart" if rows.any() else exactly
            return Standing(same + left_out)
        few, chosen = self._few(np.flatnonzero(far))
        differs = f"it answers {int(far.sum())} of {len(far)} examples otherwise than {theirs}, as that does itself when"
        rest = unexplained(rows[:, chosen], self._moved(few, compared, self._size_of_nudges))
        if explained(len(chosen), int(rest.sum()), len(far)):
            return Standing(f"{differs} its weights move by what rounding may come to{left_out}")
        numbers = np.asarray(compared.numbers)
        if (rows[:, chosen][numbers] <= SMALL).all():  # else nothing that 16 bits explain
            rest = unexplained(rows[:, chosen], self._moved(few, compared, HALF), numbers)
            if explained(len(chosen), int(rest.sum()), len(far)):
                return Standing(f"{differs} its weights move by what arithmetic in 16 bits may come to{left_out}")
        few, _ = self._few(chosen[rest])
        raise self._another(self._size(compared, rows), self._first(few))

    @property
    def _size_of_nudges(self) -> float:
        return nudge_size(self.evaluation.model, self.spec.device)

    def _compared(self) -> tuple[Compared, Any]:
        """Distances of every output, [outputs, examples]."""
        import numpy as np

        file = Path(tempfile.mkdtemp(dir=self.evaluation.space.scratch)) / "distances.npy"
        files = {"reference": str(self.told), "other": str(self.answers), "destination": str(file)}
        request = Compare(**files, reading=self.evaluation.reading(self.dataset))
        return self.evaluation.space.ask_clerk(request, Compared), np.load(file)

    def _few(self, wanted: Any) -> tuple[Path, Any]:
        """Some of the examples that are wanted, as a dataset, and their indices."""
        import numpy as np

        chosen = wanted[np.linspace(0, len(wanted) - 1, min(len(wanted), MOST_NUDGED)).astype(int)]
        folder = Path(tempfile.mkdtemp(dir=self.evaluation.space.scratch))
        inputs = PreparedDataset(self.dataset).inputs
        write_prepared(folder, {name: np.ascontiguousarray(array[chosen]) for name, array in inputs.items()}, None)
        return folder, chosen

    def _moved(self, few: Path, compared: Compared, size: float) -> Any:
        """How far nudges move the reference's answers, [outputs, examples]; by nothing where that cannot be tried."""
        import numpy as np

        outputs = compared.outputs
        nothing = np.zeros((len(outputs), PreparedDataset(few).contents.examples))
        evaluation = self.evaluation
        if evaluation.model.format != "onnx":
            return nothing
        file = few / "moved.npy"
        if evaluation.reading(self.dataset).own:
            return self._moved_apart(few, outputs, size)
        request = Sway(
            spec=self.truth,
            dataset=str(few),
            whole=str(self.told),
            size=size,
            batch_size=evaluation.batch_size(),
            output=evaluation.output,
            reading=evaluation.reading(self.dataset),
            scratch=str(evaluation.space.scratch),
            destination=str(file),
        )
        try:
            swayed = evaluation.space.ask(request, Swayed)
        except NotMeasured:  # a model that cannot be written anew has shown nothing in its favour
            return nothing
        return _rows_of(swayed, np.load(file), outputs, nothing)

    def _moved_apart(self, few: Path, outputs: list[str], size: float) -> Any:
        """The same, where code of the user's reads what the models answer: they are asked one by one."""
        import numpy as np

        evaluation, space = self.evaluation, self.evaluation.space
        nothing = np.zeros((len(outputs), PreparedDataset(few).contents.examples))
        with tempfile.TemporaryDirectory(dir=space.scratch) as folder:
            models = [Path(folder) / str(seed) / "model.onnx" for seed in range(NUDGES)]
            try:
                for seed, model in enumerate(models):
                    model.parent.mkdir()
                    space.ask(Nudge(source=self.truth.artifact, destination=str(model), seed=seed, size=size), Done)
                specs = [msgspec.structs.replace(self.truth, artifact=str(model)) for model in models]
                still = evaluation.predictions(self.truth, evaluation.identity, few)
                moved = [evaluation.predictions(spec, f"{seed} nudged by {size}", few) for seed, spec in enumerate(specs)]
                file = few / "moved.npy"
                request = Moved(still=str(still), nudged=[*map(str, moved)], whole=str(self.told), destination=str(file))
                return _rows_of(space.ask_clerk(request, Swayed), np.load(file), outputs, nothing)
            except NotMeasured:
                return nothing

    def _first(self, few: Path) -> First | None:
        """The first node where the two part; None where nothing on the way can be given out."""
        if self.evaluation.model.format != "onnx" or not self.spec.artifact.endswith(".onnx"):
            return None
        request = FindFirst(
            reference=self.truth,
            other=self.spec,
            dataset=str(few),
            batch_size=self.evaluation.batch_size() if self.evaluation.seen.fixed_batch else 4,
            scratch=str(self.evaluation.space.scratch),
        )
        try:
            return self.evaluation.space.ask(request, First)
        except NotMeasured:
            return None

    def _size(self, compared: Compared, rows: Any) -> str:
        """How far the baseline is from the reference, as people would say it."""
        import numpy as np

        name, theirs = self.spec.framework, self.truth.framework
        if compared.alike is not None and compared.alike < 1 - FAR:
            return f"{name} answers {compared.alike:.1%} of the evaluation set as {theirs} does{self._scores()}"
        worst = int(np.argmax((rows > FAR).sum(axis=1)))
        count, row = int((rows[worst] > FAR).sum()), rows[worst]
        lost = int(np.isinf(row).sum())
        distance = float(np.median(row[np.isfinite(row) & (row > FAR)])) if lost < count else 0.0
        said = f"{distance:.3g} of its own spread" if distance else "beyond measure (a NaN, or infinite, on one side)"
        return (
            f"the output {compared.outputs[worst]} of {name} is away from {theirs}'s by {said} in {count} of {len(row)} examples"
        )

    def _scores(self) -> str:
        """What the metric makes of both, where it has a value."""
        try:
            found = self.evaluation.compare(self.dataset, self.told, self.answers)
        except NotMeasured:
            return ""
        if found.agreement or found.baseline is None or found.variant is None:
            return ""
        of_one = 0 <= found.variant <= 1 and 0 <= found.baseline <= 1
        ours, theirs = (f"{v:.1%}" if of_one else f"{v:.4g}" for v in (found.variant, found.baseline))
        return f" ({found.metric} {ours} where {self.truth.framework} has {theirs})"

    def _another(self, size: str, first: First | None = None) -> NotMeasured:
        name = self.spec.framework
        at = ""
        if first is not None and first.node:
            at = f" The first node where they part is {first.node} ({first.operator}), in {first.share:.0%} of its numbers."
        return NotMeasured(
            "model",
            f"{size}; its baseline is not this model, and what keeps its answers keeps nothing.{at} Export the model otherwise, "
            f"or leave {name} out.",
        )


def _rows_of(swayed: Swayed, moved: Any, outputs: list[str], nothing: Any) -> Any:
    """Distances in the order of these outputs, [outputs, examples]."""
    import numpy as np

    rows = dict(zip(swayed.outputs, moved, strict=True))
    return np.stack([rows.get(output, nothing[0]) for output in outputs])
