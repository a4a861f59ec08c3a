"""Corruptions: what happens to inputs in the field and not in an evaluation set, done to every example on purpose.

A corruption is a module of this folder; its file name is what `gates.robustness.corruptions` says. It has:

DESCRIPTION  what it does, for the reference
TAKES        the inputs that it can act on: `numbers` (of floats or bytes), `images` (numbers with height and width) or `texts`
Options      how much of it, an `Amount` of described fields that all have defaults: a bare name means these
corrupt(example, options, about, draw) -> example   of one example: numbers as float64 of one shape, or a text. `about` is the
             input's own scale (of a text None), `draw` a numpy generator

And where what a model is asked to read, and nothing more, is nothing to it:

ASKED        whether of a text model's lines it takes questions alone

What comes back is kept within the numbers that the input has in the whole set, and within its type: no corruption needs to know
either. `draw` begins with the example's own content: copies stay copies, the order of a set changes nothing, and every model gets
the same bytes (gatekeeper/data/corrupted.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from gatekeeper.models.info import TEXT, TensorInfo
from gatekeeper.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REGISTRY = Registry("data.corruptions", ("DESCRIPTION", "TAKES", "Options", "corrupt"))

Kind = Literal["numbers", "images", "texts"]

WORDS: Mapping[Kind, str] = {
    "numbers": "inputs of floats or bytes",
    "images": "images (floats or bytes with height and width)",
    "texts": "texts",
}
IMAGE_TASKS = ("image_classification", "semantic_segmentation", "object_detection")
"""Tasks of which an example of two axes is an image without channels."""
FEW = 4
"""Channels of an image, at most: an axis so short is none of height or width."""


class Amount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of options; an unknown one is an error."""


class Corruption(msgspec.Struct, frozen=True):
    """A corruption that is asked for: its name, and what of its options is not as usual."""

    name: str
    options: dict[str, Any] = {}

    @property
    def label(self) -> str:
        """As reports name it: `blur (radius 2)`."""
        known = {key: f"{value:g}" if isinstance(value, float) else value for key, value in sorted(self.options.items())}
        said = ", ".join(f"{key} {value}" for key, value in known.items())
        return f"{self.name} ({said})" if said else self.name

    def amount(self) -> Any:
        """Its options, whole."""
        return msgspec.convert(self.options, REGISTRY.get(self.name).Options)


@dataclass(frozen=True)
class About:
    """The scale of one input over the whole set, each of a shape that broadcasts with an example: of a table's columns, one by
    one; of other inputs, one number. `plane` are the axes of an example that are height and width, `channels` that of channels.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    spread: NDArray[np.float64]
    plane: tuple[int, ...] = ()
    channels: int | None = None


def corruption(name: str) -> ModuleType:
    """The module of that name."""
    return REGISTRY.get(name)


def asked(said: str | Mapping[str, Any]) -> Corruption:
    """Of what stands in the file: a name, or a name with its options."""
    if isinstance(said, str):
        return Corruption(said)
    [(name, options)] = said.items()
    return Corruption(name, dict(options or {}))


def kinds(dtype: str, axes: int, task: str | None) -> set[Kind]:
    """What an input, of such a type and so many axes with that of the examples, is to a corruption; nothing of numbers that are
    counted, such as tokens and categories.
    """
    if dtype == TEXT:
        return {"texts"}
    if not (dtype.startswith("float") or dtype in ("int8", "uint8")):
        return set()
    image = axes == 4 or (axes == 3 and task in IMAGE_TASKS)
    return {"numbers", "images"} if image else {"numbers"}


def fitting(inputs: Sequence[TensorInfo], text: bool, task: str | None) -> list[str]:
    """The corruptions that can act on a model, by its inputs: a text model reads texts."""
    found: set[Kind] = {"texts"} if text else set()
    for each in [] if text else inputs:
        found |= kinds(each.dtype, len(each.shape), task)
    return [name for name in REGISTRY.names if corruption(name).TAKES in found]


def layout(shape: Sequence[int]) -> tuple[tuple[int, ...], int | None]:
    """Height and width of an image of that shape, without the axis of examples, and where its channels are."""
    if len(shape) == 2:
        return (0, 1), None
    last = shape[-1] <= FEW and not (shape[0] <= FEW < min(shape[1:]))
    return ((0, 1), 2) if last else ((1, 2), 0)
