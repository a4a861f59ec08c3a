"""Datasets as the preparing worker is asked for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatekeeper.data.prepared import PreparedDataset
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.prepare import Prepare, prepare


def tensor(dtype: str = "float32", shape: Any = ("N", 4), name: str = "x") -> dict[str, Any]:
    return {"name": name, "dtype": dtype, "shape": list(shape)}


def prepared(folder: Path, path: Path | None, model: Any, /, labelled: bool = True, **dataset: Any) -> PreparedDataset:
    """What comes of a `dataset` section for a model of these inputs, by default one of four numbers."""
    out = folder / "out"
    out.mkdir(exist_ok=True)
    request = Prepare(
        dataset=dataset,
        path=None if path is None else str(path),
        folder=str(folder),
        labelled=labelled,
        inputs=list(model or [tensor()]),
        task=None,
        destination=str(out),
    )
    prepare(request)
    return PreparedDataset(out)


def ask(path: Path, /, *inputs: dict[str, Any], **dataset: Any) -> PreparedDataset:
    """A file or a folder, prepared."""
    return prepared(path.parent, path, inputs, **dataset)


def refusal(path: Path, /, *inputs: dict[str, Any], **dataset: Any) -> str:
    """The message of a dataset that must be refused as the data's fault."""
    with pytest.raises(NotMeasured) as raised:
        ask(path, *inputs, **dataset)
    assert raised.value.kind == "data"
    return str(raised.value)
