"""What the user's metric said, call by call, kept in a file: it is asked in one process, and judged by in another.

Where the user's code runs it may say anything, of whatever else is seen of a variant, too. So it says values and no more, and all
else is seen where it never ran.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._whole import Function, asked

MOST_CALLS = 100_000


def recording(function: Function, kept: list[Any]) -> Function:
    """The same function, of which every value is kept, or what was wrong with it."""

    def ask(outputs: Any, labels: Any) -> Any:
        kept.append(found := asked(function, outputs, labels))
        if isinstance(found, str):
            raise NotMeasured("data", found)
        return found

    return ask


def write_told(file: Path, kept: list[Any]) -> None:
    """Keep them in a file."""
    import numpy as np

    arrays: dict[str, Any] = {str(number): np.asarray(found) for number, found in enumerate(kept)}
    np.savez(file, **arrays)


def replayed(name: str, file: Path) -> Function:
    """A function that says the same again, in the same order, whatever it is asked. Only what is asked for is read."""
    import numpy as np

    count = 0

    def again(_outputs: Any, _labels: Any) -> Any:
        nonlocal count
        number, count = count, count + 1
        try:
            if number >= MOST_CALLS:
                raise ValueError
            found = told[str(number)]
        except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile):
            raise garbage from None
        if found.dtype.kind == "U" and found.ndim == 0:
            raise NotMeasured("data", str(found)[:2000])
        return found

    garbage = NotMeasured("garbage", f"'{name}' left something else than its values. Let it return them, and no more.")
    try:
        told = np.load(file)
        if not isinstance(told, np.lib.npyio.NpzFile):
            raise garbage
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile):
        raise garbage from None
    return again
