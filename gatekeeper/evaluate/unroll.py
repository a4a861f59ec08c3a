"""Examples that are sequences, as the single steps that a quantizer calibrates on: each with the state that it came to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.data.prepared import PreparedContents, PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._laid import unrolled
from gatekeeper.frameworks._spec import ModelSpec, open_session
from gatekeeper.process.messages import Answer, Held, Request


class Unroll(Request, frozen=True, kw_only=True):
    """Run the model `spec` over the sequences of a prepared dataset, and write what it was given step by step."""

    spec: ModelSpec
    dataset: str
    destination: str
    batch_size: int

    def answer(self, held: Held) -> Unrolled:
        """Write the steps."""
        return unroll(self)


class Unrolled(Answer, frozen=True, kw_only=True):
    """A dataset was written in which every step is an example."""

    steps: int


def unroll(request: Unroll) -> Unrolled:
    """Write [examples x steps, ...] of every input, the states among them, in the form of a prepared dataset."""
    import numpy as np

    dataset, folder = PreparedDataset(Path(request.dataset)), Path(request.destination)
    layout = dataset.contents.layout
    session = open_session(msgspec.structs.replace(request.spec, layout=type(layout)()))
    files: dict[str, Any] = {}
    examples, steps = dataset.contents.examples, next(iter(dataset.inputs.values())).shape[1]
    if not steps:
        raise NotMeasured("data", "the calibration set's sequences have no steps. Give some.")
    for index in range(dataset.batches(request.batch_size)):
        begin = index * request.batch_size
        kept = min(request.batch_size, examples - begin)
        feed = dataset.whole_batch(index, request.batch_size)
        for step, (taken, _) in enumerate(unrolled(session, layout, feed)):
            for name, array in taken.items():
                if name not in files:
                    place, shape = folder / f"input{len(files)}.npy", (examples * steps, *array.shape[1:])
                    files[name] = np.lib.format.open_memmap(place, mode="w+", dtype=array.dtype, shape=shape)
                rows = (begin + np.arange(kept)) * steps + step
                files[name][rows] = array[:kept]
    for array in files.values():
        array.flush()
    contents = PreparedContents(inputs=list(files), examples=examples * steps, labelled=False, layout=layout.one_step)
    (folder / "contents.json").write_bytes(msgspec.json.encode(contents))
    return Unrolled(steps=examples * steps)
