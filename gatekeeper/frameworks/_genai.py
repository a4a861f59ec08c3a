"""Language models in ONNX Runtime: built from Hugging Face folders, and run, by onnxruntime-genai."""

from __future__ import annotations

import io
import json
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import likeliest

if TYPE_CHECKING:
    from gatekeeper.frameworks._base import OptimizeJob
    from gatekeeper.frameworks._onnx_options import OnnxRuntimeSession
    from gatekeeper.models.info import Assessment

PACKAGES = ("onnxruntime-genai", "onnxruntime", "onnx", "onnx-ir", "torch", "transformers", "numpy")
CONFIG = "genai_config.json"
"""The file that makes a folder one of onnxruntime-genai's."""
_BESIDE = (
    CONFIG, "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "chat_template*",
)  # fmt: skip

# Each was held against transformers. The builder knows more, and some of those come out wrong: olmo, phi, nemotron, lfm2.
FAMILIES = (
    "ernie4_5", "gemma", "gemma2", "granite", "hunyuan_v1_dense", "llama", "mistral", "phi3", "qwen2", "qwen3", "smollm3",
)  # fmt: skip


def refuses(model: Assessment) -> str | None:
    """None, or why the model cannot be built."""
    if model.quantized:
        return "the model is already quantized; start from the floating-point original"
    if model.text is None:
        return "it is for models that write text, and this one does not"
    if model.text.family not in FAMILIES:
        return (
            f"onnxruntime-genai's model builder is known to convert {', '.join(FAMILIES)} exactly, not {model.text.family}; "
            "export the model to another format, or leave the framework out"
        )
    return None


def build(job: OptimizeJob, precision: str, **options: str) -> None:
    """Write job.source to job.destination, at a precision (fp32, fp16, int8 or int4), with the builder's `options`."""
    import tempfile

    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    source, made = str(job.source), str(job.destination)
    wanted = [f"{name}={value}" for name, value in ({"hf_token": "false"} | options).items()]
    with tempfile.TemporaryDirectory(dir=job.destination) as folder, silent():
        from onnxruntime_genai.models.builder import create_model, parse_extra_options

        cache = str(Path(folder) / "cache")
        try:
            parsed = parse_extra_options(None, source, made, precision, job.device, cache, wanted)
            create_model(None, source, made, precision, job.device, cache, **parsed)
        except Exception as error:
            if is_of_the_machine(error):
                raise
            raise NotMeasured(
                "unsupported",
                f"onnxruntime-genai's model builder cannot convert this model: {said(error)}. Leave the framework out for it.",
            ) from error
    _check_whole(job.destination / "model.onnx")


def copy_beside(original: Path, destination: Path) -> None:
    """Copy what onnxruntime-genai and its users want beside the weights."""
    for file in original.iterdir():
        if any(file.match(pattern) for pattern in _BESIDE):
            shutil.copyfile(file, destination / file.name)


def _check_whole(model: Path) -> None:
    """`NotMeasured` where layers do not lead to the answer.

    The builder takes any matrix with as many outputs as the vocabulary for the last layer, and says nothing.
    """
    import onnx

    graph = onnx.load(str(model), load_external_data=False).graph
    makers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    used, queue = set(), ["logits"]
    while queue:
        index = makers.get(queue.pop())
        if index is not None and index not in used:
            used.add(index)
            queue += graph.node[index].input
    if any(makers[output.name] not in used for output in graph.output):
        raise NotMeasured(
            "unsupported",
            "onnxruntime-genai's model builder took an inner matrix for the last layer, because it is as large as the "
            "vocabulary: whole layers would be missing. Leave the framework out for this model.",
        )


class GenaiSession:
    """A model that onnxruntime-genai runs, with threads of our choosing."""

    inputs = ("tokens",)
    outputs = ("logits",)

    def __init__(self, folder: Path, threads: int, device: str, asked: OnnxRuntimeSession):
        import onnxruntime_genai

        self._genai = onnxruntime_genai
        session: dict[str, Any] = {"intra_op_num_threads": threads, "inter_op_num_threads": 1, "log_severity_level": 4}
        if not asked.arena:
            session["enable_cpu_mem_arena"] = False
        if not asked.prepacking:
            session["session.disable_prepacking"] = "1"
        try:
            config = onnxruntime_genai.Config(str(folder))
            config.overlay(json.dumps({"model": {"decoder": {"session_options": session}}}))
            config.clear_providers()
            if device != "cpu":
                config.append_provider(device)
            self._model = onnxruntime_genai.Model(config)
        except Exception as error:
            if is_of_the_machine(error):
                raise
            raise _not_opened(device, error) from error
        self.ran_on = str(self._model.device_type)
        if self.ran_on.lower() != device:
            raise NotMeasured("unsupported", f"ONNX Runtime fell back from {device} to {self.ran_on}. Check the GPU driver.")
        self._limit, self._least = _lengths(json.loads((folder / CONFIG).read_text(encoding="utf-8"))["model"])

    def run(self, feed: dict[str, Any]) -> list[Any]:
        """[logits], float32 [1, n, vocabulary], for {"tokens": int64 [1, n]}; from an empty context."""
        import numpy as np

        tokens = feed["tokens"]
        return [np.array(self._after(tokens, tokens.shape[1]).get_output("logits"), np.float32)]

    def generate(self, feed: dict[str, Any]) -> Iterator[int]:
        """Yield feed["new_tokens"] token ids after the prompt feed["tokens"], each as soon as it is known.

        Not by genai's own `generate_next_token`, which stops at the end of a text and obeys the penalties of the model's
        generation settings. The copy of the logits that this takes is about 0.1 ms a token at 8,000 entries.
        """
        import numpy as np

        tokens, new, choose = feed["tokens"], int(feed["new_tokens"]), feed.get("choose", likeliest)
        generator = self._after(tokens[None], len(tokens) + new)
        for rest in reversed(range(new)):
            token = choose(generator.get_logits()[0, -1])
            yield token
            if rest:
                generator.append_tokens(np.array([[token]], np.int32))

    def _after(self, tokens: Any, length: int) -> Any:
        """A generator that has read the tokens, with room for `length`."""
        if length > self._limit:
            raise NotMeasured(
                "data", f"{length} tokens are more than the {self._limit} that this model takes here. Use shorter texts."
            )
        parameters = self._genai.GeneratorParams(self._model)
        parameters.set_search_options(max_length=max(length, self._least), num_beams=1, num_return_sequences=1)
        generator = self._genai.Generator(self._model, parameters)
        generator.append_tokens(tokens.astype("int32"))
        return generator


def _lengths(model: dict[str, Any]) -> tuple[int, int]:
    """Tokens that answers are right for, and those that there must be room for.

    The first is the context, or less: of families that look back equally far in every layer (mistral, phi3) the builder
    leaves that window out, and lists no layers that have it. Where it lists some, their cache must hold a window.
    """
    context, window = int(model["context_length"]), model["decoder"].get("sliding_window") or {}
    size = int(window.get("window_size") or 0)
    if window.get("layers"):
        return context, min(size, context)
    return min(context, size) if size else context, 0


def _not_opened(device: str, error: Exception) -> NotMeasured:
    if device != "cpu":
        return NotMeasured(
            "unsupported",
            f"the installed onnxruntime-genai cannot use {device}: {said(error)}. Install onnxruntime-genai-{device}, or use a "
            "CPU target.",
        )
    return NotMeasured("model", f"onnxruntime-genai cannot load the model: {said(error)}. Build it again.")


@contextmanager
def silent() -> Iterator[None]:
    """Keep what a library prints out of the worker's log, where only what explains a crash should be."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def is_of_the_machine(error: BaseException) -> bool:
    """Whether an error is one of memory or disk, which says nothing of the model."""
    return isinstance(error, MemoryError) or getattr(error, "errno", None) is not None or "alloc" in str(error)


def said(error: BaseException) -> str:
    """What an exception says, on one line; its type where the text alone says nothing."""
    text = " ".join(str(error).split())[:500].rstrip(".")
    return text if " " in text else f"{type(error).__name__} {text}".strip()
