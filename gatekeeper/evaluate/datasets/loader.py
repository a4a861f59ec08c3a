"""The user's own function: `package.module:function` returning (inputs, labels), imported from the file's folder."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from gatekeeper.config.sections.dataset import Dataset
from gatekeeper.errors import NotMeasured
from gatekeeper.models.info import TensorInfo


def reads(path: Path | None, dataset: Dataset) -> bool:
    """When `loader` is given and no file is."""
    return path is None and dataset.loader is not None


def read(path: Path, dataset: Dataset, inputs: list[TensorInfo], labelled: bool) -> tuple[dict[str, Any], Any]:
    """`path` is the folder to import from."""
    loaded = call(dataset.loader or "", user_function(dataset.loader or "", path))
    if not isinstance(loaded, tuple) or len(loaded) != 2:
        raise NotMeasured("data", f"the loader '{dataset.loader}' must return (inputs, labels), not {type(loaded).__name__}.")
    features, labels = loaded
    if not isinstance(features, dict):
        features = {inputs[0].name: features}
    return features, labels if labelled else None


def call(name: str, function: Any, *arguments: Any) -> Any:
    """Call the user's code; what it raises is told with its place."""
    try:
        return function(*arguments)
    except NotMeasured:
        raise
    except (Exception, SystemExit) as error:  # sys.exit in a script of the user's is no end of ours
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        raise NotMeasured("data", f"'{name}' raised {type(error).__name__} at {place}: {error}. Repair the function.") from error


def user_function(name: str, folder: Path) -> Any:
    """Import `package.module:function` with `folder` on the path."""
    module, _, function = name.partition(":")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    os.chdir(folder)  # files it opens are found as from the pipeline file's folder
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise NotMeasured("data", f"'{name}': no module '{error.name}' in {folder} or installed. Correct the name.") from None
    attribute = getattr(imported, function, None)
    if attribute is None:
        raise NotMeasured("data", f"'{name}': the module has no '{function}'. Correct the name.")
    if not callable(attribute):
        raise NotMeasured("data", f"'{name}' is not a function.")
    return attribute
