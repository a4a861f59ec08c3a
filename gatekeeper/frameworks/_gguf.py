"""A Hugging Face folder as a GGUF file: the same weights under llama.cpp's names, one tensor in memory at a time.

What llama.cpp would compute differently from transformers is refused, never approximated, and so is what is not known here:
llama.cpp's own converter knows many more families.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._gguf_config import CONVERTER, GgufConfig, Rope

if TYPE_CHECKING:
    import numpy as np

_STORED = {"F32": "float32", "F16": "float16", "BF16": "uint16"}  # numpy has no bfloat16; its bits are moved as they are
_LARGEST_HEADER = 100_000_000  # safetensors' own limit
_UNREAD = ("o_proj.bias", "gate_proj.bias", "up_proj.bias", "down_proj.bias")  # of all but llama's architecture
_SKIPPED = ".rotary_emb.inv_freq"  # old files carry what follows from the configuration


def write_gguf(folder: Path, destination: Path, dtype: Literal["stored", "f32", "f16"] = "stored") -> None:
    """Write the model in `folder` to the file `destination`; norms and biases in 32 bits, matrices in `dtype`."""
    import gguf

    from gatekeeper.frameworks._gguf_tokenizer import add_tokenizer

    config = GgufConfig.read(folder)
    rope = Rope.of(config)
    stored = _stored(folder)
    writer = gguf.GGUFWriter(destination, config.family.architecture)
    tensors = [*_extra(rope), *_tensors(config, stored, dtype)]
    _describe(writer, config, rope, tensors)
    add_tokenizer(writer, folder, config.integer("vocab_size"))
    for tensor in tensors:
        kind = gguf.GGMLQuantizationType[tensor.target]
        writer.add_tensor_info(tensor.name, tensor.shape, _numpy(tensor.target), tensor.bytes, raw_dtype=kind)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor in tensors:
            writer.write_tensor_data(tensor.read())
        writer.close()
    except BaseException:
        writer.close()
        destination.unlink(missing_ok=True)
        raise


def _describe(writer: Any, config: GgufConfig, rope: Rope, tensors: list[_Tensor]) -> None:
    import gguf

    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_vocab_size(config.integer("vocab_size"))
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.hidden)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.integer("intermediate_size"))
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head)
    writer.add_value_length(config.head)
    writer.add_layer_norm_rms_eps(config.number("rms_norm_eps"))
    writer.add_rope_dimension_count(rope.dimensions)
    writer.add_rope_freq_base(rope.theta)
    if rope.kind in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(rope.kind))
        writer.add_rope_scaling_factor(rope.factor)
    if rope.kind == "longrope":
        writer.add_rope_scaling_attn_factors(rope.attention)
    if rope.original:
        writer.add_rope_scaling_orig_ctx_len(rope.original)
    if config.name == "phi3":
        writer.add_sliding_window(0)  # context_length ends where a window would begin to matter
    matrices = {tensor.target for tensor in tensors if len(tensor.shape) > 1}
    writer.add_file_type(
        gguf.LlamaFileType[{"F32": "ALL_F32", "F16": "MOSTLY_F16", "BF16": "MOSTLY_BF16"}[max(matrices, key=_WIDTH.__getitem__)]]
    )
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


class _Stored(NamedTuple):
    """Where a tensor lies in a .safetensors file."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int

    def bits(self) -> np.ndarray:
        """Its values; of bfloat16 the bits, as uint16."""
        import numpy as np

        values = np.fromfile(self.file, _STORED[self.dtype], math.prod(self.shape), offset=self.offset)
        if values.size != math.prod(self.shape):
            raise NotMeasured("model", f"{self.file.name} ends inside a tensor. Copy or download it again.")
        return values.reshape(self.shape)


_WIDTH = {"BF16": 2, "F16": 2, "F32": 4}


@dataclass(frozen=True)
class _Tensor:
    """A tensor to write: `target` is the type it gets; the rows of `heads` heads are reordered for the rotation."""

    name: str
    source: _Stored | tuple[float, ...]
    shape: tuple[int, ...]
    target: str
    heads: int = 0

    @property
    def bytes(self) -> int:
        """Bytes it takes in the file."""
        return math.prod(self.shape) * _WIDTH[self.target]

    def read(self) -> np.ndarray:
        """Its values as they are written."""
        import numpy as np

        if not isinstance(self.source, _Stored):
            return np.array(self.source, np.float32)
        values = self.source.bits()
        if self.heads:
            rows = values.reshape(self.heads, 2, -1, *self.shape[1:])
            values = rows.swapaxes(1, 2).reshape(self.shape)
        return np.ascontiguousarray(_cast(values, self.source.dtype, self.target, self.name))


def _cast(values: np.ndarray, dtype: str, target: str, name: str) -> np.ndarray:
    import numpy as np

    if dtype == target:
        return values
    if dtype == "BF16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    if target == "F32":
        return values.astype(np.float32, copy=False)
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if not np.isfinite(half).all():
        raise NotMeasured("unsupported", f"{name} has values that half precision cannot hold. Convert to f32 instead.")
    return half


def _numpy(target: str) -> Any:
    import numpy as np

    return np.dtype(_STORED[target])


def _extra(rope: Rope) -> Iterator[_Tensor]:
    for name, values in rope.factors:
        yield _Tensor(name, values, (len(values),), "F32")


def _tensors(config: GgufConfig, stored: dict[str, _Stored], dtype: str) -> list[_Tensor]:
    """Every tensor of the model under GGUF's name; an error where one is not known, or is missing."""
    import gguf

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[config.family.architecture.upper()], config.layers)
    tied = _tied(config, stored)
    tensors = []
    for name, source in stored.items():
        if name.endswith(_SKIPPED) or (name == "lm_head.weight" and tied):
            continue
        renamed = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if renamed is None:
            raise NotMeasured("unsupported", f"'{name}' is not a tensor of {config.name} that llama.cpp knows. {CONVERTER}")
        if config.family.architecture != "llama" and name.endswith(_UNREAD):
            raise NotMeasured("unsupported", f"llama.cpp's {config.name} has no '{name}'. Leave llama.cpp out for this model.")
        if source.dtype not in _STORED:
            raise NotMeasured(
                "unsupported", f"'{name}' is stored as {source.dtype}. Start from weights in {', '.join(sorted(_STORED))}."
            )
        vector = len(source.shape) < 2  # llama.cpp computes norms and biases in 32 bits
        target = "F32" if vector else source.dtype if dtype == "stored" else dtype.upper()
        tensors.append(_Tensor(renamed, source, source.shape, target, _rotated(config, name, source.shape)))
    _check_complete(config, {t.name: t.shape for t in tensors}, tied)
    return tensors


def _tied(config: GgufConfig, stored: dict[str, _Stored]) -> bool:
    """Whether the last layer is the embeddings. transformers lets a last layer that differs from them stand, so do we."""
    import numpy as np

    if not config.values.get("tie_word_embeddings"):
        return False
    head, embeddings = (stored.get(name) for name in ("lm_head.weight", "model.embed_tokens.weight"))
    if head is None or embeddings is None:
        return head is None
    same = (head.dtype, head.shape) == (embeddings.dtype, embeddings.shape)
    return same and head.dtype in _STORED and np.array_equal(head.bits(), embeddings.bits())


def _rotated(config: GgufConfig, name: str, shape: tuple[int, ...]) -> int:
    """How many heads the rows of a tensor belong to whose order llama.cpp wants changed; 0 for all other tensors."""
    projection = re.search(r"\.self_attn\.([qk])_proj\.(?:weight|bias)$", name)
    if not config.family.interleaved or not projection:
        return 0
    heads = config.heads if projection[1] == "q" else config.kv_heads
    if shape[0] != heads * config.head:
        raise NotMeasured(
            "model", f"'{name}' has {shape[0]} rows, and config.json says {heads} heads of {config.head}. Correct one of them."
        )
    return heads


def _check_complete(config: GgufConfig, shapes: dict[str, tuple[int, ...]], tied: bool) -> None:
    wanted = {"token_embd.weight", "output_norm.weight"} | (set() if tied else {"output.weight"})
    layers: dict[str, set[str]] = {str(i): set() for i in range(config.layers)}
    for name in shapes:
        if match := re.match(r"blk\.(\d+)\.(.*)", name):
            layers[match[1]].add(match[2])
    everywhere = set().union(*layers.values())
    wanted |= {f"blk.{layer}.{name}" for layer in layers for name in everywhere}
    if missing := sorted(wanted - shapes.keys()):
        raise NotMeasured(
            "model", f"the .safetensors files lack {', '.join(missing[:3])} (in GGUF's names). Save the model again."
        )
    rows, vocabulary = shapes["token_embd.weight"][0], config.integer("vocab_size")
    if rows != vocabulary:
        raise NotMeasured("model", f"the model embeds {rows} tokens, and config.json says vocab_size {vocabulary}. Correct it.")


def _stored(folder: Path) -> dict[str, _Stored]:
    """Every tensor of the folder's .safetensors files, in the order they lie there."""
    index = folder / "model.safetensors.index.json"
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())) if index.exists() else []
        tensors: dict[str, _Stored] = {}
        for name in names or ["model.safetensors"]:
            tensors |= _header(folder / Path(name).name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotMeasured("model", f"the .safetensors files cannot be read: {error}. Save the model again.") from error
    return tensors


def _header(file: Path) -> dict[str, _Stored]:
    """The tensors of one .safetensors file: 8 bytes with the length of a JSON header, the header, the data."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > _LARGEST_HEADER:
            raise ValueError(f"{file.name} has a header of {length} bytes")
        header = json.loads(stream.read(length))
    header.pop("__metadata__", None)
    entries = sorted(header.items(), key=lambda entry: entry[1]["data_offsets"])
    return {
        name: _Stored(file, entry["dtype"], tuple(entry["shape"]), 8 + length + entry["data_offsets"][0])
        for name, entry in entries
    }
