"""What the inspectors share: opening a file that may not be what its name says, and what is the same in all text models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gatekeeper.errors import NotMeasured
from gatekeeper.files import FETCH, is_pointer
from gatekeeper.models.info import TensorInfo

FLOATS = {"float32", "float16", "bfloat16", "float64"}


LICENSE_KEYS = ("license", "licence", "model_license")
"""What exporters call the licence among a model's metadata; ONNX says `model_license`."""
MOST_LICENSE = 1000
"""Characters of a licence's name that are kept."""

PAST_END, AMBIGUOUS, ENTITIES = "past_end", "ambiguous", "entities"
"""Ways of not being true that a sound exporter never has: what a header says reaches past the file, readers could take the file
for different models, it makes its reader expand it.
"""


class Malformed(ValueError):
    """The bytes are not the model they claim to be; `lie` is the way, where it is one that misleads."""

    def __init__(self, message: str, lie: str = ""):
        super().__init__(message)
        self.lie = lie


@contextmanager
def opened(path: Path, kind: str, again: str) -> Iterator[tuple[BinaryIO, int]]:
    """The file, at its start, and its size in bytes; `NotMeasured` (kind model) if it cannot be what it should.

    So does a `Malformed` that is raised while it is open. `again` is how a sound file is made: Export, Convert ...
    """
    try:
        if not path.is_file():
            raise NotMeasured("model", f"{path}: not a file that can be read. {again} the model again.")
        size = path.stat().st_size
        if size == 0:
            raise NotMeasured("model", f"{path}: the file is empty. {again} the model again.")
        if is_pointer(path):
            raise NotMeasured("model", f"{path}: a Git LFS pointer, not the model. {FETCH}")
        with path.open("rb") as file:
            yield file, size
    except Malformed as error:
        raise NotMeasured(
            "model", f"{path}: not a readable {kind} ({error}). {again} it again, or check that the copy is complete."
        ) from None
    except OSError as error:
        raise NotMeasured("model", f"{path}: cannot be read: {error.strerror}. Check its permissions and its disk.") from None


def tokens_in() -> list[TensorInfo]:
    """The inputs of a text model."""
    return [TensorInfo(name="tokens", dtype="int64", shape=["batch", "sequence"])]


def logits_out(vocabulary: int) -> list[TensorInfo]:
    """The outputs of a text model; `vocabulary` is 0 if it is not known."""
    return [TensorInfo(name="logits", dtype="float32", shape=["batch", "sequence", vocabulary or None])]


def mostly_quantized(weights: Mapping[str, int]) -> bool:
    """Whether more than half of the weights, counted by type, are in a type that arithmetic does not use as it is."""
    return sum(count for name, count in weights.items() if name not in FLOATS) * 2 > sum(weights.values())
