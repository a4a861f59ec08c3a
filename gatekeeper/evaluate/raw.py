"""Runs a model whose outputs a function of the user's reads, and keeps what it answers: no code of the user's is here.

What the function gets lies in files, a few batches at a time, in an order that it is not told: which examples they are, and of
which model, it must tell from the numbers themselves. What it says of them comes back as numbers, and is put beside the outputs
that it does not read, which it could never write.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatekeeper.data.outputs import OutputWriter
from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate import heaviest
from gatekeeper.evaluate.detection.form import MOST, WIDTH
from gatekeeper.evaluate.predict import Predict, Predicted, beside
from gatekeeper.files import open_itself
from gatekeeper.frameworks._spec import open_session
from gatekeeper.process.messages import Answer, Done, Held, Request

MOST_BYTES = 256 << 20
"""Outputs that lie in files at once, where a batch is not larger by itself: those of a detector may be megabytes an image."""
LEARNED = 16
"""Batches that every model is asked first: from what changes in their boxes it is learned which outputs are read."""
OUT_OF_TURN = "no model was opened"


class OpenRaw(Request, frozen=True, kw_only=True):
    """Open a model to ask it the examples in an order that comes of two seeds; the answer tells how many batches there are.

    A few of the first are those of `first` for every model, so that of all the same is learned about the decode; the others come
    as `rest` draws them, which is another seed for each model.
    """

    predict: Predict
    first: int
    rest: int

    def answer(self, held: Held) -> Opened:
        """Keep it for what follows."""
        held.put(raw := Raw(self.predict, order_of(self)))
        return Opened(batches=raw.data.batches(self.predict.batch_size))


class Opened(Answer, frozen=True, kw_only=True):
    """It is open."""

    batches: int


class RunRaw(Request, frozen=True, kw_only=True):
    """Ask it the batches from `first` on, until their outputs are many; each goes into a file of `folder`, see `raw_file`."""

    first: int
    folder: str

    def answer(self, held: Held) -> RanRaw:
        """Write outputs."""
        return held.get(Raw, OUT_OF_TURN).run(self.first, Path(self.folder))


class RanRaw(Answer, frozen=True, kw_only=True):
    """So many batches were asked, of images of that height and width, by a model of these outputs."""

    batches: int
    size: tuple[int, int]
    names: tuple[str, ...]


class KeepRaw(Request, frozen=True, kw_only=True):
    """Keep what these batches answered, of whose outputs those in `read` come to the boxes in that file."""

    first: int
    batches: int
    folder: str
    boxes: str
    read: list[str]

    def answer(self, held: Held) -> Done:
        """Write predictions."""
        held.get(Raw, OUT_OF_TURN).keep(self)
        return Done()


class CloseRaw(Request, frozen=True, kw_only=True):
    """All batches are kept: say what is what."""

    def answer(self, held: Held) -> Predicted:
        """Write what lies beside the predictions."""
        return held.get(Raw, OUT_OF_TURN).close()


class Raw:
    """A model that is open, and what is kept of it so far."""

    def __init__(self, request: Predict, order: Any):
        self.request, self.data = request, PreparedDataset(Path(request.dataset))
        self.session, self.watch = open_session(request.spec), heaviest.Watch()
        self.order = order
        self.writer: OutputWriter | None = None
        self.read: set[str] = set()
        self.odd: dict[tuple[int, int], Any] = {}  # outputs that no file of arrays holds, by batch and place

    def _rows(self, index: int) -> Any:
        """The examples of a batch."""
        size = self.request.batch_size
        return self.order[index * size : (index + 1) * size]

    def run(self, first: int, folder: Path) -> RanRaw:
        """As `RunRaw`."""
        import numpy as np

        from gatekeeper.evaluate.detection.decode import image_size

        taken, batches, size = 0, 0, (1, 1)
        while first + batches < self.data.batches(self.request.batch_size) and taken < MOST_BYTES:
            index = first + batches
            feed = self.data.chosen(self._rows(index), self.request.batch_size)
            outputs = list(self.session.run(feed))
            self.watch.saw(int(self._rows(index)[0]) // self.request.batch_size)
            shown = {}
            for place, value in enumerate(outputs):
                plain = isinstance(value, np.ndarray) and not value.dtype.hasobject
                if not plain:
                    self.odd[index, place] = value
                shown[str(place)] = value if plain else _texts(value)
            np.savez(raw_file(folder, batches), **{key: value for key, value in shown.items() if value is not None})
            taken += sum(value.nbytes for value in shown.values() if value is not None)
            batches, size = batches + 1, image_size(feed)
        self.watch.skip()
        return RanRaw(batches=batches, size=size, names=tuple(self.session.outputs))

    def keep(self, request: KeepRaw) -> None:
        """As `KeepRaw`."""
        names, asked, examples = self.session.outputs, self.request.batch_size, self.data.contents.examples
        read = set(request.read) & set(names)
        found = boxes_in(Path(request.boxes), request.batches * asked)
        self.read |= read
        for number in range(request.batches):
            index, rows = request.first + number, self._rows(request.first + number)
            together = "boxes", found[number * asked : (number + 1) * asked], read
            arrays = arrays_in(Path(request.folder), number)
            places = ((index, place) for place in range(len(names)))
            outputs = [self.odd.pop(each) if each in self.odd else arrays[each[1]] for each in places]
            left, values = beside(together, self.writer, names, outputs)
            if self.writer is None:
                self.writer = OutputWriter(Path(self.request.destination), left, 0, examples)
            self.writer.add(rows, asked, values)
        self.watch.skip()

    def close(self) -> Predicted:
        """As `CloseRaw`."""
        if self.writer is None:
            raise NotMeasured("data", "the evaluation set has no examples.")
        heaviest.write(Path(self.request.destination).parent, self.watch)
        return Predicted(output=self.writer.close(self.read).judged, examples=self.data.contents.examples)


def order_of(request: OpenRaw) -> Any:
    """The numbers of the examples in that order: an example may be in any batch, and at any place in it."""
    import numpy as np

    examples, size = PreparedDataset(Path(request.predict.dataset)).contents.examples, request.predict.batch_size
    order = np.random.default_rng(request.first).permutation(examples)
    alike = min(LEARNED, examples // size // 4) * size
    return np.concatenate([order[:alike], np.random.default_rng(request.rest).permutation(order[alike:])])


def raw_file(folder: Path, number: int) -> Path:
    """Where the outputs of a batch lie, each under its place among them."""
    return folder / f"{number}.npz"


def arrays_in(folder: Path, number: int) -> dict[int, Any]:
    """The outputs of a batch that are arrays, by their place."""
    import numpy as np

    with np.load(raw_file(folder, number)) as found:
        return {int(key): found[key] for key in found.files}


def boxes_in(file: Path, count: int) -> Any:
    """Boxes [count, MOST, WIDTH] that a process has left in which the user's code ran; `NotMeasured` where they are none."""
    import numpy as np

    shape = (count, MOST, WIDTH)
    size = int(np.prod(shape)) * np.dtype(np.float32).itemsize
    try:
        with open_itself(file) as stream:
            content = stream.read(size + 1)
    except OSError:
        content = b""
    if len(content) != size:
        raise NotMeasured("garbage", "the decode left something else than boxes. Let it return them, and no more.")
    return np.frombuffer(content, np.float32).reshape(shape)


def _texts(value: Any) -> Any:
    """An output of texts as an array that a file can hold; None where it is another thing."""
    import numpy as np

    if not isinstance(value, np.ndarray) or not all(isinstance(each, str) for each in value.flat):
        return None
    return value.astype(str)
