"""The installed version, and the cache key part that says which code made an artifact."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

DISTRIBUTION = "edge-gatekeeper"


def install_hint(extra: str) -> str:
    """What to do when a package of an extra is missing."""
    return f'Install the extra `{extra}`: pip install ".[{extra}]" in a checkout of gatekeeper'


@cache
def required(extra: str) -> dict[str, SpecifierSet]:
    """Package -> the versions that an extra (or several, with commas) of this distribution allows."""
    from importlib import metadata

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return {}
    found: dict[str, SpecifierSet] = {}
    queue, seen = [name.strip() for name in extra.split(",")], set()
    while queue:
        name = queue.pop()
        seen.add(name)
        for requirement in map(Requirement, lines):
            if requirement.marker is None or not requirement.marker.evaluate({"extra": name}):
                continue
            if requirement.name == DISTRIBUTION:
                queue += [more for more in requirement.extras if more not in seen]
            else:
                found[canonicalize_name(requirement.name)] = requirement.specifier
    return found


def version() -> str:
    """Version of the installed distribution, `0+unknown` when run from a bare source tree."""
    from importlib import metadata

    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0+unknown"
