"""MLX: Apple's framework for its own chips, and mlx-lm, its language models."""

from __future__ import annotations

import fnmatch
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import OptimizeJob
from gatekeeper.frameworks._mlx_options import GROUP, Affine
from gatekeeper.frameworks._options import Options, given

if TYPE_CHECKING:
    from gatekeeper.models.info import Assessment

EXTRA = "mlx"
REQUIRES = ("mlx", "mlx-lm", "numpy")
OPENS = ("huggingface",)
RUNTIME = "mlx_lm.generate"  # it imports transformers, and that torch where it is: 200 MB that are not the model's

TECHNIQUES = {
    "int8": f"8-bit weights in groups of {GROUP} with a scale and an offset each, where that divides a layer's rows; "
    "arithmetic in the model's own type",
    "int4": "as int8, with 4-bit weights",
    "mixed_4_6": "as int4, with 6 bits for the last layer and the most sensitive of the others (mlx-lm's recipe)",
    "mixed_3_6": "as mixed_4_6, with 3 bits instead of 4",
    "mixed_3_4": "as mixed_4_6, with 3 bits instead of 4, and 4 instead of 6",
    "mixed_2_6": "as mixed_4_6, with 2 bits instead of 4",
    "fp16": "weights and arithmetic in half precision, for models in float32 or bfloat16",
}

OPTIONS: dict[str, type[Options]] = {technique: Affine for technique in TECHNIQUES if technique != "fp16"}

_DEVICES = ("metal", "cpu")
# What mlx-lm and those who use the folder want beside the weights. No code (*.py): nothing here runs it.
_KEPT = (
    "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.tiktoken", "chat_template*",
    "generation_config.json",
)  # fmt: skip
_OUT_OF_MEMORY = ("malloc]", "Insufficient Memory", "bad_alloc")


def supports(model_format: str, device: str) -> str | None:
    """None, or why MLX cannot run this format on this device."""
    if model_format != "huggingface":
        return f"MLX reads Hugging Face folders of language models, not {model_format}"
    if device not in _DEVICES:
        return f"this version drives MLX on {' and '.join(_DEVICES)}, not on {device}"
    return None


def untimed(device: str) -> str | None:
    """Why times measured on this device say nothing; None on Metal."""
    if device == "metal" and sys.platform == "darwin" and platform.machine() == "arm64":
        return None
    return "reference CPU backend, run this target on Apple Silicon"


def defaults(model_format: str, device: str) -> tuple[str, ...]:
    """Techniques worth trying on a device."""
    return ("int8", "int4", "mixed_4_6")


def refuses(technique: str, model: Assessment, calibrated: bool) -> str | None:
    """None, or why the technique cannot change this model."""
    if model.text is None:
        return "MLX runs language models only, and this model does not write text"
    if model.quantized:
        return "the model is already quantized; start from the floating-point original"
    if technique == "fp16":
        halved = model.text.dtype == "float16"
        return "the weights are float16 already" if halved else None
    rows = model.text.row_lengths
    if rows and not any(length % GROUP == 0 for length in rows):
        lengths = ", ".join(map(str, rows))
        return f"it cuts rows into groups of {GROUP}, and no row length of the model ({lengths}) is a multiple; try fp16"
    return None


def optimize(job: OptimizeJob) -> None:
    """Write the artifact to the folder `job.destination`: config.json, weights in safetensors, the tokenizer's files."""
    _use(job.device)
    from mlx_lm.utils import save_config, save_model

    with redirect_stdout(sys.stderr), _explained():  # mlx-lm says what it does
        model, config = _load(job.source, lazy=True)
        config = _halved(model, config) if job.technique == "fp16" else _quantized(job, model, config)
        save_model(job.destination, model, donate_model=True)
        save_config(config, job.destination / "config.json")
    for file in sorted(job.source.iterdir()):
        if file.is_file() and any(fnmatch.fnmatch(file.name, pattern) for pattern in _KEPT):
            shutil.copyfile(file, job.destination / file.name)


def _quantized(job: OptimizeJob, model: Any, config: dict[str, Any]) -> dict[str, Any]:
    """Quantize in place; the configuration that says so."""
    from gatekeeper.frameworks._mlx_quantize import learned, quantized, teacher

    said = given(job, Affine)
    if not said.dwq:
        return quantized(job.technique, model, config, said)
    from gatekeeper.data.prepared import PreparedDataset

    if job.calibration is None:
        raise NotMeasured("data", "`dwq` needs `dataset.calibration`: a text that is not in the evaluation set. Name one.")
    original = teacher(model)
    config = quantized(job.technique, model, config, said)
    learned(model, original, PreparedDataset(job.calibration).inputs["tokens"], said)
    return config


def _halved(model: Any, config: dict[str, Any]) -> dict[str, Any]:
    """Cast in place what mlx-lm's own conversion casts; the configuration that says so."""
    import mlx.core as mx
    from mlx.utils import tree_flatten, tree_unflatten

    wanted = getattr(model, "cast_predicate", lambda name: True)
    full = {
        name: array.astype(mx.float16)
        for name, array in tree_flatten(model.parameters())
        if wanted(name) and array.dtype in (mx.float32, mx.bfloat16)
    }
    if not full:
        raise NotMeasured("unsupported", "it changed nothing: no weight is float32 or bfloat16. Leave fp16 out.")
    model.update(tree_unflatten(list(full.items())))
    return config | {name: "float16" for name in ("dtype", "torch_dtype") if name in config}


class MlxSession:
    """A model as mlx-lm's own `generate` runs it."""

    inputs = ("tokens",)
    outputs = ("logits",)

    def __init__(self, path: Path, device: str):
        self.ran_on = _use(device)
        import mlx.core as mx
        from mlx_lm.generate import generate_step
        from mlx_lm.utils import maybe_set_recommended_wired_limit

        with redirect_stdout(sys.stderr), _explained():
            self._model, _ = _load(path, lazy=False)
        maybe_set_recommended_wired_limit()  # on Metal: large models stay in memory, as under mlx-lm's `generate`
        self._mx, self._steps = mx, generate_step
        # mlx-lm's own stream belongs to the device that was the default when it was imported.
        self._stream = mx.default_stream(mx.default_device())

    def run(self, feed: dict[str, Any]) -> list[Any]:
        """[logits], float32 [1, n, vocabulary], for {"tokens": int64 [1, n]}; from an empty context."""
        import numpy as np

        with _explained():
            logits = self._model(self._mx.array(feed["tokens"])).astype(self._mx.float32)
            return [np.array(logits)]

    def generate(self, feed: dict[str, Any]) -> Iterator[int]:
        """Yield feed["new_tokens"] token ids after the prompt feed["tokens"], each as soon as it is known.

        As for mlx-lm's users, the next step is under way before a token is handed out.
        """
        given = {"sampler": self._sampler(feed["choose"])} if "choose" in feed else {}
        tokens, most = self._mx.array(feed["tokens"]), int(feed["new_tokens"])
        steps = self._steps(tokens, self._model, stream=self._stream, max_tokens=most, **given)
        try:
            with _explained():
                for token, _ in steps:
                    yield token
        finally:
            self._mx.synchronize(self._stream)  # the step begun after the last token must not slow what comes next

    def _sampler(self, choose: Callable[[Any], int]) -> Callable[[Any], Any]:
        """As mlx-lm takes it: of scores [1, vocabulary] the token, [1]."""
        import numpy as np

        return lambda scores: self._mx.array([choose(np.array(scores.astype(self._mx.float32))[0])])


def open_session(path: Path, threads: int, device: str) -> MlxSession:
    """Load the folder `path`, the user's or one that `optimize` wrote. MLX chooses its threads itself (see `ran_on`)."""
    return MlxSession(path, device)


def _use(device: str) -> str:
    """Make MLX compute on a device, never on another; what MLX then says it computes on."""
    import mlx.core as mx

    if reason := supports("huggingface", device):
        raise NotMeasured("unsupported", f"{reason}. Choose another target.")
    if device == "metal":
        if not mx.metal.is_available():
            here = f"{platform.system()} on {platform.machine()}"
            raise NotMeasured(
                "unsupported", f"MLX finds no Metal on this machine ({here}). Run this target on an Apple Silicon Mac."
            )
        mx.set_default_device(mx.gpu)
        return f"{mx.default_device().type.name} ({mx.device_info().get('device_name', 'Metal')})"
    mx.set_default_device(mx.cpu)
    # The CPU backend fuses operations by running g++ while it computes, and loads the result from a folder under /tmp
    # whose name anybody can guess. The reference does without.
    mx.disable_compile()
    return f"{mx.default_device().type.name}, threads not settable"


def _load(path: Path, lazy: bool) -> tuple[Any, dict[str, Any]]:
    """The model and its configuration, at the precision in which the weights are stored."""
    from mlx_lm.utils import load_config, load_model

    family = "this family"
    try:
        config = load_config(path)
        family = _family(config)
        model, config = load_model(path, lazy=lazy, model_config=_rotary(config))
    except Exception as error:
        text = _said(error)
        if _is_memory(text):
            raise
        if text.startswith("Model type"):
            raise NotMeasured(
                "unsupported", f"mlx-lm has no models of the family {family}. Leave apple_mlx out for this model."
            ) from error
        raise NotMeasured("model", f"MLX cannot load the model: {text}") from error
    return model, dict(config)


def _rotary(config: dict[str, Any]) -> dict[str, Any]:
    """The settings of rotary positions, under the names that they had before transformers 5.

    Most models of mlx-lm know those only, and take a default for what they do not find: another base, no scaling.
    """
    if isinstance(nested := config.get("text_config"), dict):  # of a model that also sees; its vocabulary is asked for above
        size = {"vocab_size": nested["vocab_size"]} if "vocab_size" in nested and config.get("vocab_size") is None else {}
        return {"text_config": nested | _rotary(nested), **size}
    rope = config.get("rope_parameters")
    if not isinstance(rope, dict):
        return {}
    local = {}
    if isinstance(sliding := rope.get("sliding_attention"), dict):  # per kind of layer, as Gemma 3 has them
        local = {"rope_local_base_freq": sliding.get("rope_theta")}
        rope = rope.get("full_attention", {})
    names = ("rope_theta", "partial_rotary_factor", "original_max_position_embeddings")
    kind = rope.get("rope_type", "default")
    old = {name: rope.get(name) for name in names} | local
    old["rope_scaling"] = rope | {"type": kind} if kind != "default" else None
    return {name: value for name, value in old.items() if value is not None and config.get(name) is None}


def _family(config: dict[str, Any]) -> str:
    return str(config.get("model_type", "this family"))


@contextmanager
def _explained() -> Iterator[None]:
    """Say what lack of memory or of disk means; MLX raises RuntimeError for both."""
    try:
        yield
    except RuntimeError as error:
        text = _said(error)
        if _is_memory(text):
            raise NotMeasured("memory", f"out of memory: {text}. Use a smaller model or a machine with more memory.") from error
        if "[write]" in text:
            raise NotMeasured("disk", f"MLX cannot write the artifact: {text} Free some space.") from error
        raise


def _is_memory(text: str) -> bool:
    return any(sign in text for sign in _OUT_OF_MEMORY)


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:500] or type(error).__name__
