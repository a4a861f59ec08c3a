"""A remedy: one way to change a pipeline file so that a variant may pass. It is a module of this folder, and has:

DESCRIPTION  one line for the docs
CAUSE        what is wrong where it helps, one line
FAILURES     the kinds of failure that it is tried for, see gatekeeper/repair/failing.py
COST         what a try of it costs, from 1 (nothing is made anew) to 5 (minutes); cheaper ones are tried first
propose(failing) -> a generator of `Change`s, the likeliest first

and, where it is not for every framework:

FRAMEWORKS   the names of those it is for

`propose` is sent what became of each change (a `Tried`) when it is asked for the next one, so that it may search: of a ranking of
nodes, say, as few as are enough. It says why it has nothing for this variant by raising `Unsuited`. What it sets is held against
the schema, and it may set nothing but techniques, their options and threads: limits and data stay as they are.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Protocol, cast

from gatekeeper.frameworks._options import SESSION
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


def known(failing: Failing, name: str) -> Any:
    """What an option of the variant's technique is now, by the file or by default; `Unsuited` where there is no such option."""
    place = failing.place
    usual = failing.options(place.technique)
    if name not in usual:
        raise Unsuited(f"{place.framework}'s {place.technique} has no option '{name}'")
    return place.options.get(name, usual[name])


def instead(failing: Failing, name: str, values: Iterable[Any]) -> Iterator[Change]:
    """The other values of an option, one at a time; `Unsuited` where it has one of them already and there is no other."""
    now = known(failing, name)
    others = [value for value in values if value != now]
    if not others:
        raise Unsuited(f"{name} is {now} already")
    return (Change(options={name: value}) for value in others)


def session(failing: Failing) -> dict[str, Any]:
    """How the artifact is opened now, by the file and by default; `Unsuited` where nothing can be said of it."""
    usual = failing.options(failing.place.technique).get(SESSION)
    if usual is None:
        raise Unsuited(f"{failing.place.framework}'s {failing.place.technique} has no option '{SESSION}'")
    return {**usual, **failing.place.options.get(SESSION, {})}


def opened(failing: Failing, name: str, value: Any) -> Change:
    """A setting of how the artifact is opened; `Unsuited` where the runtime has none such, or it is so already."""
    now = session(failing)
    if name not in now:
        raise Unsuited(f"{failing.place.framework} has no setting '{name}'")
    if now[name] == value:
        raise Unsuited(f"{name} is {value} already")
    return Change(options={SESSION: {**failing.place.options.get(SESSION, {}), name: value}})


def other(failing: Failing, *techniques: str) -> Iterator[Change]:
    """Other techniques of the framework, of these, that suit the model; `Unsuited` where there are none."""
    found = [each for each in techniques if each in failing.techniques and each != failing.place.technique]
    if not found:
        raise Unsuited(f"{failing.place.framework} has none for this model that is not in the file already")
    return (Change(technique=each) for each in found)


def need_calibration(failing: Failing) -> None:
    """Raise `Unsuited` where there is nothing to calibrate with."""
    if not failing.calibrated:
        raise Unsuited("the file names no calibration set. Add one with `dataset.calibration`")
