"""What is known of a model file without running it."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from gatekeeper.records.base import Record

NO_TENSORS = {"sequence": "a sequence", "map": "a map", "sparse": "a sparse tensor", "optional": "an optional value"}
"""What an input or output may be in place of a tensor, in words."""

TEXT = "string"
"""The element type of texts."""


def fixed(length: int | str | None) -> bool:
    """Whether a dimension is known and does not vary."""
    return isinstance(length, int) and length > 0


class TensorInfo(Record, frozen=True, kw_only=True):
    """An input or output. A dimension is a number, a symbolic name, or None when unknown."""

    name: str
    dtype: str
    shape: list[int | str | None]
    scalar: bool = False  # known to have no axes, where an empty shape else says that none are known

    @property
    def dynamic(self) -> bool:
        """Whether an axis may vary."""
        return not all(map(fixed, self.shape))

    @property
    def shown(self) -> str:
        """Its shape, for people."""
        return f"[{', '.join('?' if each is None else str(each) for each in self.shape)}]"


class TextInfo(Record, frozen=True, kw_only=True):
    """What is known of a model that writes text. A number nobody states is 0."""

    family: str  # as Hugging Face's config.json calls it: llama, mistral, qwen2, qwen3, phi3 ...
    dtype: str  # of most weights: float32, float16, bfloat16, q4_k ...
    vocabulary: int
    context: int  # tokens it was trained for
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    row_lengths: list[int]  # distinct lengths of the rows that block-wise quantizers cut up, ascending
    head: int = 0  # numbers in an attention head
    end: list[int] = []  # ids of the tokens that end a text
    tokenizer: str = ""  # "tokenizer.json", or the kind a .gguf names; empty if there is none


class Assessment(Record, frozen=True, kw_only=True):
    """Characteristics of a model. `weights` counts parameters per element type."""

    path: str
    format: str
    files: list[str]
    bytes: int
    architecture: str
    parameters: int
    weights: dict[str, int]
    operators: dict[str, int]
    weighted_operators: dict[str, int]  # operator -> how many have a constant matrix or kernel as weight
    nested_operators: dict[str, int]  # those of them that lie inside If, Loop or Scan
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    opset: dict[str, int]
    producer: str = ""
    quantized: bool = False
    functions: int = 0  # ONNX: operators that the model defines itself
    largest_matrix: list[int] = []
    text: TextInfo | None = None
    defaults: list[TensorInfo] = []  # inputs with a value of their own, which is used where none is given

    def given(self, names: Collection[str]) -> Assessment:
        """The model as it is asked where those of its inputs are given, too, that have a value of their own."""
        found = [each for each in self.defaults if each.name in names]
        left = [each for each in self.defaults if each.name not in names]
        return msgspec.structs.replace(self, inputs=[*self.inputs, *found], defaults=left) if found else self

    @property
    def fixed_batch(self) -> int | None:
        """Examples per inference where the model fixes them, None where it takes any number."""
        first = (tensor.shape[0] for tensor in self.inputs if tensor.shape)
        return next((size for size in first if isinstance(size, int) and fixed(size)), None)
