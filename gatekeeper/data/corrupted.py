"""A prepared set under a corruption: the same examples and labels, with other inputs; and the proof that they are others.

What is drawn for an example begins with its content, so that copies stay copies and every model is asked the same.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.data.corruptions._base import FEW, WORDS, About, Corruption, corruption, kinds, layout
from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.data.texts import is_text, raw
from gatekeeper.errors import NotMeasured
from gatekeeper.models.info import TEXT
from gatekeeper.process.messages import Answer, Done, Held, Request
from gatekeeper.records.corrupted import CHARACTERS, SPREAD, Arrived, far

FILE = "corrupted.json"
STEP = 256
"""Examples that are looked at together for the scale of an input."""


class Corrupt(Request, frozen=True, kw_only=True):
    """Write a prepared set under a corruption into an empty folder."""

    dataset: str
    destination: str
    corruption: Corruption
    seed: int
    task: str | None

    def answer(self, held: Held) -> Answer:
        """Write it; `NotMeasured` where nothing of it can be corrupted so, or next to nothing was."""
        corrupt_set(Path(self.dataset), Path(self.destination), self.corruption, self.seed, self.task)
        return Done()


def corrupt_set(dataset: Path, folder: Path, asked: Corruption, seed: int, task: str | None) -> Arrived:
    """Every input that the corruption takes; the others, the labels and the groups stay as they are."""
    import numpy as np

    data, module = PreparedDataset(dataset), corruption(asked.name)
    own = {
        name: i
        for i, (name, array) in enumerate(data.inputs.items())
        if module.TAKES in kinds(TEXT if is_text(array) else str(array.dtype), array.ndim, task)
    }
    if not own:
        has = ", ".join(f"'{name}' ({array.dtype}, {array.ndim - 1} axes an example)" for name, array in data.inputs.items())
        raise NotMeasured("data", f"{asked.label} acts on {WORDS[module.TAKES]}, and the model's inputs are {has}. Leave it out.")
    for file in dataset.iterdir():
        if file.name not in {f"input{i}.npy" for i in own.values()}:
            shutil.copyfile(file, folder / file.name)
    changed, found = np.zeros(data.contents.examples, bool), {}
    for name, i in own.items():
        array = data.inputs[name]
        if is_text(array):
            others = _texts(array, asked, seed)
            np.save(folder / f"input{i}.npy", others)
            found[name] = _apart(array, others)
        else:
            others = np.lib.format.open_memmap(folder / f"input{i}.npy", mode="w+", dtype=array.dtype, shape=array.shape)
            found[name] = _numbers(array, others, asked, seed)
        changed |= [raw(a) != raw(b) for a, b in zip(array, others, strict=True)]
    unit = CHARACTERS if module.TAKES == "texts" else SPREAD
    still = [name for name in data.inputs if name not in found or not far(found[name], unit)]
    by = max(found.values())
    return write_arrived(folder, asked, Arrived(changed=int(changed.sum()), examples=len(changed), by=by, unit=unit, still=still))


def write_arrived(folder: Path, asked: Corruption, arrived: Arrived) -> Arrived:
    """Beside what is corrupted; `NotMeasured` where it is as good as before. Whether the baseline reads it is seen later."""
    if not arrived.moved:
        said = arrived.lacking.removeprefix("it ")
        raise NotMeasured("data", f"{asked.label} {said}, which says nothing of a model. Choose another, or more.")
    (folder / FILE).write_bytes(msgspec.json.encode(arrived))
    return arrived


def read_arrived(folder: Path) -> Arrived:
    """Beside a corrupted set."""
    return msgspec.json.decode((folder / FILE).read_bytes(), type=Arrived)


def texts_of(texts: Iterable[str], asked: Corruption, seed: int) -> list[str]:
    """Each text under the corruption."""
    module, amount = corruption(asked.name), asked.amount()
    return [module.corrupt(text, amount, None, draws(text.encode("utf-8", "surrogatepass"), seed)) for text in texts]


def draws(content: bytes, seed: int) -> Any:
    """A generator of an example's own."""
    import numpy as np

    return np.random.default_rng([seed, int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())])


def differing(before: str, after: str) -> int:
    """How many characters two texts do not have in common, at least: what is between a common beginning and a common end."""
    shared = min(len(before), len(after))
    start = next((i for i in range(shared) if before[i] != after[i]), shared)
    end = next((i for i in range(shared - start) if before[-1 - i] != after[-1 - i]), shared - start)
    inner = before[start : len(before) - end], after[start : len(after) - end]
    same = sum(a == b for a, b in zip(*inner, strict=False))
    return max(map(len, inner)) - same


def _texts(array: Any, asked: Corruption, seed: int) -> Any:
    import numpy as np

    return np.array(texts_of(array.reshape(-1).tolist(), asked, seed), dtype=str).reshape(array.shape)


def _apart(before: Any, after: Any) -> float:
    """Share of the characters that differ."""
    pairs = list(zip(before.reshape(-1).tolist(), after.reshape(-1).tolist(), strict=True))
    return sum(differing(*pair) for pair in pairs) / max(1, sum(len(each) for each, _ in pairs))


def _numbers(array: Any, others: Any, asked: Corruption, seed: int) -> float:
    """Write every example into `others`; how far they are from what they were, root mean square, in standard deviations."""
    import numpy as np

    module, amount, about = corruption(asked.name), asked.amount(), _about(array)
    limits = np.iinfo(array.dtype) if array.dtype.kind in "iu" else None
    squares = spreads = 0.0
    for i, example in enumerate(array):
        own = example.astype(np.float64)
        found = np.clip(module.corrupt(own, amount, about, draws(raw(example + 0), seed)), about.low, about.high)
        others[i] = found if limits is None else np.round(found)
        squares += float(((others[i].astype(np.float64) - own) ** 2).sum())
        spreads += float(np.broadcast_to(about.spread**2, own.shape).sum())
    return float(np.sqrt(squares / spreads)) if spreads else 0.0


def _about(array: Any) -> About:
    """The scale of an input, [examples, ...]: of each column where that is all there is, else of all its numbers."""
    import numpy as np

    axes: Any = 0 if array.ndim == 2 else None
    low, high = (np.asarray(of(array, axis=axes), dtype=np.float64) for of in (np.min, np.max))
    count = len(array) if array.ndim == 2 else array.size
    mean = _sum(array, axes, lambda part: part) / count
    spread = np.sqrt(_sum(array, axes, lambda part: (part - mean) ** 2) / count)
    shape = array.shape[1:]
    plane, channels = layout(shape) if len(shape) == 3 or (len(shape) == 2 and min(shape) > FEW) else ((), None)
    return About(low=low, high=high, spread=spread, plane=plane, channels=channels)


def _sum(array: Any, axes: Any, of: Callable[[Any], Any]) -> Any:
    """The sum over examples of what `of` makes of them, a few of them in memory at a time."""
    import numpy as np

    parts = (array[i : i + STEP].astype(np.float64) for i in range(0, len(array), STEP))
    return sum(np.sum(of(part), axis=axes) for part in parts)
