"""llama.cpp through its C interface: models, contexts and vocabularies, freed when nobody holds them any more.

The Python class over it copies every logit of every step into an array of its own, and samples in Python.
"""

from __future__ import annotations

import ctypes
import os
import re
import weakref
from collections import deque
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import ChatTemplate, likeliest
from gatekeeper.frameworks._llama_cpp_options import PADDING, LlamaCppSession

if TYPE_CHECKING:
    import numpy as np

    from gatekeeper.frameworks._llama_cpp_imatrix import Listener

_ERROR, _CONTINUED = 4, 5  # enum ggml_log_level
_NOTHING = {"failed to load model"}
_SENTENCEPIECE = 1  # enum llama_vocab_type
_GPU_BUILDS = {"cuda": "-DGGML_CUDA=on", "metal": "-DGGML_METAL=on"}


class LlamaLog:
    """What llama.cpp says comes here instead of to the terminal; the last errors are kept for messages."""

    def __init__(self) -> None:
        self.errors: deque[str] = deque(maxlen=8)
        self.lines: deque[str] = deque(maxlen=2000)
        self._level = 0

    def hear(self, level: int, text: bytes, _: Any) -> None:
        """llama.cpp's callback."""
        self._level = self._level if level == _CONTINUED else level
        line = text.decode("utf-8", "replace").strip()
        if line:
            (self.errors if self._level == _ERROR else self.lines).append(line)

    def clear(self) -> None:
        """Forget what was said before a call."""
        self.errors.clear()
        self.lines.clear()

    def said(self) -> str:
        """The errors since, without the names of C functions."""
        lines = dict.fromkeys(re.sub(r"^(\w+: )+(error loading model: )?", "", line) for line in self.errors)
        return "; ".join(line for line in lines if line not in _NOTHING)[:500].rstrip(".") or "it does not say why"


@cache
def listen() -> LlamaLog:
    """The process's one log, in place of llama.cpp's own."""
    import llama_cpp

    log = LlamaLog()
    log.callback = llama_cpp.llama_log_callback(log.hear)  # type: ignore[attr-defined]  # must outlive every call
    llama_cpp.llama_log_set(log.callback, ctypes.c_void_p(0))  # type: ignore[attr-defined]
    llama_cpp.llama_backend_init()
    return log


class _Handles:
    """A model and its context; the context must go first."""

    def __init__(self, model: Any):
        self.model = model
        self.context: Any = None

    def free_context(self) -> None:
        import llama_cpp

        if self.context is not None:
            llama_cpp.llama_free(self.context)
            self.context = None

    def free(self) -> None:
        import llama_cpp

        self.free_context()
        llama_cpp.llama_model_free(self.model)


def _load(path: Path, device: str, vocab_only: bool = False) -> _Handles:
    import llama_cpp

    log = listen()
    params = llama_cpp.llama_model_default_params()
    params.load_mode = llama_cpp.LLAMA_LOAD_MODE_NONE  # pages of a mapped file are not counted as the process's memory
    params.vocab_only = vocab_only
    params.n_gpu_layers = 0 if device == "cpu" else -1
    nothing = (ctypes.c_void_p * 1)(None)
    if device == "cpu":
        params.devices = ctypes.cast(nothing, ctypes.c_void_p)  # else a build with Metal or CUDA still uses it for some work
    log.clear()
    model = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        kind = "memory" if re.search(r"alloc|out of memory", log.said()) else "model"
        raise NotMeasured(kind, f"llama.cpp cannot load {path.name}: {log.said()}. Convert it again, or leave llama.cpp out.")
    return _Handles(model)


DEFAULT = LlamaCppSession()


class LlamaSession:
    """A model whose context is made for the first feed, and again for a longer one: its memory is the feeds' own.

    Where it is opened with a context of its own, that is allocated as a whole, and once it is full the older half of what it
    holds is forgotten, as llama.cpp's own programs do (their "context shift").
    """

    inputs = ("tokens",)
    outputs = ("logits",)

    def __init__(
        self, path: Path, threads: int, device: str, opened: LlamaCppSession = DEFAULT, listener: Listener | None = None,
        timed: bool = False,
    ):  # fmt: skip
        """`listener` hears every product of matrices. `timed`: it keeps its own times, which `timings` returns."""
        import llama_cpp

        self.ran_on = _check_device(device)
        self._library, self._threads, self._device = llama_cpp, opened.of(threads), device
        self._opened, self._listener, self._batch = opened, listener, opened.at_once
        self._timed = timed
        self._handles = _load(path, device)
        weakref.finalize(self, self._handles.free)
        if device != "cpu":
            self.ran_on = _check_offloaded(listen(), device)
        model = self._handles.model
        self._vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
        self._trained = llama_cpp.llama_model_n_ctx_train(model)
        architecture = _metadata(model, "general.architecture")
        self._original = int(_metadata(model, f"{architecture}.rope.scaling.original_context_length") or self._trained)
        self._size = self._held = 0
        self._check_context(path.name)
        self._one = (ctypes.c_int32 * 1)()
        self._row = ctypes.c_float * self._vocabulary

    def run(self, feed: dict[str, Any]) -> list[Any]:
        """Logits of every position, float32 [1, n, vocabulary], for feed["tokens"], int64 [1, n]."""
        import numpy as np

        tokens = feed["tokens"][0]
        self._begin(len(tokens))
        logits = np.empty((1, len(tokens), self._vocabulary), np.float32)
        for start in range(0, len(tokens), self._step):
            part = tokens[start : start + self._step]
            self._decode(_tokens(part), len(part), every=True)
            rows = (self._row * len(part)).from_address(self._logits())
            logits[0, start : start + len(part)] = np.frombuffer(rows, np.float32).reshape(len(part), -1)
        return [logits]

    def generate(self, feed: dict[str, Any]) -> Iterator[int]:
        """Yield feed["new_tokens"] token ids after feed["tokens"], int64 [n], each as soon as it is known."""
        tokens, count, choose = feed["tokens"], int(feed["new_tokens"]), feed.get("choose", likeliest)
        self._begin(len(tokens) + count)
        for start in range(0, len(tokens), self._step):
            part = tokens[start : start + self._step]
            self._decode(_tokens(part), len(part))
        for i in range(count):
            if i:
                self._decode(self._one, 1)
            self._one[0] = choose(self._last())
            yield self._one[0]

    def _check_context(self, name: str) -> None:
        if (context := self._opened.context) and context > self._trained:
            raise NotMeasured(
                "unsupported", f"it asks for a context of {context} tokens, and {name} knows {self._trained}. Lower `context`."
            )

    def timings(self) -> dict[str, tuple[float, int]]:
        """Milliseconds that prompts and single tokens took so far, by llama.cpp's own clock, and of how many tokens."""
        told = self._library.llama_perf_context(self._handles.context)
        return {"prompt token": (told.t_p_eval_ms, told.n_p_eval), "further token": (told.t_eval_ms, told.n_eval)}

    def _begin(self, tokens: int) -> None:
        """An empty context for so many tokens, or the one it was opened with."""
        context = self._opened.context
        if tokens > self._trained and not context:
            raise NotMeasured(
                "data",
                f"a text of {tokens} tokens was given to a model that llama.cpp can run right for {self._trained}. Shorten it.",
            )
        size = context or -(-max(tokens, 1) // PADDING) * PADDING
        # A model with two sets of rotary factors takes those for long texts where its context is longer than the original.
        if size > self._size or (size <= self._original) != (self._size <= self._original):
            self._handles.free_context()
            self._handles.context = self._context(size)
            self._size = size
        library, self._held = self._library, 0
        memory = library.llama_get_memory(self._handles.context)
        if tokens > size and not library.llama_memory_can_shift(memory):
            raise NotMeasured(
                "data",
                f"a text of {tokens} tokens does not fit into a context of {size}, and llama.cpp cannot forget the beginning of "
                "a text with this model. Raise `context`, or shorten the text.",
            )
        library.llama_memory_clear(memory, False)
        self._step = self._batch if tokens <= size else min(self._batch, size // 2)  # half of it is free again when it was full

    def _context(self, size: int) -> Any:
        library, log = self._library, listen()
        params = library.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = size, self._batch, self._batch
        params.n_threads = params.n_threads_batch = self._threads
        params.no_perf = not self._timed
        params.offload_kqv = params.op_offload = self._device != "cpu"
        if (cache := self._opened.kv_cache) != DEFAULT.kv_cache:
            params.type_k = params.type_v = getattr(library, f"GGML_TYPE_{cache.upper()}")
            params.flash_attn_type = library.LLAMA_FLASH_ATTN_TYPE_ENABLED  # quantized values need it
        if self._listener is not None:
            self._heard = library.ggml_backend_sched_eval_callback(self._listener.hear)  # must outlive the context
            params.cb_eval = self._heard
        log.clear()
        context = library.llama_init_from_model(self._handles.model, params)
        if not context:
            kind = "memory" if re.search(r"alloc|out of memory", log.said()) else "unsupported"
            raise NotMeasured(kind, f"llama.cpp cannot make a context of {size} tokens: {log.said()}. Try another technique.")
        used = library.llama_n_threads(context), library.llama_n_threads_batch(context)
        if used != (self._threads, self._threads):
            raise NotMeasured("unsupported", f"llama.cpp took {used} threads instead of {self._threads}. Report this.")
        return context

    def _decode(self, tokens: Any, count: int, every: bool = False) -> None:
        """Compute tokens after those before, and the logits of the last one or of every one."""
        if self._held + count > self._size:
            self._forget()
        self._held += count
        batch = self._library.llama_batch_get_one(tokens, count)
        if every:
            batch.logits = (ctypes.c_int8 * count)(*[1] * count)
        code = self._library.llama_decode(self._handles.context, batch)
        if code:
            log = listen()
            raise NotMeasured(
                "memory" if code == -2 else "crash", f"llama.cpp's decode gave {code}: {log.said()}. Try a smaller model."
            )

    def _forget(self) -> None:
        """Drop the older half of what the context holds, and let the rest move up."""
        library, half = self._library, self._held - self._size // 2
        memory = library.llama_get_memory(self._handles.context)
        library.llama_memory_seq_rm(memory, 0, 0, half)
        library.llama_memory_seq_add(memory, 0, half, self._held, -half)
        self._held -= half

    def _logits(self) -> int:
        """Where the logits of the last call lie."""
        pointer = self._library.llama_get_logits(self._handles.context)
        if not pointer:
            raise NotMeasured("crash", "llama.cpp has no logits for what it computed. Report this.")
        return ctypes.addressof(pointer.contents)

    def _last(self) -> Any:
        """The logits of the last position, in llama.cpp's own memory."""
        import numpy as np

        return np.frombuffer(self._row.from_address(self._logits()), np.float32)


class LlamaTokenizer:
    """The vocabulary of a .gguf file."""

    def __init__(self, path: Path):
        import llama_cpp

        self._library = llama_cpp
        self._handles = _load(path, "cpu", vocab_only=True)
        weakref.finalize(self, self._handles.free)
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._handles.model)
        if llama_cpp.llama_vocab_type(self._vocabulary) == 0:
            raise NotMeasured("model", f"{path.name} has no tokenizer in it. Convert the model again with its tokenizer.")
        pieces = llama_cpp.llama_vocab_type(self._vocabulary) == _SENTENCEPIECE
        self._prefixed = pieces and _metadata(self._handles.model, "tokenizer.ggml.add_space_prefix") != "false"
        begin, end = llama_cpp.llama_vocab_bos(self._vocabulary), llama_cpp.llama_vocab_eos(self._vocabulary)
        self.before = [begin] if llama_cpp.llama_vocab_get_add_bos(self._vocabulary) and begin >= 0 else []
        self.after = [end] if llama_cpp.llama_vocab_get_add_eos(self._vocabulary) and end >= 0 else []

    @property
    def chat(self) -> ChatTemplate | None:
        """The template of conversations in the file."""
        library = self._library
        template = library.llama_model_chat_template(self._handles.model, None)
        if not template:
            return None
        ids = {"bos_token": library.llama_vocab_bos(self._vocabulary), "eos_token": library.llama_vocab_eos(self._vocabulary)}
        tokens = {name: self._piece(token, strip=False).decode("utf-8", "replace") for name, token in ids.items() if token >= 0}
        return ChatTemplate(template.decode("utf-8", "replace"), tokens)

    def encode(self, text: str) -> list[int]:
        """Token ids; special tokens only where the text names them."""
        data = text.encode()
        room = len(data) + 2
        ids = (ctypes.c_int32 * room)()
        count = self._library.llama_tokenize(self._vocabulary, data, len(data), ids, room, False, True)
        if count < 0:
            raise NotMeasured("data", f"llama.cpp needs {-count} tokens for {len(data)} bytes of text. Shorten the text.")
        return list(ids[:count])

    def decode(self, ids: list[int]) -> str:
        """The text of token ids."""
        pieces = [self._piece(token, strip=self._prefixed and not i) for i, token in enumerate(ids)]
        return b"".join(pieces).decode("utf-8", "replace")

    def _piece(self, token: int, strip: bool) -> bytes:
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = self._library.llama_token_to_piece(self._vocabulary, token, buffer, room, int(strip), True)
            if count >= 0:
                return buffer.raw[:count]
            room = -count


def _check_device(device: str) -> str:
    """The device's name; `NotMeasured` where the installed llama.cpp has no driver for it."""
    import llama_cpp

    if device == "cpu":
        return "CPU"
    if not llama_cpp.llama_supports_gpu_offload():
        raise NotMeasured(
            "unsupported",
            f"the installed llama-cpp-python finds no GPU for {device}. Install it with CMAKE_ARGS='{_GPU_BUILDS[device]}' pip "
            "install --force-reinstall --no-cache-dir llama-cpp-python, or use a CPU target.",
        )
    return device


def _check_offloaded(log: LlamaLog, device: str) -> str:
    """The GPU llama.cpp says it uses, with every layer of the model on it."""
    text = "\n".join(log.lines)
    used, layers = re.search(r"using device (.+?) - ", text), re.search(r"offloaded (\d+)/(\d+) layers", text)
    if not used or not layers or layers[1] != layers[2]:
        count = f"{layers[1]} of {layers[2]} layers" if layers else "no layer"
        raise NotMeasured("unsupported", f"llama.cpp put {count} on the {device} device. Use a smaller model or a CPU target.")
    return used[1]


def _tokens(part: np.ndarray) -> Any:
    return (ctypes.c_int32 * len(part))(*part.tolist())


def _metadata(model: Any, key: str) -> str:
    """A value of a .gguf file's metadata as text, empty if it is not there."""
    import llama_cpp

    buffer = ctypes.create_string_buffer(256)
    count = llama_cpp.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace") if count >= 0 else ""
