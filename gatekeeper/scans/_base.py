"""What every scan shares. A scan is a module of this folder; its file name is what reports call it. It has:

DESCRIPTION  one line for docs/scan.md
RULES        rule -> `Rule`: what it means and what to do, of those that are its own; `SHARED` has those of several
ORDER        a number: scans look at a model's files from the lowest on, so that one which names others comes before them
takes(seen) -> whether a file is one for it, by name or by content; several may take the same one
scan(seen)  -> yields a `Found` for each thing that no sound model has, and a `Belongs` for each other file that it names

and, where it has something to say:

ENGINE       the package that does the work, where that is not gatekeeper; what it needs is the extra `scan`

A scan runs in a worker process, under a limit of time and memory. It reads headers, through `seen.opened()`, and never hands a
file to whatever would run it. What it cannot read it says by raising `Unscanned`; a `Malformed` without a lie, whatever else it
raises, and a worker that ends or takes too long come to the same. None of these is clean. What was found before still counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, cast

from gatekeeper.models.formats._base import AMBIGUOUS, ENTITIES, PAST_END
from gatekeeper.registry import Registry

REGISTRY = Registry("scans", ("DESCRIPTION", "RULES", "ORDER", "takes", "scan"))

HEAD = 512
"""Bytes of a file's beginning that `takes` sees."""


class Rule(NamedTuple):
    """What a rule means, and what to do about a file that breaks it."""

    meaning: str
    remedy: str


_AGAIN = "Take the file from its source again and compare its digest; export the model again where it is yours."

SHARED = {
    PAST_END: Rule("A header that reaches past the file, or states no size at all: who believes it is led astray.", _AGAIN),
    AMBIGUOUS: Rule("Data that overlaps, lies in gaps or stands there twice: two readers would see two models.", _AGAIN),
    ENTITIES: Rule("An XML document type, whose entities grow without end or read other files.", _AGAIN),
    "link": Rule("A link that leads out of the model's folder.", "Put a copy of the file in its place, or remove it."),
    "custom_operator": Rule(
        "An operator that no runtime brings along: running it loads a library of somebody's.",
        "Export the model with standard operators. Where you trust the library, allow its "
        "domain: `--allow-domain`, or `allowed_domains`.",
    ),
    "archive_path": Rule(
        "A member of an archive that is unpacked outside of its folder.", "Do not unpack it. Take it from its source again."
    ),
    "bomb": Rule("A few bytes that grow to very many.", "Do not open it. Take it from its source again."),
}  # fmt: skip


class Found(NamedTuple):
    """One thing found: the rule, what it is, and where in the file."""

    rule: str
    what: str
    where: str = ""


class Belongs(NamedTuple):
    """Another file of the model, below the model's folder, that holds nothing but numbers."""

    name: str


Saw = Found | Belongs


class Unscanned(Exception):
    """The file cannot be scanned; says why, and what would help."""


@dataclass(frozen=True)
class Seen:
    """One file: `name` is its path below the folder `root`, `content` what its bytes are (gatekeeper/scans/_content.py).

    `named_by` is the scan that has named it as numbers of another file; `domains` are those whose operators are allowed.
    """

    root: Path
    name: str
    size: int
    head: bytes
    content: str
    named_by: str = ""
    domains: frozenset[str] = field(default_factory=frozenset)

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.root / self.name

    @property
    def suffix(self) -> str:
        """The end of its name, in small letters."""
        return self.path.suffix.lower()

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The file, at its start."""
        with self.path.open("rb") as file:
            yield file


class Scan(Protocol):
    """The shape of a module of this folder."""

    DESCRIPTION: str
    RULES: dict[str, Rule]
    ORDER: int

    @staticmethod
    def takes(seen: Seen) -> bool: ...

    @staticmethod
    def scan(seen: Seen) -> Iterable[Saw]: ...


def in_order() -> list[tuple[str, Scan]]:
    """Every scan, in the order in which they look."""
    modules = {name: cast(Scan, REGISTRY.get(name)) for name in REGISTRY.names}
    return sorted(modules.items(), key=lambda item: (item[1].ORDER, item[0]))


def rules() -> dict[str, Rule]:
    """Every rule by its name."""
    return SHARED | {rule: said for _, scan in in_order() for rule, said in scan.RULES.items()}
