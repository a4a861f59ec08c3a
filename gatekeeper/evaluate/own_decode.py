"""Asks the user's decode, in a process that does nothing else: it gets outputs, and what it finds in them goes into a file."""

from __future__ import annotations

from pathlib import Path

from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.process.messages import Answer, Held, Request


class AskDecode(Request, frozen=True, kw_only=True):
    """Let it find the boxes in so many batches of `count` examples, whose outputs lie in `outputs` as gatekeeper/evaluate/raw.py
    wrote them; they go to `destination` as plain float32 numbers. Neither the model nor the examples have a name here.
    """

    outputs: str
    batches: int
    names: tuple[str, ...]
    only: str | None  # the output that the file names, where it does
    count: int
    size: tuple[int, int]
    boxes: Boxes
    folder: str  # of the pipeline file; the function is imported from here
    destination: str

    def answer(self, held: Held) -> Decoded:
        """Write what it finds. Nothing else that is said here is believed: where this ran, so did the user's code."""
        import numpy as np

        from gatekeeper.evaluate.detection.decode import decoded
        from gatekeeper.evaluate.detection.layouts._base import Outputs
        from gatekeeper.evaluate.predict import arrays_of
        from gatekeeper.evaluate.raw import arrays_in

        found, read = [], set()
        for number in range(self.batches):
            arrays = arrays_in(Path(self.outputs), number)
            named = {self.names[place]: array for place, array in sorted(arrays.items())}
            outputs = Outputs(arrays_of(tuple(named), list(named.values()), self.only))
            found.append(decoded(outputs, self.boxes, self.count, self.size, Path(self.folder)))
            read |= outputs.read
        Path(self.destination).write_bytes(np.concatenate(found).astype(np.float32).tobytes())
        return Decoded(read=sorted(read))


class Decoded(Answer, frozen=True, kw_only=True):
    """Boxes were written; these outputs were read, as far as is known."""

    read: list[str]
