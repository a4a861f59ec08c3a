"""The user's own functions by the content of their code: the module, or the package that it lies in, and the modules beside it
that these import by name.

Nothing is imported. What code imports by a name that it makes up is not covered, nor what an installed package itself needs.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gatekeeper.data.content import of_folder
from gatekeeper.models.files import digest

MOST_FILES = 10_000


@dataclass(frozen=True)
class Covered:
    """A digest, and the files it is of."""

    sha256: str
    covers: list[str]


def covered(function: str, folder: Path) -> Covered:
    """The code of `package.module:function`, imported from a folder or installed; an empty digest where it is not found."""
    top = function.partition(":")[0].partition(".")[0]
    own = _from(folder, top)
    if own:
        files = _with_imports(folder, own)
        return _of({file.relative_to(folder).as_posix(): file for file in files})
    place = _installed(top)
    if place is None:
        return Covered("", [])
    inside = sorted(place.parent.rglob("*.py"))[:MOST_FILES] if place.name == "__init__.py" else [place]
    found = _of({file.relative_to(place.parent).as_posix(): file for file in inside})
    return Covered(found.sha256, [f"{top} (installed)"])


def tests_of(path: Path, folder: Path) -> Covered:
    """A file, or a folder, of pytest's, with what it imports and the conftest.py that pytest reads with it."""
    first = sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.is_file() else []
    shared = [each / "conftest.py" for each in path.parents if each.is_relative_to(folder)]
    files = _with_imports(folder, [*first, *(each for each in shared if each.is_file())])
    return _of({file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.name: file for file in files})


def _of(files: dict[str, Path]) -> Covered:
    if len(files) == 1:
        return Covered(digest(next(iter(files.values()))), list(files))
    return Covered(of_folder({name: digest(file) for name, file in files.items()}) if files else "", sorted(files))


def _from(folder: Path, top: str) -> list[Path]:
    """The files of a top-level module or package in a folder, as Python finds them: of a package all files, whatever they are."""
    package, module = folder / top, folder / f"{top}.py"
    if (package / "__init__.py").is_file():
        inside = [file for file in sorted(package.rglob("*")) if file.is_file() and "__pycache__" not in file.parts]
        return inside[:MOST_FILES]
    if module.is_file():
        return [module]
    return sorted(package.rglob("*.py"))[:MOST_FILES] if package.is_dir() else []


def _with_imports(folder: Path, first: list[Path]) -> list[Path]:
    """These files and the modules of the folder that they import, and those that these do."""
    found = dict.fromkeys(first)
    todo = list(first)
    while todo and len(found) < MOST_FILES:
        for top in _imported(todo.pop()):
            new = [file for file in _from(folder, top) if file not in found]
            found |= dict.fromkeys(new)
            todo += new
    return list(found)


def _imported(file: Path) -> Iterator[str]:
    """Names of top-level modules that a file imports anywhere in it."""
    if file.suffix != ".py":
        return
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _installed(top: str) -> Path | None:
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    return Path(found.origin) if found and found.origin and Path(found.origin).is_file() else None
