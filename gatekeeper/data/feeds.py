"""Feeds on disk: what a model is timed, tested and loaded with, the same for all of them.

An .npz with an array for each of the model's inputs, of shape [feeds, batch, ...]. Of a text model: `tokens` [prompts, length]
and `new_tokens` [prompts], as `generate` takes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gatekeeper.models.info import TEXT, TensorInfo

Feed = dict[str, Any]


def read_feeds(path: Path | str) -> list[Feed]:
    """Every feed, in order."""
    import numpy as np

    with np.load(path) as arrays:
        whole = {name: arrays[name] for name in arrays.files}
    count = len(next(iter(whole.values())))
    return [{name: array[i] for name, array in whole.items()} for i in range(count)]


def read_prompts(path: Path | str, most_tokens: int) -> list[Feed]:
    """Of a text model, the beginnings of its prompts as `run` takes them: `tokens` of shape [1, at most `most_tokens`]."""
    import numpy as np

    return [{"tokens": np.ascontiguousarray(feed["tokens"][None, :most_tokens])} for feed in read_feeds(path)]


def count_feeds(path: Path | str) -> int:
    """How many there are."""
    import numpy as np

    with np.load(path) as arrays:
        return len(arrays[arrays.files[0]])


def write_feeds(path: Path | str, feeds: Sequence[Mapping[str, Any]]) -> None:
    """Write feeds that are alike in shape."""
    import numpy as np

    stacked: dict[str, Any] = {name: np.stack([feed[name] for feed in feeds]) for name in feeds[0]}
    np.savez(path, **stacked)


def made_up(generator: Any, tensor: TensorInfo, batch: int) -> Any:
    """An input of the right shape where there is no dataset; it says how fast a model is, and whether two are one."""
    import numpy as np

    shape = [d if isinstance(d, int) and d > 0 else 1 for d in tensor.shape]
    if shape:
        shape[0] = batch
    if tensor.dtype.startswith("float"):
        return generator.standard_normal(shape).astype(tensor.dtype)
    return np.zeros(shape, dtype="U1" if tensor.dtype == TEXT else tensor.dtype)
