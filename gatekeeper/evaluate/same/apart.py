"""How far a baseline's predictions are from the reference's: every output of both, example by example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatekeeper.data.apart import Scale
from gatekeeper.data.outputs import outputs_beside
from gatekeeper.evaluate.tasks._base import Reading, judged_as
from gatekeeper.process.messages import Answer, Held, Request


class Compare(Request, frozen=True, kw_only=True):
    """Compare two files of predictions, and the outputs beside them; write the distances to `destination`."""

    reference: str
    other: str
    reading: Reading
    destination: str

    def answer(self, held: Held) -> Compared:
        """Write distances, float64 [outputs, examples]."""
        import numpy as np

        reference, other = Path(self.reference), Path(self.other)
        found, problems, left_out = distances(reference, other)
        np.save(self.destination, np.stack(list(found.values())) if found else np.zeros((0, 0)))
        return Compared(
            outputs=list(found),
            numbers=[_floats(reference, file) for name, file, _ in pairs(reference, other) if file and name in found],
            problems=problems,
            left_out=left_out,
            alike=_alike(reference, other, self.reading, bool(found)),
        )


class Compared(Answer, frozen=True, kw_only=True):
    """`outputs` are those compared, in the order of the rows, `numbers` which of them are fractions; `problems` says of others
    why the two are not alike, `left_out` why nothing can be said. `alike` is the share of examples answered with the same class;
    None where answers are no classes.
    """

    outputs: list[str]
    numbers: list[bool]
    problems: dict[str, str]
    left_out: dict[str, str]
    alike: float | None


def distances(reference: Path, other: Path, scale: Path | None = None) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """By output the distance of each example, what is wrong with others, and why others are not compared.

    `scale` are the predictions that say how far outputs spread, where `reference` are some of those only.
    """
    found, problems, left_out = {}, {}, {}
    for name, ours, theirs in pairs(reference, other):
        if ours is None:
            left_out[name] = theirs
            continue
        a, b, whole = _load(reference, ours), _load(other, theirs), _load(scale or reference, ours)
        if a.shape != b.shape:
            problems[name] = f"has shape {b.shape[1:]} an example, and {a.shape[1:]} in the reference"
            continue
        found[name] = Scale(whole).apart(a, b)
    return found, problems, left_out


def pairs(reference: Path, other: Path) -> list[tuple[str, str | None, str]]:
    """Every output of the reference: its name, its file and the other's file; or no file and why it is not compared.

    Runtimes may call an output that is a copy of another by the other's name: what no name finds is found by its place.
    """
    ours, theirs = outputs_beside(reference), outputs_beside(other)
    found: list[tuple[str, str | None, str]] = [(ours.judged, reference.name, other.name)]
    places = set(theirs.others.values())
    for name, file in ours.others.items():
        if (there := theirs.others.get(name) or (file if file in places else None)) is not None:
            found.append((name, file, there))
        else:
            found.append((name, None, theirs.skipped.get(name, "there is no output of this name")))
    return found + [(name, None, why) for name, why in ours.skipped.items()]


def _floats(beside: Path, name: str) -> bool:
    return bool(_load(beside, name).dtype.kind == "f")


def _load(beside: Path, name: str) -> Any:
    import numpy as np

    return np.load(beside.with_name(name), mmap_mode="r")


def _alike(reference: Path, other: Path, reading: Reading, compared: bool) -> float | None:
    """Of a classifier's judged output, the share of answers that are the same."""
    import numpy as np

    judged = judged_as(reading.task)
    if not compared or not judged.of_classes:
        return None
    a, b = np.load(reference), np.load(other)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    way = judged.way(a, reading)
    return judged.agreement(judged.read(a, way), judged.read(b, way)).variant
