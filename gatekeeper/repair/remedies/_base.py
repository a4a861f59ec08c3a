"""A remedy: one way to change a pipeline file so that a variant may pass. It is a module of this folder, and has:

DESCRIPTION  one line for the docs
CAUSE        what is wrong where it helps, one line
FAILURES     the kinds of failure that it is tried for, see gatekeeper/repair/failing.py
COST         what a try of it costs, from 1 (nothing is made anew) to 5 (minutes); cheaper ones are tried first
propose(failing) -> a generator of `Change`s, the likeliest first

and, where it is not for every framework:

FRAMEWORKS   the names of those it is for

`propose` is sent what became of each change before it is asked for the next one (a `Tried`, None where the time was up), so that it
may search: of a ranking of nodes, say, as few as are enough. It says why it has nothing for this variant by raising `Unsuited`. What
it sets is held against the schema, and it may set nothing but techniques, their options and threads: limits and data stay as they are.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol, cast

from gatekeeper.records.repaired import Tried
from gatekeeper.registry import Registry
from gatekeeper.repair.edits import Change
from gatekeeper.repair.failing import Failing, Kind

REGISTRY = Registry("repair.remedies", ("DESCRIPTION", "CAUSE", "FAILURES", "COST", "propose"))

Proposals = Generator[Change, Tried | None, None]


class Unsuited(Exception):
    """Why a remedy has nothing for a variant."""


class Remedy(Protocol):
    """The shape of a remedy's module."""

    DESCRIPTION: str
    CAUSE: str
    FAILURES: Sequence[Kind]
    COST: int

    @staticmethod
    def propose(failing: Failing) -> Proposals:
        """Changes that may help, the likeliest first."""


def remedy(name: str) -> Remedy:
    """The remedy of that name."""
    return cast(Remedy, REGISTRY.get(name))


def ordered(kinds: frozenset[Kind]) -> list[str]:
    """Remedies for such failures: the cheap ones first, and of those the ones made for all that fails."""

    def key(name: str) -> tuple[int, int, str]:
        return remedy(name).COST, -len(kinds & set(remedy(name).FAILURES)), name

    return sorted((name for name in REGISTRY.names if kinds & set(remedy(name).FAILURES)), key=key)


def unsuited(name: str, failing: Failing) -> str:
    """Why a remedy is none for a variant's framework; empty where it may be."""
    frameworks: Sequence[str] = getattr(remedy(name), "FRAMEWORKS", ())
    if frameworks and failing.place.framework not in frameworks:
        return f"it is for {', '.join(frameworks)}"
    return ""


def need_option(failing: Failing, *names: str) -> None:
    """Raise `Unsuited` where the variant's technique has not all of these options, or the file sets one of them."""
    known, place = failing.options(place_technique(failing)), failing.place
    if lacking := [name for name in names if name not in known]:
        raise Unsuited(f"{place.framework}'s {place.technique} has no option {', '.join(lacking)}")


def place_technique(failing: Failing) -> str:
    """The technique that fails."""
    return failing.place.technique


def need_calibration(failing: Failing) -> None:
    """Raise `Unsuited` where there is nothing to calibrate with."""
    if not failing.calibrated:
        raise Unsuited("the file names no calibration set. Add one with `dataset.calibration`")
