"""A dataset as plain arrays on disk: one .npy per model input, and the labels.

Every worker reads this form, whatever the user's format was; it is memory-mapped, so nobody holds it whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.data.distinct import distinct
from gatekeeper.errors import NotMeasured
from gatekeeper.models.layout import Layout

IGNORED = -100
"""A label that says that nobody asks: of padding, or of what nobody has labelled."""

FORM = 9
"""Counts up when a prepared folder comes to hold something else: one that was kept from before is then made again."""


class PreparedContents(msgspec.Struct, frozen=True):
    """What lies in the folder: input names in order, the number of examples, and of those with other inputs, whether there are
    labels, names of slices; and how the model takes such examples.
    """

    inputs: list[str]
    examples: int
    labelled: bool
    slices: list[str] = []
    label_shape: tuple[int, ...] = ()  # of one example
    layout: Layout = Layout()
    distinct: int = 0


class PreparedDataset:
    """Reads a prepared folder. Arrays have shape [examples, ...], in the model's own element types."""

    def __init__(self, folder: Path):
        import numpy as np

        self.contents = msgspec.json.decode((folder / "contents.json").read_bytes(), type=PreparedContents)
        self.inputs: dict[str, Any] = {
            name: np.load(folder / f"input{i}.npy", mmap_mode="r") for i, name in enumerate(self.contents.inputs)
        }
        self.labels: Any = np.load(folder / "labels.npy") if self.contents.labelled else None
        self.slices: dict[str, Any] = {name: np.load(folder / f"slice{i}.npy") for i, name in enumerate(self.contents.slices)}

    def whole_batches(self, size: int) -> int:
        """How many batches of exactly `size` examples there are, for a model that fixes it; `NotMeasured` if none."""
        if count := self.contents.examples // size:
            return count
        raise NotMeasured("data", f"the calibration set has fewer examples than the model's batch of {size}. Add some.")

    def batch(self, index: int, size: int) -> dict[str, Any]:
        """The feed of `size` consecutive examples that is number `index`; the last one may be smaller."""
        import numpy as np

        start = index * size
        return {name: np.ascontiguousarray(array[start : start + size]) for name, array in self.inputs.items()}

    def own_batch(self, index: int, size: int) -> dict[str, Any]:
        """The same as the model itself takes it, for what runs it without gatekeeper's session around it."""
        return self.contents.layout.feed(self.batch(index, size))

    def whole_batch(self, index: int, size: int) -> dict[str, Any]:
        """The same, the last one filled up with its own examples: models with a fixed batch cannot take a smaller one."""
        return self.chosen(slice(index * size, (index + 1) * size), size)

    def chosen(self, rows: slice | Any, size: int) -> dict[str, Any]:
        """The same of the examples at `rows`, a slice or their numbers."""
        import numpy as np

        feed = {name: np.ascontiguousarray(array[rows]) for name, array in self.inputs.items()}
        if len(next(iter(feed.values()))) == size:
            return feed
        return {name: np.resize(array, (size, *array.shape[1:])) for name, array in feed.items()}

    def batches(self, size: int) -> int:
        """How many feeds there are of that size, with the last one."""
        return -(-self.contents.examples // size)

    def feeds(self, batch_size: int) -> Iterator[dict[str, Any]]:
        """Feeds of `batch_size` consecutive examples; the last one may be smaller."""
        for index in range(self.batches(batch_size)):
            yield self.batch(index, batch_size)


def check_prepared(folder: Path, whose: str) -> None:
    """`NotMeasured` for a folder in which the user's code has worked, and that is none of this form any more."""
    import numpy as np

    try:
        data = PreparedDataset(folder)
        arrays = [*data.inputs.values(), *data.slices.values(), *([] if data.labels is None else [data.labels])]
        whole = bool(data.inputs) and all(isinstance(each, np.ndarray) and each.ndim for each in arrays)
        whole = whole and all(len(each) == data.contents.examples for each in arrays)
        why = "" if whole else ": its arrays are not of the same examples"
    except (OSError, ValueError, MemoryError, msgspec.MsgspecError) as error:
        whole, why = False, f": {type(error).__name__}"
    if not whole:
        raise NotMeasured("garbage", f"'{whose}' left something else than a dataset{why}. Let it return arrays, and no more.")


def write_prepared(
    folder: Path, inputs: dict[str, Any], labels: Any, slices: dict[str, Any] | None = None, layout: Layout | None = None
) -> PreparedContents:
    """Write arrays in this form; `labels` may be None. `slices` hold a group's name for each example."""
    import numpy as np

    for i, array in enumerate(inputs.values()):
        np.save(folder / f"input{i}.npy", array)
    if labels is not None:
        np.save(folder / "labels.npy", labels)
    slices = slices or {}
    for i, groups in enumerate(slices.values()):
        np.save(folder / f"slice{i}.npy", groups)
    examples = len(next(iter(inputs.values())))
    contents = PreparedContents(
        inputs=list(inputs),
        examples=examples,
        labelled=labels is not None,
        slices=list(slices),
        label_shape=() if labels is None else labels.shape[1:],
        layout=layout or Layout(),
        distinct=int(distinct(inputs).max()) + 1 if examples else 0,
    )
    (folder / "contents.json").write_bytes(msgspec.json.encode(contents))
    return contents
