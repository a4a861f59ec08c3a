"""The first node at which two runtimes part: what is computed on the way is given out by both and compared, ever finer.

A few tensors evenly spread over the graph are compared, then those between the last one that was the same and the first one
that was not. Giving a tensor out may keep a runtime from fusing it, and so from differing: then nothing is found.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.frameworks._spec import ModelSpec, open_session
from gatekeeper.process.messages import Answer, Held, Request

AT_ONCE = 24
"""Tensors given out at a time."""
SECONDS = 60.0
FAR = 0.01
"""As a fraction of a tensor's size; of whole numbers, any difference."""


class FindFirst(Request, frozen=True, kw_only=True):
    """Where `other` parts from `reference`, the same ONNX file in another framework, on the first batch of a dataset."""

    reference: ModelSpec
    other: ModelSpec
    dataset: str
    batch_size: int
    scratch: str

    def answer(self, held: Held) -> First:
        """Search, as long as there is time."""
        from gatekeeper.frameworks._onnx_expose import Computed, computed
        from gatekeeper.frameworks._onnx_prepare import inlined

        end = time.monotonic() + SECONDS
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            source = inlined(Path(self.reference.artifact), Path(folder))
            nodes: list[Computed] = computed(source)
            feed = _whole(PreparedDataset(Path(self.dataset)).batch(0, self.batch_size), self.batch_size)
            low, high, found = 0, len(nodes), First()
            while low < high and time.monotonic() < end:
                step = -(-(high - low) // AT_ONCE)
                chosen = list(range(low + step - 1, high, step))
                if not chosen or chosen[-1] != high - 1:
                    chosen.append(high - 1)
                parted = self._parted(source, Path(folder), feed, [nodes[i].tensor for i in chosen])
                at = next((k for k, share in enumerate(parted) if share), None)
                if at is None:
                    break
                node = nodes[chosen[at]]
                found = First(node=node.node, operator=node.operator, share=parted[at])
                low, high = (chosen[at - 1] + 1 if at else low), chosen[at]
            return found

    def _parted(self, source: Path, folder: Path, feed: dict[str, Any], tensors: list[str]) -> list[float]:
        """Of each tensor the share of its numbers that are far apart; 0 of what is no tensor of numbers."""
        from gatekeeper.frameworks._onnx_expose import expose

        target = folder / "exposed.onnx"
        expose(source, target, tensors)
        answers = []
        for spec in (self.reference, self.other):
            answers.append(open_session(msgspec.structs.replace(spec, artifact=str(target))).run(feed))
        return [_share(a, b) for a, b in zip(*answers, strict=True)]


class First(Answer, frozen=True, kw_only=True):
    """The node, its operator and the share of its numbers that differ; empty where none was found."""

    node: str = ""
    operator: str = ""
    share: float = 0.0


def _share(reference: Any, other: Any) -> float:
    import numpy as np

    if not (isinstance(reference, np.ndarray) and isinstance(other, np.ndarray)) or reference.dtype.kind not in "biuf":
        return 0.0
    if reference.shape != other.shape:
        return 1.0
    if not reference.size:
        return 0.0
    if reference.dtype.kind != "f":
        return float((reference != other).mean())
    a, b = reference.astype(float), other.astype(float)
    finite = np.isfinite(a) & np.isfinite(b)
    size = float(np.sqrt(np.mean(np.where(finite, a, 0) ** 2)))
    with np.errstate(invalid="ignore"):
        far = np.where(finite, np.abs(a - b) > FAR * size, np.isfinite(a) != np.isfinite(b))
    return float(far.mean())


def _whole(feed: dict[str, Any], size: int) -> dict[str, Any]:
    """As many examples as asked for, some of them again where there are fewer."""
    import numpy as np

    return {name: np.resize(a, (size, *a.shape[1:])) if len(a) < size else a for name, a in feed.items()}
