"""What every stage shares. A stage is a module of this folder; its file name is what `stages` lists. It has:

DESCRIPTION  what its section holds, for the schema and the reference
ORDER        a number: stages run from the lowest on (see gatekeeper/config/owners.py)
run(setup, known) -> Added

and, where it has something to say:

SECTION                its own part of the pipeline file, under its name: a class of `Section`, all of whose fields have defaults
problems(review)       adds what is wrong with that part (see gatekeeper/config/meaning.py)
extras(loaded)         extras of this distribution that a leg needs for it, beside its framework's
lacks(loaded, line)    what the file asks of it and its line in a report does not show, in words; such a stage has not passed,
                       whoever says so
again(line, report)    the verdict that the stage's own record in a report allows, and why; asked of those that passed
loosened(loaded)       what of its section is looser than the policy's and is not applied, as `Loosened`
user_code(loaded)      what of the user's code it runs, each in a word and a name
FILES                  names of files it may put beside the report

A stage changes nothing: it is a function from what is known to what it adds. The module itself imports nothing heavy, since
`validate` asks it what its section may hold; what running takes is imported by `run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from gatekeeper.config.owners import STAGES
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import StageReport

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.legs.setup import Added, Known, Setup


class Stage(Protocol):
    """The shape of a stage module."""

    DESCRIPTION: str
    ORDER: int

    @staticmethod
    def run(setup: Setup, known: Known) -> Added: ...


def stage(name: str) -> Stage:
    """The stage of that name."""
    return cast(Stage, STAGES.get(name))


def report(loaded: Loaded, name: str, verdict: Verdict, reason: str, *path: str) -> StageReport:
    """A stage's line in the report, with the line of the file that asked for it."""
    return StageReport(stage=name, verdict=verdict, reason=reason, where=loaded.where(*(path or ("stages",))))
