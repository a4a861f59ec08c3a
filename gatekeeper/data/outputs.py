"""A model's outputs: which of them is judged by a metric, and all of them on disk, example by example.

Beside the judged output, `predictions.npy`, lies each other one that has a row for each example as
`output<i>.npy`, and `outputs.json`, which says what is what and why an output is not there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from gatekeeper.errors import NotMeasured
from gatekeeper.files import open_itself

CONTENTS = "outputs.json"


MOST_BYTES = 64 << 20
FileName = Annotated[str, msgspec.Meta(pattern=r"^[\w.-]+\.npy\Z")]


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in a folder of predictions. `others` are file names by output, `skipped` says why an output has none."""

    judged: str
    others: dict[str, FileName] = {}
    skipped: dict[str, str] = {}


def outputs_beside(predictions: Path) -> Outputs:
    """What lies beside a file of predictions; of a text model, nothing more."""
    found: Outputs = said_beside(predictions, CONTENTS, Outputs, Outputs(judged=""))
    return found


def said_beside(predictions: Path, name: str, kind: Any, missing: Any) -> Any:
    """What a file beside predictions says, as that type, or `missing`; `NotMeasured` where it is none that gatekeeper writes."""
    try:
        with open_itself(predictions.with_name(name)) as file:
            content = file.read(MOST_BYTES)
        return msgspec.json.decode(content, type=kind)
    except FileNotFoundError:
        return missing
    except (OSError, UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        said = (
            f"{name} beside a model's predictions is not as gatekeeper writes it ({error}). Run again with another --cache-dir."
        )
        raise NotMeasured("garbage", said) from None


def scores_of_classes(output: Any) -> bool:
    """Whether an output, [examples, ...], holds scores of several classes."""
    return bool(output.dtype.kind == "f" and output.ndim >= 2 and output.shape[-1] > 1)


def any_numbers(output: Any) -> bool:
    """Whether an output holds numbers."""
    return output.dtype.kind in "fiu"


def choose(
    names: tuple[str, ...], outputs: list[Any], wanted: str | None, fits: Callable[[Any], bool] = scores_of_classes
) -> int:
    """Index of the output to judge: the named one, else the first that fits, else the first of numbers."""
    if wanted is not None:
        if wanted not in names:
            raise NotMeasured("model", f"the model has no output '{wanted}' (it has {', '.join(names)}). Correct `model.output`.")
        return names.index(wanted)
    arrays = [_numbers(o) for o in outputs]
    for one in (fits, any_numbers):
        for i, array in enumerate(arrays):
            if array is not None and one(array):
                return i
    raise NotMeasured("model", "the model has no numeric output to judge. Name one with `model.output`.")


def _array(value: Any) -> Any | None:
    """An output as an array; None where it is a sequence, a map or ragged."""
    import numpy as np

    try:
        return None if isinstance(value, dict) else np.asarray(value)
    except ValueError:
        return None


def _numbers(value: Any) -> Any | None:
    """An output of numbers."""
    array = _array(value)
    return array if array is not None and array.dtype.kind in "biuf" else None


def _comparable(value: Any) -> Any | None:
    """An output of numbers, or of texts: then as numbers that stand for them."""
    import numpy as np

    array = _array(value)
    if array is None or array.dtype.kind in "biuf":
        return array
    if not (array.size and all(isinstance(each, (str, bytes)) for each in array.flat)):
        return None
    return np.array([_number(each) for each in array.flat], dtype=np.int64).reshape(array.shape)


def _number(text: str | bytes) -> int:
    """A number that stands for a text, the same in every process."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "big", signed=True)


def _astray(name: str, shape: tuple[int, ...], asked: int) -> str:
    """What is wrong with an output that has no row for each of so many examples, and how to say where they are."""
    said = "its first axis must be the examples"
    if asked not in shape[1:]:
        return said
    axis = shape.index(asked, 1)
    return f'{said}. Where they lie along axis {axis}, say `outputs: {{"{name}": {{batch_axis: {axis}}}}}`'


class OutputWriter:
    """Writes outputs batch by batch: nobody holds one whole. What the judged output cannot be is `NotMeasured`."""

    def __init__(self, predictions: Path, names: Sequence[str], judged: int, examples: int):
        self.predictions, self.names, self.judged, self.examples = predictions, names, judged, examples
        self._arrays: dict[int, Any] = {}
        self._skipped: dict[int, str] = {}

    def add(self, rows: slice | Any, asked: int, outputs: Sequence[Any]) -> None:
        """The outputs of a batch of `asked` examples, of which the first are those at `rows`, a slice or their numbers."""
        for i, value in enumerate(outputs[: len(self.names)]):
            if i in self._skipped:
                continue
            if problem := self._add(i, rows, asked, value):
                if i == self.judged:
                    raise NotMeasured("model", f"the output '{self.names[i]}' {problem}.")
                self._skipped[i] = f"it {problem}"
                self._arrays.pop(i, None)
                self._file(i).unlink(missing_ok=True)

    def _add(self, i: int, rows: slice | Any, asked: int, value: Any) -> str:
        """Keep it; what is in the way, in words."""
        import numpy as np

        part = _comparable(value)
        if part is None:
            return "is a sequence, a map or ragged: it has no row of numbers for each example"
        if part.ndim == 0 or len(part) != asked:
            return f"has shape {part.shape}: {_astray(self.names[i], part.shape, asked)}"
        known = self._arrays.get(i)
        if known is None:
            shape = (self.examples, *part.shape[1:])
            known = self._arrays[i] = np.lib.format.open_memmap(self._file(i), mode="w+", dtype=part.dtype, shape=shape)
        if known.shape[1:] != part.shape[1:]:
            return f"changes its shape with the input, from {known.shape[1:]} an example to {part.shape[1:]}"
        known[rows] = part[: len(known[rows])]
        return ""

    def _file(self, i: int) -> Path:
        return self.predictions if i == self.judged else self.predictions.with_name(f"output{i}.npy")

    def close(self, read: Collection[str] = ()) -> Outputs:
        """Write what is what. Outputs that the judged one turned out to be made of, `read`, are none beside it."""
        for i in [i for i in self._arrays if i != self.judged and self.names[i] in read]:
            del self._arrays[i]
            self._file(i).unlink()
        self._skipped = {i: why for i, why in self._skipped.items() if self.names[i] not in read}
        for array in self._arrays.values():
            array.flush()
        found = Outputs(
            judged=self.names[self.judged],
            others={self.names[i]: self._file(i).name for i in sorted(self._arrays) if i != self.judged},
            skipped={self.names[i]: why for i, why in sorted(self._skipped.items())},
        )
        self.predictions.with_name(CONTENTS).write_bytes(msgspec.json.encode(found))
        return found
