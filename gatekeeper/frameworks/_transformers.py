"""Hugging Face transformers in FP32: not a framework to optimize with, but what a conversion is held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

EXTRA = "huggingface"
REQUIRES = ("torch", "transformers")


class TransformersSession:
    """A causal language model as its own library runs it."""

    inputs = ("tokens",)
    outputs = ("logits",)

    def __init__(self, folder: Path, threads: int):
        import torch

        from gatekeeper.frameworks._torch_text import load

        torch.set_num_threads(threads)
        self._torch, self._model = torch, load(folder)

    def run(self, feed: dict[str, Any]) -> list[Any]:
        """Logits, float32 [1, n, vocabulary]."""
        with self._torch.inference_mode():
            logits = self._model(self._torch.from_numpy(feed["tokens"]), use_cache=False).logits
        return [logits.numpy()]


def open_session(path: Path, threads: int, device: str) -> TransformersSession:
    """Load a Hugging Face folder on the CPU."""
    return TransformersSession(path, threads)
