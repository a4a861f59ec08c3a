"""Adapters, which change the weights of another model: named wherever a model is looked at, as most runtimes would leave them out
without a word.
"""

from __future__ import annotations

import json
from pathlib import Path

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin", "adapters.safetensors", "adapters.npz")
"""PEFT's, and those of MLX."""

MODEL = "config.json"
MERGE = "Merge it into its model with PEFT's merge_and_unload(), save that with its tokenizer, and name the folder"
MAX_CONFIG = 1 << 20


def adapter(path: Path) -> str | None:
    """Why a path is no whole model, as it is an adapter; None if it is none. Said of a folder and of an adapter's own file."""
    if path.name in (CONFIG, *WEIGHTS) and path.is_file():
        return adapter(path.parent)
    found = [name for name in (*WEIGHTS, CONFIG) if (path / name).is_file()]
    if not found:
        return None
    if (path / MODEL).is_file():
        return (
            f"{found[0]} lies beside the model: an adapter, which some frameworks would apply and others leave out. {MERGE}; or "
            "move it out of the folder, where the model is meant without it."
        )
    return f"an adapter ({found[0]}), not a model: it changes the weights of {_base(path) or 'another one'}. {MERGE}."


def _base(folder: Path) -> str:
    """The model it is for, where it says so."""
    try:
        with (folder / CONFIG).open("rb") as file:
            data = json.loads(file.read(MAX_CONFIG))
    except (OSError, ValueError, RecursionError):
        return ""
    name = (data.get("base_model_name_or_path") or data.get("model")) if isinstance(data, dict) else None
    return name if isinstance(name, str) and len(name) <= 200 and name.isprintable() else ""
