"""Names in a pipeline file that mean something inside other files: a model's outputs, a set's arrays or columns, a function.

Nothing is run, and no array is read: what cannot be told this way is left to the run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError, nearest
from gatekeeper.models.files import assess, model_format, there

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review
    from gatekeeper.config.source import Path_

MOST_LISTED = 12


def check_outputs(review: Review, path: Path_, wanted: Iterable[str]) -> None:
    """Outputs that the model does not have."""
    _check_tensors(review, path, list(wanted), "output")


def _check_tensors(review: Review, path: Path_, names: list[str], end: str) -> None:
    model = review.loaded.model_path()
    if not names or model is None or not there(model) or model_format(model) is None:
        return
    try:
        about = assess(model)
        found = [tensor.name for tensor in ([*about.inputs, *about.defaults] if end == "input" else about.outputs)]
    except (GatekeeperError, OSError):  # the run says what is wrong with it
        return
    if found:
        _check(review, path, names, found, f"the model has no {end}", "It has")


def check_inputs(review: Review, path: Path_, wanted: Iterable[str]) -> None:
    """Inputs that the model does not have."""
    _check_tensors(review, path, list(wanted), "input")


def check_task(review: Review, path: Path_, what: str, wanted: str, task: str | None) -> None:
    """A part of the file that belongs to one task, and stands beside another."""
    if task != wanted:
        review.add(path, f"{what} are of the task {wanted}. Set `model.task`, or remove them.", key=True)


def check_keys(review: Review, path: Path_, wanted: Iterable[str], data: Path) -> None:
    """Arrays of an .npz, or columns of a table, that are not there."""
    names = list(wanted)
    found = keys_of(data) if names else None
    if found:
        _check(review, path, names, found, f"{data} has nothing called", "Found")


def check_function(review: Review, path: Path_, name: str) -> None:
    """A function (`package.module:function`) that is neither in the pipeline file's folder nor installed."""
    import importlib.util

    module, _, function = name.partition(":")
    folder = review.loaded.folder
    own = folder.joinpath(*module.split("."))
    file = next((each for each in (own.with_suffix(".py"), own / "__init__.py") if there(each)), None)
    if file is None:
        first = module.partition(".")[0]
        if not there(folder / first) and first not in sys.modules and importlib.util.find_spec(first) is None:
            review.add(path, f"'{name}': no module '{first}' in {folder} or installed. Correct the name.")
        return
    if function not in (names := functions_of(file)) and "*" not in names:
        said = f"'{name}': {file} has no '{function}'{nearest(function, sorted(names)) or '.'} Correct the name."
        review.add(path, said)


def keys_of(data: Path) -> list[str] | None:
    """Names of a set's arrays or columns; None where they are not known without reading it."""
    import csv
    import zipfile

    try:
        if data.suffix.lower() == ".npz":
            with zipfile.ZipFile(data) as archive:
                return [name.removesuffix(".npy") for name in archive.namelist()]
        table = data / "labels.csv" if data.is_dir() else data
        if table.suffix.lower() == ".csv" and table.is_file():
            with table.open(newline="", encoding="utf-8-sig", errors="replace") as file:
                return [name.strip() for name in next(csv.reader(file), [])]
    except (OSError, ValueError, zipfile.BadZipFile, csv.Error):
        pass
    return None


def functions_of(file: Path) -> set[str]:
    """What a module binds at its top level; `*` where it may bind more."""
    import ast

    try:
        body = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return {"*"}
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add("*" if node.name == "__getattr__" else node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(each.asname or each.name).partition(".")[0] for each in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
        elif not isinstance(node, ast.Expr | ast.Pass):
            found.add("*")  # a condition, a loop, a try
    return found


def _check(review: Review, path: Path_, names: list[str], found: list[str], problem: str, listed: str) -> None:
    more = f" and {len(found) - MOST_LISTED} more" if len(found) > MOST_LISTED else ""
    for name in names:
        if name not in found:
            hint = nearest(name, found) or "."
            review.add(path, f"{problem} '{name}'{hint} {listed} {', '.join(found[:MOST_LISTED])}{more}. Correct the name.")
