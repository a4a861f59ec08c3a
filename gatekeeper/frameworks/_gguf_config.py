"""What config.json says of a language model, in llama.cpp's terms; refused where llama.cpp would compute something else."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatekeeper.errors import NotMeasured

CONVERTER = "Convert it with llama.cpp's own convert_hf_to_gguf.py and name the .gguf as the model."


@dataclass(frozen=True)
class Family:
    """How llama.cpp knows a family. `interleaved`: it rotates neighbours where transformers rotates halves.

    `square`: it takes the heads of a token to be as long as its embedding. `ropes`: the kinds of rotary positions that are
    computed there as transformers does.
    """

    architecture: str
    interleaved: bool
    square: bool
    ropes: frozenset[str]


_PLAIN = frozenset({"default", "linear", "yarn"})
FAMILIES = {
    "llama": Family("llama", interleaved=True, square=False, ropes=_PLAIN | {"llama3"}),
    "mistral": Family("llama", interleaved=True, square=False, ropes=_PLAIN | {"llama3"}),
    "qwen2": Family("qwen2", interleaved=False, square=True, ropes=_PLAIN),
    "qwen3": Family("qwen3", interleaved=False, square=False, ropes=_PLAIN),
    "phi3": Family("phi3", interleaved=False, square=True, ropes=frozenset({"default", "longrope"})),
}
_THETA = 10_000.0  # of all these families, where config.json is silent
_WINDOW = {"mistral": 4096, "qwen2": 4096, "qwen3": 4096}


class GgufConfig:
    """config.json, and what this module must know of it."""

    def __init__(self, values: dict[str, Any]):
        self.values = values
        name = values.get("model_type")
        if name not in FAMILIES:
            raise NotMeasured(
                "unsupported",
                f"gatekeeper converts {', '.join(FAMILIES)} to GGUF, and this model is of the family '{name}'. {CONVERTER}",
            )
        self.name, self.family = name, FAMILIES[name]
        self.layers, self.hidden = self.integer("num_hidden_layers"), self.integer("hidden_size")
        self.heads = self.integer("num_attention_heads")
        self.kv_heads = self.integer("num_key_value_heads", self.heads)
        self.head = self.integer("head_dim", 128 if name == "qwen3" else self.hidden // self.heads)
        self._refuse()

    @classmethod
    def read(cls, folder: Path) -> GgufConfig:
        """Of a folder."""
        try:
            values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise NotMeasured("model", f"config.json cannot be read: {error}. Save the model again.") from error
        if not isinstance(values, dict):
            raise NotMeasured("model", "config.json is not a JSON object. Save the model again.")
        return cls(values)

    def integer(self, key: str, default: int | None = None) -> int:
        """A positive whole number of config.json."""
        given = self.values.get(key)
        given = default if given is None else given
        if isinstance(given, bool) or not isinstance(given, int) or given <= 0:
            raise NotMeasured("model", f"config.json has no positive whole number `{key}` (it has {given!r}). Correct it.")
        return given

    def number(self, key: str) -> float:
        """A positive number of config.json."""
        given = self.values.get(key)
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < math.inf:
            raise NotMeasured("model", f"config.json has no positive number `{key}` (it has {given!r}). Correct it.")
        return float(given)

    @property
    def context(self) -> int:
        """Tokens for which llama.cpp answers as transformers does: it has no sliding window for these families."""
        longest = self.integer("max_position_embeddings")
        window = self.values.get("sliding_window", _WINDOW.get(self.name))
        ignored = self.name == "llama" or (self.name.startswith("qwen") and not self.values.get("use_sliding_window"))
        return longest if window is None or ignored else min(longest, self.integer("sliding_window", window))

    def _refuse(self) -> None:
        if method := self.values.get("quantization_config"):
            kind = method.get("quant_method", method) if isinstance(method, dict) else method
            raise NotMeasured("unsupported", f"the model is already quantized ({kind}). Start from f32, f16 or bf16 weights.")
        if (activation := self.values.get("hidden_act", "silu")) != "silu":
            raise NotMeasured("unsupported", f"llama.cpp computes {self.name} with silu, the model has {activation}. {CONVERTER}")
        if self.family.square and self.heads * self.head != self.hidden:
            raise NotMeasured(
                "unsupported",
                f"llama.cpp takes {self.name} to have hidden_size = num_attention_heads x head_dim, and the model has "
                f"{self.hidden} and {self.heads} x {self.head}. Leave llama.cpp out for this model.",
            )


@dataclass(frozen=True)
class Rope:
    """Rotary positions: the part of a head that turns, and how their scaling is told to llama.cpp."""

    kind: str
    theta: float
    dimensions: int
    factor: float = 1.0
    original: int = 0
    attention: float = 1.0
    factors: tuple[tuple[str, tuple[float, ...]], ...] = ()  # tensor -> what divides each frequency

    @classmethod
    def of(cls, config: GgufConfig) -> Rope:
        """What config.json says: in `rope_parameters` since transformers 5, in `rope_theta` and `rope_scaling` before."""
        given = config.values.get("rope_parameters") or config.values.get("rope_scaling") or {}
        if not isinstance(given, dict):
            raise NotMeasured("model", f"the rope scaling of config.json is {given!r}, not an object. Correct it.")
        kind = str(given.get("rope_type") or given.get("type") or "default")
        kind = "longrope" if kind == "su" else kind
        if kind not in config.family.ropes:
            raise NotMeasured(
                "unsupported",
                f"gatekeeper does not write rope scaling of the kind '{kind}' for {config.name} "
                f"(it writes {', '.join(sorted(config.family.ropes))}). {CONVERTER}",
            )
        known = {"rope_type", "type", "rope_theta", "partial_rotary_factor", *_ROPE_KEYS[kind]}
        if unknown := sorted(key for key, value in given.items() if key not in known and value is not None):
            raise NotMeasured(
                "unsupported", f"gatekeeper does not know {', '.join(unknown)} of rope scaling '{kind}'. {CONVERTER}"
            )
        try:
            return cls._scaled(kind, given, config)
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise NotMeasured(
                "model", f"the rope scaling of config.json is incomplete or wrong: {error!r}. Correct it."
            ) from error

    @classmethod
    def _scaled(cls, kind: str, given: dict[str, Any], config: GgufConfig) -> Rope:
        values = config.values
        part = float(_first(given.get("partial_rotary_factor"), values.get("partial_rotary_factor"), 1.0))
        if part != 1.0 and config.name != "phi3":
            raise NotMeasured("unsupported", f"{config.name} with partial_rotary_factor {part} is not known here. {CONVERTER}")
        theta = float(_first(given.get("rope_theta"), values.get("rope_theta"), _THETA))
        plain = cls(kind, theta, int(config.head * part))
        if kind == "default":
            return plain
        key = "original_max_position_embeddings"
        original = int(_first(values.get(key), given.get(key), config.integer("max_position_embeddings")))
        return _SCALED[kind](plain, given, original, config)


_ROPE_KEYS = {
    "default": frozenset({"factor", "original_max_position_embeddings"}),  # as published with some models; without effect
    "linear": frozenset({"factor"}),
    "yarn": frozenset({"factor", "original_max_position_embeddings", "beta_fast", "beta_slow", "truncate", "attention_factor"}),
    "llama3": frozenset({"factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor"}),
    "longrope": frozenset(
        {"factor", "original_max_position_embeddings", "long_factor", "short_factor", "attention_factor"}
    ),
}  # fmt: skip


def _linear(plain: Rope, given: dict[str, Any], original: int, config: GgufConfig) -> Rope:
    return Rope("linear", plain.theta, plain.dimensions, factor=float(given["factor"]))


def _yarn(plain: Rope, given: dict[str, Any], original: int, config: GgufConfig) -> Rope:
    """llama.cpp reads no other settings than these for these families, whatever its file format has keys for."""
    factor = float(given["factor"])
    usual = 0.1 * math.log(factor) + 1 if factor > 1 else 1.0
    fixed = {"attention_factor": round(usual, 6), "beta_fast": 32.0, "beta_slow": 1.0, "truncate": True}
    for key, value in fixed.items():
        if not math.isclose(float(_first(given.get(key), value)), value, rel_tol=1e-4):
            raise NotMeasured(
                "unsupported",
                f"llama.cpp computes yarn of {config.name} with {key} {value} only, and the model has {given[key]}. "
                "Leave llama.cpp out for this model.",
            )
    return Rope("yarn", plain.theta, plain.dimensions, factor, original)


def _llama3(plain: Rope, given: dict[str, Any], original: int, config: GgufConfig) -> Rope:
    """As transformers: long waves are stretched by `factor`, short ones kept, those between blended."""
    factor, low, high = (float(given[key]) for key in ("factor", "low_freq_factor", "high_freq_factor"))
    divisors = []
    for i in range(0, plain.dimensions, 2):
        wave = 2 * math.pi * plain.theta ** (i / plain.dimensions)
        smooth = min(max((original / wave - low) / (high - low), 0.0), 1.0)
        divisors.append(1 / ((1 - smooth) / factor + smooth))
    return Rope("llama3", plain.theta, plain.dimensions, factors=(("rope_freqs.weight", tuple(divisors)),))


def _longrope(plain: Rope, given: dict[str, Any], original: int, config: GgufConfig) -> Rope:
    """Two sets of divisors; llama.cpp, as transformers, takes the long ones where the context exceeds `original`."""
    factor = float(_first(given.get("factor"), config.integer("max_position_embeddings") / original))
    usual = math.sqrt(1 + math.log(factor) / math.log(original)) if factor > 1 else 1.0
    factors = tuple(
        (f"rope_factors_{length}.weight", tuple(float(v) for v in given[f"{length}_factor"])) for length in ("long", "short")
    )
    if any(len(values) != plain.dimensions // 2 for _, values in factors):
        raise ValueError(f"long_factor and short_factor need {plain.dimensions // 2} values")
    attention = float(_first(given.get("attention_factor"), usual))
    return Rope("longrope", plain.theta, plain.dimensions, original=original, attention=attention, factors=factors)


_SCALED = {"linear": _linear, "yarn": _yarn, "llama3": _llama3, "longrope": _longrope}


def _first(*values: Any) -> Any:
    """The first that is there."""
    return next(value for value in values if value is not None)
