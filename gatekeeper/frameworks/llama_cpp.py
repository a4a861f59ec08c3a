"""llama.cpp: quantized language models in one GGUF file, on any CPU and on GPUs its build knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks import _llama_cpp_weights as _weights
from gatekeeper.frameworks._base import ORIGINAL, TEXT_FORMATS, Needs, OptimizeJob
from gatekeeper.frameworks._gguf_config import CONVERTER, FAMILIES
from gatekeeper.frameworks._llama_cpp_options import WINDOWS, Blocks, LlamaCppSession, Weighed, options_for, unfit_heads
from gatekeeper.frameworks._llama_cpp_weights import NAMED as NAMED
from gatekeeper.frameworks._options import given
from gatekeeper.frameworks._patterns import Node
from gatekeeper.frameworks._session import read_session, write_session
from gatekeeper.models.files import model_format

if TYPE_CHECKING:
    import numpy as np

    from gatekeeper.frameworks._llama_cpp_session import LlamaSession, LlamaTokenizer
    from gatekeeper.models.info import Assessment, TextInfo

EXTRA = "llama-cpp"
REQUIRES = ("llama-cpp-python", "gguf", "numpy")
NEEDS = {"huggingface": Needs("llama-cpp,huggingface", (*REQUIRES, "safetensors", "tokenizers", "torch", "transformers"))}
RUNTIME = "llama_cpp"
CONVERTS = ("huggingface",)
OPENS = ("gguf",)


@dataclass(frozen=True)
class _Kind:
    """A way to store weights: llama.cpp's name of it, the type most tensors get, and that type's block."""

    text: str
    file_type: str
    type: str
    block: int


_KINDS = {
    "f16": _Kind("weights in half precision", "MOSTLY_F16", "float16", 1),
    "q8_0": _Kind("8-bit weights in blocks of 32", "MOSTLY_Q8_0", "q8_0", 32),
    "q6_k": _Kind("6-bit weights in blocks of 256", "MOSTLY_Q6_K", "q6_k", 256),
    "q5_k_m": _Kind("5-bit weights in blocks of 256, 6-bit where it matters most", "MOSTLY_Q5_K_M", "q5_k", 256),
    "q4_k_m": _Kind("4-bit weights in blocks of 256, 6-bit where it matters most", "MOSTLY_Q4_K_M", "q4_k", 256),
    "q4_0": _Kind("4-bit weights in blocks of 32, 6- or 8-bit for the last layer", "MOSTLY_Q4_0", "q4_0", 32),
}
_CACHES = {"q8_0": "8", "q4_0": "4"}  # the keys and values kept of earlier tokens; without them in half precision

TECHNIQUES = {name: kind.text for name, kind in _KINDS.items()} | {
    f"{name}_kv_{cache}": f"as {name}, and the KV cache in {bits} bits instead of 16, with flash attention"
    for cache, bits in _CACHES.items()
    for name in _KINDS
}

OPTIONS = {technique: options_for(technique) for technique in TECHNIQUES}

_DEVICES = ("cpu", "cuda", "metal")
_MODEL = "model.gguf"


def supports(model_format: str, device: str) -> str | None:
    """None, or why llama.cpp cannot run this format on this device."""
    if model_format not in TEXT_FORMATS:
        return f"llama.cpp runs language models in .gguf files or Hugging Face folders, not {model_format}"
    if device not in _DEVICES:
        return f"this version drives llama.cpp on {', '.join(_DEVICES)}, not on {device}"
    return None


def defaults(model_format: str, device: str) -> tuple[str, ...]:
    """Techniques worth trying on a device."""
    return ("q8_0", "q4_k_m", "q4_0")


def refuses(technique: str, model: Assessment, calibrated: bool) -> str | None:
    """None, or why the technique cannot change this model."""
    if model.text is None:
        return "llama.cpp runs models that write text, and this one does not"
    if model.quantized:
        return "the model is already quantized; start from f32, f16 or bf16 weights"
    if model.format == "huggingface" and model.text.family not in FAMILIES:
        return f"gatekeeper converts {', '.join(FAMILIES)} to GGUF, not the family {model.text.family}. {CONVERTER}"
    weights, _, cache = technique.partition("_kv_")
    if weights == "f16" and not cache and model.text.dtype == "float16":
        return "the weights are in half precision already"
    return _unfit(weights, model.text) or (unfit_heads(model.text.head) if cache else None)


def _unfit(weights: str, text: TextInfo) -> str | None:
    """Which rows blocks do not divide: llama.cpp then stores them in another type than the one asked for."""
    block = _KINDS[weights].block
    rows = [length for length in text.row_lengths if length % block]
    if not rows:
        return None
    smaller = sorted(name for name, kind in _KINDS.items() if not any(n % kind.block for n in text.row_lengths))
    return (
        f"it needs rows whose length is a multiple of {block}, and the model has rows of {', '.join(map(str, rows))}; "
        f"try {' or '.join(name for name in ('q8_0', 'q4_0', 'f16') if name in smaller)}"
    )


def named(model: Path) -> list[Node] | None:
    """The matrices of a .gguf file; those of a folder get their names when it is converted."""
    return _weights.named(model) if model_format(model) == "gguf" else None


def optimize(job: OptimizeJob) -> None:
    """Write the artifact to the folder `job.destination`: model.gguf, and session.json where the KV cache is quantized."""
    target = job.destination / _MODEL
    if job.technique == ORIGINAL:
        from gatekeeper.frameworks._gguf import write_gguf

        write_gguf(job.source, target)
        return
    weights, _, cache = job.technique.partition("_kv_")
    source = _file(job.original or job.source)
    _weights.quantize(source, target, weights, _KINDS[weights].file_type, _asked(job, source))
    _check(target, weights, bool(cache))
    if cache:
        write_session(job.destination, {"kv_cache": cache})


def _asked(job: OptimizeJob, source: Path) -> _weights.Weights:
    """What the options say of the matrices."""
    said = given(job, Blocks)
    weighed = said.imatrix if isinstance(said, Weighed) else False
    return _weights.Weights(
        output=said.output,
        embeddings=said.embeddings,
        tensors=said.tensors,
        importance=_importance(job, source) if weighed else {},
    )


def _importance(job: OptimizeJob, source: Path) -> dict[str, np.ndarray]:
    from gatekeeper.data.draw import evenly
    from gatekeeper.data.prepared import PreparedDataset
    from gatekeeper.frameworks._llama_cpp_imatrix import importance

    if job.calibration is None:
        raise NotMeasured("data", "`imatrix` needs `dataset.calibration`: a text that is not in the evaluation set. Name one.")
    tokens = PreparedDataset(job.calibration).inputs["tokens"]
    wanted = given(job, Weighed).examples or min(WINDOWS, len(tokens))
    if wanted > len(tokens):
        raise NotMeasured(
            "data", f"`examples` is {wanted}, and the calibration set has {len(tokens)} windows of text. Lower it, or add text."
        )
    return importance(source, (tokens[i] for i in evenly(len(tokens), wanted)), _weights.threads())


def _check(target: Path, weights: str, cache: bool) -> None:
    """llama.cpp chooses types tensor by tensor, and another one where a row does not fit the one asked for."""
    from gatekeeper.models.files import assess

    made, wanted = assess(target), _KINDS[weights]
    if wanted.type not in made.weights:
        raise NotMeasured(
            "unsupported",
            f"llama.cpp made no tensor of the type {wanted.type}, only {', '.join(made.weights)}. "
            f"Leave {weights} out for this model.",
        )
    if cache and made.text and (reason := unfit_heads(made.text.head)):
        raise NotMeasured("unsupported", f"{reason}. Leave the KV cache as it is for this model.")


def open_session(path: Path, threads: int, device: str, timed: bool = False) -> LlamaSession:
    """Load `path`, a .gguf file or the folder `optimize` wrote; `timed`: llama.cpp keeps its own times too."""
    from gatekeeper.frameworks._llama_cpp_session import LlamaSession

    if device not in _DEVICES:
        raise NotMeasured("unsupported", f"{supports('gguf', device)}. Choose another target.")
    return LlamaSession(_file(path), threads, device, read_session(path, LlamaCppSession), timed=timed)


def open_tokenizer(path: Path) -> LlamaTokenizer:
    """The tokenizer of a .gguf file."""
    from gatekeeper.frameworks._llama_cpp_session import LlamaTokenizer

    return LlamaTokenizer(_file(path))


def _file(path: Path) -> Path:
    return path / _MODEL if path.is_dir() else path
