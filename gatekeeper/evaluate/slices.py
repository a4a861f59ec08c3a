"""Groups of examples that are looked at one by one, as classes are: a site, a sensor, a light (`dataset.slices`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gatekeeper.errors import NotMeasured, nearest

MOST_GROUPS = 200
"""Each group is a look of its own, and takes from what the others can show."""


def slices_of(arrays: dict[str, Any], wanted: list[str], examples: int, source: str) -> dict[str, Any]:
    """Names of groups, [examples], by slice; `NotMeasured` where one is not there or does not group."""
    return {name: _groups(arrays, name, examples, source) for name in wanted}


def check_there(wanted: list[str], found: Iterable[str], source: str) -> None:
    """`NotMeasured` where a slice is not among what was found."""
    found = list(found)
    for name in wanted:
        if name not in found:
            said = f"nothing is called '{name}'{nearest(name, found) or '.'} Found {', '.join(found)}."
            raise NotMeasured("data", f"{source}: {said} Correct `dataset.slices`.")


def _groups(arrays: dict[str, Any], name: str, examples: int, source: str) -> Any:
    import numpy as np

    check_there([name], arrays, source)
    values = arrays[name]
    if len(values) != examples or values.size != examples:
        shape = "x".join(map(str, values.shape))
        said = f"'{name}' has shape {shape}; a slice needs one value for each of {examples} examples."
        raise NotMeasured("data", f"{source}: {said}")
    flat = values.reshape(-1)
    if flat.dtype.kind not in "biufUSO":
        raise NotMeasured("data", f"{source}: '{name}' is {flat.dtype}; a slice is made of names or numbers.")
    names = flat.astype(str)
    groups = len(np.unique(names))
    if groups > MOST_GROUPS:
        said = f"'{name}' has {groups} different values, and a slice at most {MOST_GROUPS}. Put them into fewer groups."
        raise NotMeasured("data", f"{source}: {said}")
    return names
