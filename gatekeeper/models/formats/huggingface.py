"""Inspects Hugging Face folders by config.json and the headers of their safetensors; weights are counted, never loaded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from math import prod
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.errors import NotMeasured
from gatekeeper.models.adapters import adapter
from gatekeeper.models.formats._base import FLOATS, Malformed, logits_out, mostly_quantized, opened, tokens_in
from gatekeeper.models.info import Assessment, TextInfo
from gatekeeper.models.safetensors import StoredTensor, read_header

SUFFIXES: tuple[str, ...] = ()
MARKER = "config.json"
DESCRIPTION = "a Hugging Face folder"
HOLDS = "config.json, model.safetensors and, if it writes text, tokenizer.json"

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TOKENIZER = "tokenizer.json"
GENERATION = "generation_config.json"
# What else decides the answers, where it is there.
BESIDE = (
    GENERATION, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "vocab.txt", "merges.txt", "tokenizer.model", "spiece.model", "chat_template.jinja", "chat_template.json",
)  # fmt: skip

# Keys that name Python files of the folder, for Transformers and for MLX.
CODE = ("auto_map", "model_file")

MAX_CONFIG = 4 << 20
MAX_INDEX = 32 << 20
GENERATIVE = ("ForCausalLM", "LMHeadModel")
WITH_IMAGES = "ForConditionalGeneration"
"""Of a model that has its language model's configuration in `text_config`; others of that name translate and transcribe."""
_LANGUAGE = "language_model"

# Families name the same things differently; the first that is there counts.
CONTEXT = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
HIDDEN = ("hidden_size", "n_embd", "d_model")
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
KV_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv")
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


def inspect(path: Path) -> Assessment:
    """Characteristics of a model folder; `NotMeasured` (kind model) if it is not one, or a file of it is missing or damaged."""
    if not (path / MARKER).is_file():
        raise NotMeasured("model", f"{path}: no {MARKER} in it. Save the model with save_pretrained(folder).")
    if said := adapter(path):
        raise NotMeasured("model", f"{path}: {said}")
    with opened(path / MARKER, "configuration of a model", "Save") as (file, size):
        config = _Config(_json(file.read(min(size, MAX_CONFIG) + 1)))
        if code := next((key for key in CODE if config.data.get(key)), None):
            raise NotMeasured("model", f"{path}: {_CUSTOM_CODE.format(key=code)}")
        shards, index = _weight_files(path)
        tensors = _tensors(path, shards)
        weights: Counter[str] = Counter()
        for tensor in tensors.values():
            weights[tensor.element_type] += prod(tensor.shape)
        matrices = {name: tensor.shape for name, tensor in tensors.items() if _is_matrix(name, tensor)}
        written = {name: shape for name, shape in matrices.items() if _LANGUAGE in name.split(".")} or matrices
        text = _text(path, config.language, weights.most_common(1)[0][0], sorted({shape[-1] for shape in written.values()}))
        return Assessment(
            path=str(path),
            format="huggingface",
            files=sorted(str(path / name) for name in (MARKER, *index, *shards, *_beside(path))),
            bytes=sum((path / name).stat().st_size for name in shards),
            architecture=config.language.architecture,
            parameters=sum(weights.values()),
            weights=dict(weights.most_common()),
            operators={},
            weighted_operators=_weighted(matrices),
            nested_operators={},
            inputs=tokens_in() if text else [],
            outputs=logits_out(text.vocabulary) if text else [],
            opset={},
            producer=config.producer,
            quantized=config.quantized or mostly_quantized(weights),
            largest_matrix=max((t.shape for t in tensors.values() if len(t.shape) >= 2), key=prod, default=[]),
            text=text,
        )


_CUSTOM_CODE = (
    "its config.json has `{key}`: the model is Python code that comes with it, which gatekeeper does not run. If the "
    "framework knows this family itself (`model_type`), remove `{key}` from config.json; else export the model to ONNX."
)


class _Config:
    """config.json, whose values may be anything."""

    def __init__(self, data: dict[str, Any]):
        self.data = data

    def number(self, *names: str) -> int:
        """The first of these that is there, 0 if none is; of a list, one number a layer, the largest."""
        return next((max(numbers) for name in names if (numbers := self.numbers(name))), 0)

    def numbers(self, name: str) -> list[int]:
        """A number or a list of them; empty if it is not there."""
        value = self.data.get(name)
        values = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 1 << 53 for v in values):
            raise Malformed(f"{name} is {repr(value)[:80]}, not a whole number")
        return values

    def word(self, name: str) -> str:
        """A text, empty if it is not there."""
        value = self.data.get(name) or ""
        if not isinstance(value, str) or len(value) > 200 or not value.isprintable():
            raise Malformed(f"{name} is {repr(value)[:80]}, not a name")
        return value

    @property
    def generative(self) -> bool:
        classes = self.data.get("architectures") or []
        ends = (*GENERATIVE, *([WITH_IMAGES] if self._nested else []))
        return isinstance(classes, list) and any(str(name).endswith(ends) for name in classes)

    @property
    def _nested(self) -> dict[str, Any]:
        """What is said of the part that writes text, where the model has others beside it that see or hear."""
        nested = self.data.get("text_config")
        return nested if isinstance(nested, dict) and nested.get("model_type") else {}

    @property
    def language(self) -> _Config:
        """What is said of the part that writes text, and of the whole where that says nothing."""
        return _Config(self.data | self._nested | {"text_config": self._nested}) if self._nested and self.generative else self

    @property
    def architecture(self) -> str:
        if self.number(*EXPERTS) > 1:
            return "mixture_of_experts"
        return "transformer" if self.number(*HEADS) else "other"

    @property
    def producer(self) -> str:
        version = self.word("transformers_version")
        return f"transformers {version}" if version else ""

    @property
    def quantized(self) -> bool:
        """Whether it says how its weights are quantized: Transformers, MLX, compressed-tensors."""
        return any(self.data.get(key) for key in ("quantization_config", "quantization", "compression_config"))


def _json(content: bytes) -> dict[str, Any]:
    """A JSON object as Transformers reads it: NaN and Infinity are allowed."""
    if len(content) > MAX_CONFIG:
        raise Malformed(f"more than {MAX_CONFIG >> 20} MB of JSON")
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"no JSON: {str(error)[:200]}") from None
    if not isinstance(data, dict):
        raise Malformed(f"a JSON {type(data).__name__}, not an object")
    return data


class _Index(msgspec.Struct):
    """Which file holds which tensor."""

    weight_map: dict[str, str]


def _weight_files(path: Path) -> tuple[dict[str, set[str]], list[str]]:
    """File -> the tensors it must hold (those of the index, if there is one), and the name of the index."""
    shards: dict[str, set[str]] = {}
    if (path / INDEX).is_file():
        with opened(path / INDEX, "index of safetensors", "Save") as (file, size):
            for tensor, name in _index(file.read(min(size, MAX_INDEX) + 1)).items():
                shards.setdefault(name, set()).add(tensor)
    elif (path / WEIGHTS).is_file():
        shards[WEIGHTS] = set()
    else:
        raise NotMeasured("model", f"{path}: {_no_weights(path)}")
    for name in sorted(shards):
        if not (path / name).is_file():
            raise NotMeasured("model", f"{path}: {INDEX} names {name[:80]!r}, which is not there. Put all its files together.")
    for file_ in sorted(path.glob("model*.safetensors")):
        if file_.name not in shards:
            raise NotMeasured(
                "model",
                f"{path}: {INDEX} does not name {file_.name!r}: some frameworks would load it, others not. Remove one of them.",
            )
    return dict(sorted(shards.items())), [INDEX] if (path / INDEX).is_file() else []


def _index(content: bytes) -> dict[str, str]:
    if len(content) > MAX_INDEX:
        raise Malformed(f"more than {MAX_INDEX >> 20} MB of JSON")
    try:
        files = msgspec.json.decode(content, type=_Index).weight_map
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"it does not say which file holds which tensor: {error}") from None
    for name in set(files.values()):
        if Path(name).name != name or "\0" in name or not name.endswith(".safetensors"):
            raise Malformed(f"it names {name[:80]!r}, which is no safetensors file beside it")
    if not files:
        raise Malformed("it names no file")
    return files


def _no_weights(path: Path) -> str:
    """Why there is nothing to read, and what to do."""
    names = sorted(file.name for file in path.iterdir())
    if any(name.startswith("pytorch_model") for name in names):
        return (
            "its weights are in pytorch_model.bin, a pickle, which can run code. Convert it, where you trust it, with "
            "AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder, safe_serialization=True)."
        )
    if any(name.startswith("model-") and name.endswith(".safetensors") for name in names):
        return f"{INDEX}, which says which file holds which tensor, is not there. Copy it from where the weights are from."
    if gguf := next((name for name in names if name.endswith(".gguf")), None):
        return f"no {WEIGHTS} in it. Name the file {gguf!r} instead of its folder."
    return f"no {WEIGHTS} in it. Save the model with save_pretrained(folder), or fetch its weights."


def _tensors(path: Path, shards: dict[str, set[str]]) -> dict[str, StoredTensor]:
    """Every tensor of every file, by name."""
    tensors: dict[str, StoredTensor] = {}
    for name, expected in shards.items():
        with opened(path / name, "safetensors file", "Save") as (file, size):
            held = read_header(file, size)
            if not held:
                raise Malformed("it holds no tensors")
            if missing := sorted(expected - held.keys()):
                raise Malformed(f"{INDEX} says that it holds {missing[0][:80]!r}, and it does not")
            if twice := sorted(tensors.keys() & held.keys()):
                raise Malformed(f"it holds {twice[0][:80]!r}, and so does another file")
            tensors |= held
    return tensors


def _beside(path: Path) -> list[str]:
    return [name for name in (TOKENIZER, *BESIDE) if (path / name).is_file()]


def _text(path: Path, config: _Config, dtype: str, row_lengths: list[int]) -> TextInfo | None:
    """What a model that writes text is; None for other models."""
    if not config.generative:
        return None
    if not (path / TOKENIZER).is_file():
        raise NotMeasured(
            "model",
            f"{path}: no {TOKENIZER} in it. Save it with AutoTokenizer.from_pretrained(folder).save_pretrained(folder).",
        )
    with opened(path / TOKENIZER, "tokenizer", "Save"):
        pass  # whether it is sound is for the tokenizer's own library to say
    if not config.word("model_type"):
        raise Malformed("it has no model_type")
    heads, hidden = config.number(*HEADS), config.number(*HIDDEN)
    return TextInfo(
        family=config.word("model_type"),
        dtype=dtype,
        vocabulary=config.number("vocab_size"),
        context=config.number(*CONTEXT),
        layers=config.number(*LAYERS),
        hidden=hidden,
        heads=heads,
        head=config.number("head_dim") or (hidden // heads if heads else 0),
        kv_heads=config.number(*KV_HEADS) or heads,
        row_lengths=row_lengths,
        tokenizer=TOKENIZER,
        end=_end(path, config),
    )


def _end(path: Path, config: _Config) -> list[int]:
    """Ids of the tokens that end a text: what the generation settings say, else the model's."""
    if (path / GENERATION).is_file():
        with opened(path / GENERATION, "list of generation settings", "Save") as (file, size):
            ends = _Config(_json(file.read(min(size, MAX_CONFIG) + 1))).numbers("eos_token_id")
        if ends:
            return sorted(set(ends))
    return sorted(set(config.numbers("eos_token_id")))


def _weighted(matrices: Collection[str]) -> dict[str, int]:
    """Operator -> how many of the matrices are its weight."""
    looked_up = sum(map(_is_embedding, matrices))
    counts = {"MatMul": len(matrices) - looked_up, "Gather": looked_up}
    return {operator: count for operator, count in counts.items() if count}


def _is_matrix(name: str, tensor: StoredTensor) -> bool:
    """Whether this is a weight that quantizers cut up: a projection, an embedding or the last layer."""
    return name.endswith(".weight") and len(tensor.shape) == 2 and tensor.element_type in FLOATS


def _is_embedding(name: str) -> bool:
    parts = name.split(".")
    return "embed_out" not in parts and any("embed" in part or part in ("wte", "wpe") for part in parts)
