"""The user's own function: `package.module:function` returning (inputs, labels), imported from the file's folder."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from gatekeeper.config.types import Dataset
from gatekeeper.errors import NotMeasured
from gatekeeper.models.info import TensorInfo


def reads(path: Path | None, dataset: Dataset) -> bool:
    """When `loader` is given and no file is."""
    return path is None and dataset.loader is not None


def read(path: Path, dataset: Dataset, inputs: list[TensorInfo], labelled: bool) -> tuple[dict[str, Any], Any]:
    """`path` is the folder to import from."""
    loaded = user_function(dataset.loader or "", path)()
    if not isinstance(loaded, tuple) or len(loaded) != 2:
        raise NotMeasured("data", f"the loader '{dataset.loader}' must return (inputs, labels), not {type(loaded).__name__}.")
    found, labels = loaded
    if not isinstance(found, dict):
        found = {inputs[0].name: found}
    return found, labels if labelled else None


def user_function(name: str, folder: Path) -> Any:
    """Import `package.module:function` with `folder` on the path."""
    module, _, function = name.partition(":")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise NotMeasured("data", f"'{name}': no module '{error.name}' in {folder} or installed. Correct the name.") from None
    found = getattr(imported, function, None)
    if found is None:
        raise NotMeasured("data", f"'{name}': the module has no '{function}'. Correct the name.")
    if not callable(found):
        raise NotMeasured("data", f"'{name}' is not a function.")
    return found
