"""What every kind of check shares. A kind is a module of this folder; its file name is its key under `testing`. It has:

DESCRIPTION  what the key does, for the schema and the reference
LEVELS       its levels; each does all that the one before it does. `off`, the default, is not among them
TITLE        what is happening while it runs, in words for progress and errors
ORDER        a number: kinds run from the lowest on
SERVER       whether it takes a server: it then runs only on variants that nothing else keeps from passing, the best first
GATE         the gate of the same name that judges its checks (`checks_gate`), or None where gates of their own do
run(bench) -> Outcome

and, where it has something to say:

KEYS                   further keys of `testing` that are its own: name -> (type, default)
standard(bench)        what is found of the original once for all variants of a leg; comes back as `bench.standard`
upfront(bench)         of a kind that takes a server, what it finds of every variant without one, as an `Outcome`; where not all
                       of it passes, that is judged, and nothing of the variant is served
extras(loaded)         extras of this distribution that a leg needs for it, beside `testing`
problems(review)       adds what is wrong with its part of the pipeline file (see gatekeeper/config/meaning.py)
unmeasured(loaded, gate) -> why a gate of its own is not measured although the kind runs, and what would make it, as the end of
                       a sentence that begins with the gate's name; else ""
expected(loaded, level, text) -> names of the checks that it runs on every variant at a level, of models that write text or do
                       not; of a file of tests its path, of which there is one check or more. A merge of reports asks for them.
                       `loaded` is None where the pipeline file is not at hand
user_code(loaded)      what of the user's code it runs, each in a word and a name
loosened(loaded)       what of its keys is looser than the policy's, as `Loosened`

The module itself imports nothing heavy: `validate` asks it what its part of the file may hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from gatekeeper.config.owners import kinds
from gatekeeper.gates._base import KINDS
from gatekeeper.records.tested import Check, Tested

if TYPE_CHECKING:
    from pathlib import Path

    from gatekeeper.config.loaded import Loaded
    from gatekeeper.gates._base import Gate
    from gatekeeper.making.subject import Subject
    from gatekeeper.records.evidence import LoadEvidence

OFF = "off"


@dataclass(frozen=True)
class Bench:
    """What a kind is given: the variant, the original beside it, and how deep to go.

    For `standard` both subjects are the original. `dataset` is the prepared evaluation set.
    """

    subject: Subject
    baseline: Subject
    level: str
    loaded: Loaded
    dataset: Path | None = None
    standard: Any = None


@dataclass(frozen=True)
class Outcome:
    """What one kind found of one variant. `tested` holds its lines for the report beside its checks."""

    checks: list[Check] = field(default_factory=list)
    load: LoadEvidence | None = None
    tested: Tested = field(default_factory=Tested)


class Kind(Protocol):
    """The shape of a module of this folder."""

    DESCRIPTION: str
    TITLE: str
    LEVELS: tuple[str, ...]
    ORDER: int
    SERVER: bool
    GATE: Gate | None

    @staticmethod
    def run(bench: Bench) -> Outcome: ...


def kind(name: str) -> Kind:
    """The kind of that name."""
    return cast(Kind, KINDS.get(name))


def in_order() -> list[str]:
    """Every kind, in the order in which they run."""
    return [name for name, _ in kinds()]
