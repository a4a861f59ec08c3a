"""Inspects GGUF files by their header: metadata and the list of tensors. The tensors' data is not read.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. As strict as llama.cpp, and with limits: the header of a
crafted file may name any count.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

from gatekeeper.errors import NotMeasured
from gatekeeper.models.formats._base import (
    AMBIGUOUS,
    FLOATS,
    MOST_LICENSE,
    PAST_END,
    Malformed,
    logits_out,
    mostly_quantized,
    opened,
    tokens_in,
)
from gatekeeper.models.info import Assessment, TextInfo

SUFFIXES = (".gguf",)

# Number in the file -> name here, elements of a block, bytes of a block.
TYPES = {
    0: ("float32", 1, 4), 1: ("float16", 1, 2), 2: ("q4_0", 32, 18), 3: ("q4_1", 32, 20), 6: ("q5_0", 32, 22),
    7: ("q5_1", 32, 24), 8: ("q8_0", 32, 34), 9: ("q8_1", 32, 40), 10: ("q2_k", 256, 84), 11: ("q3_k", 256, 110),
    12: ("q4_k", 256, 144), 13: ("q5_k", 256, 176), 14: ("q6_k", 256, 210), 15: ("q8_k", 256, 292), 16: ("iq2_xxs", 256, 66),
    17: ("iq2_xs", 256, 74), 18: ("iq3_xxs", 256, 98), 19: ("iq1_s", 256, 50), 20: ("iq4_nl", 32, 18), 21: ("iq3_s", 256, 110),
    22: ("iq2_s", 256, 82), 23: ("iq4_xs", 256, 136), 24: ("int8", 1, 1), 25: ("int16", 1, 2), 26: ("int32", 1, 4),
    27: ("int64", 1, 8), 28: ("float64", 1, 8), 29: ("iq1_m", 256, 56), 30: ("bfloat16", 1, 2), 34: ("tq1_0", 256, 54),
    35: ("tq2_0", 256, 66), 39: ("mxfp4", 32, 17), 40: ("nvfp4", 64, 36), 41: ("q1_0", 128, 18),
}  # fmt: skip

# Where Hugging Face calls a family by another name.
FAMILIES = {
    "command-r": "cohere", "deepseek2": "deepseek_v2", "falcon-h1": "falcon_h1", "gemma3": "gemma3_text", "gpt-oss": "gpt_oss",
    "gptneox": "gpt_neox", "granitehybrid": "granitemoehybrid", "phi2": "phi", "qwen2moe": "qwen2_moe",
    "qwen3moe": "qwen3_moe", "qwen3next": "qwen3_next", "starcoder": "gpt_bigcode",
}  # fmt: skip

# Ids of the tokens that end a text, a turn, a message.
ENDS = ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id")

MAX_KEYS = 10_000
MAX_TENSORS = 100_000
MAX_NAME = 1024  # bytes of a key or a tensor's name
MAX_TEXT = 4096  # bytes of a text that is kept; longer ones are stepped over
TEMPLATE = "tokenizer.chat_template"  # and `.NAME` behind it: kept up to
MAX_TEMPLATE = 1 << 20
MAX_NUMBERS = 4096  # of a list that is kept, one number a layer
MAX_WORDS = 2_000_000  # texts in lists, all together: tokens and merges
MAX_RANK = 4
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
INTEGERS = {0, 1, 2, 3, 4, 5, 10, 11}
TEXT, LIST = 8, 9


def inspect(path: Path) -> Assessment:
    """Characteristics of a GGUF model; `NotMeasured` (kind model) if it is not one, or not a whole one."""
    with opened(path, "GGUF model", "Convert") as (file, size):
        header = _Header(file, size)
        if reason := _no_model(header):
            raise NotMeasured("model", f"{path}: {reason}")
        return _assess(path, size, header)


def licenses(path: Path) -> dict[str, str]:
    """What the metadata say of the licence, by key, and what one without an identifier is called (`license_name`)."""
    with opened(path, "GGUF model", "Convert") as (file, size):
        header = _Header(file, size)
    found = {"general.license": header.word("general.license"), "license_name": header.word("general.license.name")}
    return {key: said[:MOST_LICENSE] for key, said in found.items() if said.strip()}


@dataclass(frozen=True)
class StoredTensor:
    """One tensor: its name, type and dimensions, the row's length first, and where its data lies in the file."""

    name: str
    type: str
    dims: tuple[int, ...]
    start: int
    bytes: int


def stored(path: Path) -> list[StoredTensor]:
    """Every tensor of a GGUF file, in the file's order; `NotMeasured` (kind model) if it is not one."""
    with opened(path, "GGUF model", "Convert") as (file, size):
        return _Header(file, size).stored


def templates(file: BinaryIO, size: int) -> dict[str, str]:
    """Every chat template of an open GGUF file, by its key; one that is too long is empty. `Malformed` if it is none."""
    header = _Header(file, size)
    return {key: str(value) for key, value in header.values.items() if key.startswith(TEMPLATE)}


@dataclass(frozen=True)
class _Tensor:
    name: str
    dims: tuple[int, ...]  # the length of a row comes first
    type: str

    @property
    def matrix(self) -> bool:
        """Whether this is a weight that quantizers cut up: a projection, an embedding, the experts' stack of them."""
        return len(self.dims) >= 2 and self.name.endswith(".weight")


class _Header:
    """What stands before the tensors' data. `values` has the scalars and texts, `lengths` those of the lists."""

    def __init__(self, file: BinaryIO, size: int):
        self._file, self._size, self._at, self._words = file, size, 0, 0
        self.values: dict[str, int | float | str] = {}
        self.lengths: dict[str, int] = {}
        if self._take(4) != b"GGUF":
            raise Malformed("it does not begin with GGUF")
        self.version = self._number("I")
        if self.version and not self.version & 0xFFFF:
            raise Malformed("it is big-endian, for other machines; this one needs the little-endian file")
        if self.version not in (2, 3):
            raise Malformed(f"it is of version {self.version}; versions 2 and 3 are known")
        tensors, keys = self._number("Q"), self._number("Q")
        if tensors > MAX_TENSORS or keys > MAX_KEYS:
            raise Malformed(
                f"it announces {tensors:,} tensors and {keys:,} keys; {MAX_TENSORS:,} and {MAX_KEYS:,} are allowed", PAST_END
            )
        for _ in range(keys):
            self._pair()
        self.tensors: dict[str, _Tensor] = {}
        self.stored: list[StoredTensor] = []
        self._places(tensors)

    def number(self, key: str) -> int:
        """A whole number, 0 if it is not there."""
        value = self.values.get(key, 0)
        if not isinstance(value, int) or not 0 <= value < 1 << 53:
            raise Malformed(f"{key[:80]!r} is {repr(value)[:80]}, not a whole number")
        return int(value)

    def word(self, key: str) -> str:
        """A text, empty if it is not there."""
        value = self.values.get(key, "")
        if not isinstance(value, str):
            raise Malformed(f"{key[:80]!r} is {value!r}, not a name")
        return value

    def _pair(self) -> None:
        key = self._text(MAX_NAME)
        if key in self.values or key in self.lengths:
            raise Malformed(f"the key {key[:80]!r} stands there twice", AMBIGUOUS)
        kind = self._number("I")
        if kind in SCALARS:
            self.values[key] = self._number(SCALARS[kind])
        elif kind == TEXT:
            self.values[key] = self._text(keep=MAX_TEMPLATE if key.startswith(TEMPLATE) else MAX_TEXT)
        elif kind == LIST:
            self._list(key, self._number("I"), self._number("Q"))
        else:
            raise Malformed(f"the key {key[:80]!r} has a value of the unknown type {kind}")

    def _list(self, key: str, kind: int, count: int) -> None:
        self.lengths[key] = count
        if kind == TEXT:
            self._words += count
            if self._words > MAX_WORDS:
                raise Malformed(f"more than {MAX_WORDS:,} texts in its lists", PAST_END if count > self._size else "")
            for _ in range(count):
                self._skip(int.from_bytes(self._take(8), "little"))
        elif kind in INTEGERS and 0 < count <= MAX_NUMBERS:
            # One number a layer: the largest stands for all.
            self.values[key] = max(struct.unpack(f"<{count}{SCALARS[kind]}", self._take(count * struct.calcsize(SCALARS[kind]))))
        elif kind in SCALARS:
            self._skip(count * struct.calcsize(SCALARS[kind]))
        else:
            raise Malformed(f"the list {key[:80]!r} has values of the unknown type {kind}")

    def _places(self, count: int) -> None:
        """The list of tensors, each of which must follow the one before, up to the end of the file."""
        alignment = self.number("general.alignment") or 32
        if alignment & (alignment - 1):
            raise Malformed(f"general.alignment is {alignment}, not a power of two")
        sizes: list[tuple[str, int, int]] = []
        for _ in range(count):
            tensor, size = self._tensor()
            sizes.append((tensor.name, size, self._number("Q")))
            if self.tensors.setdefault(tensor.name, tensor) is not tensor:
                raise Malformed(f"two tensors are named {tensor.name[:80]!r}", AMBIGUOUS)
        start, expected = _aligned(self._at, alignment), 0
        for name, size, offset in sizes:
            if offset != expected:
                said = f"the tensor {name[:80]!r} lies at {offset}, not at {expected} behind the one before"
                raise Malformed(said, PAST_END if start + offset > self._size else AMBIGUOUS)
            if start + offset + size > self._size:
                said = f"the tensor {name[:80]!r} ends beyond the {self._size:,} bytes of the file: it is cut short"
                raise Malformed(said, PAST_END)
            self.stored.append(StoredTensor(name, self.tensors[name].type, self.tensors[name].dims, start + offset, size))
            expected = _aligned(offset + size, alignment)

    def _tensor(self) -> tuple[_Tensor, int]:
        """A tensor and its size in bytes."""
        name, rank = self._text(MAX_NAME), self._number("I")
        if rank > MAX_RANK:
            raise Malformed(f"the tensor {name[:80]!r} has {rank} dimensions; {MAX_RANK} are allowed", PAST_END)
        dims = struct.unpack(f"<{rank}Q", self._take(8 * rank))
        kind = self._number("I")
        if kind not in TYPES:
            raise Malformed(f"the tensor {name[:80]!r} is of type {kind}, which this version does not know")
        dtype, block, size = TYPES[kind]
        if not rank or 0 in dims or prod(dims) >= 1 << 63 or dims[0] % block:
            raise Malformed(f"the tensor {name[:80]!r} has impossible dimensions for {dtype}: {dims}", PAST_END)
        return _Tensor(name, dims, dtype), prod(dims) // block * size

    def _number(self, code: str) -> int:
        return struct.unpack("<" + code, self._take(struct.calcsize("<" + code)))[0]  # type: ignore[no-any-return]

    def _text(self, limit: int = 0, keep: int = MAX_TEXT) -> str:
        """A text; one of more than `limit` bytes is an error, without a limit one of more than `keep` is stepped over."""
        length = self._number("Q")
        if limit and length > limit:
            raise Malformed(f"a name of {length:,} bytes; {limit} are allowed", PAST_END)
        if length > keep:
            self._skip(length)
            return ""
        return self._take(length).decode("utf-8", "backslashreplace")

    def _take(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) != count:
            raise Malformed("its header is cut short", PAST_END)
        self._at += count
        return data

    def _skip(self, count: int) -> None:
        self._at += count
        if self._at > self._size:
            raise Malformed("its header is cut short", PAST_END)
        self._file.seek(count, 1)


def _aligned(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment


def _no_model(header: _Header) -> str | None:
    """Why a sound file is nothing that can be run."""
    kind = "mmproj" if header.word("general.architecture") == "clip" else header.word("general.type")
    if kind not in ("", "model"):
        return f"a GGUF file of type {kind[:80]!r}, which goes beside a model. Name the model's own file."
    if header.number("split.count") > 1:
        return "one part of a model in several files. Join them with `llama-gguf-split --merge`."
    if not header.tensors:
        return "it has no tensors, only a vocabulary. Name the file with the weights."
    return None


def _assess(path: Path, size: int, header: _Header) -> Assessment:
    weights: Counter[str] = Counter()
    for tensor in header.tensors.values():
        weights[tensor.type] += prod(tensor.dims)
    most = weights.most_common(1)[0][0]
    text = _text_info(header, most)
    floats = [tensor for tensor in header.tensors.values() if tensor.matrix and tensor.type in FLOATS]
    looked_up = sum(tensor.name.partition(".")[0].endswith("_embd") for tensor in floats)
    weighted = {"MatMul": len(floats) - looked_up, "Gather": looked_up}
    return Assessment(
        path=str(path),
        format="gguf",
        files=[str(path)],
        bytes=size,
        architecture=_architecture(header),
        parameters=sum(weights.values()),
        weights=dict(weights.most_common()),
        operators={},
        weighted_operators={operator: count for operator, count in weighted.items() if count},
        nested_operators={},
        inputs=tokens_in() if text else [],
        outputs=logits_out(text.vocabulary) if text else [],
        opset={"gguf": header.version},
        producer=header.word("general.quantized_by")[:200],
        quantized=mostly_quantized(weights),
        largest_matrix=list(max((t.dims for t in header.tensors.values() if t.matrix), key=prod, default=()))[::-1],
        text=text,
    )


def _text_info(header: _Header, dtype: str) -> TextInfo | None:
    """What a model that writes text is; None for encoders, which turn text into vectors."""
    name = header.word("general.architecture")
    if not name:
        raise Malformed("it does not say its architecture")
    if name.endswith(("bert", "t5", "t5encoder", "embedding", "-embed")) or header.number(f"{name}.pooling_type"):
        return None
    heads, hidden = header.number(f"{name}.attention.head_count"), header.number(f"{name}.embedding_length")
    table = header.tensors.get("token_embd.weight")
    return TextInfo(
        family=_family(header, name),
        dtype=dtype,
        vocabulary=header.lengths.get("tokenizer.ggml.tokens") or (table.dims[-1] if table else 0),
        context=header.number(f"{name}.context_length"),
        layers=header.number(f"{name}.block_count"),
        hidden=hidden,
        heads=heads,
        head=header.number(f"{name}.attention.key_length") or (hidden // heads if heads else 0),
        kv_heads=header.number(f"{name}.attention.head_count_kv") or heads,
        row_lengths=sorted({tensor.dims[0] for tensor in header.tensors.values() if tensor.matrix}),
        tokenizer=header.word("tokenizer.ggml.model"),
        end=sorted({header.number(key) for key in ENDS if key in header.values}),
    )


def _family(header: _Header, name: str) -> str:
    if name == "llama" and header.number("llama.expert_count") > 1:
        return "mixtral"
    return FAMILIES.get(name, name)


def _architecture(header: _Header) -> str:
    name = header.word("general.architecture")
    if header.number(f"{name}.expert_count") > 1:
        return "mixture_of_experts"
    return "transformer" if header.number(f"{name}.attention.head_count") else "other"
