"""The worker's side: one scan looks at one file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gatekeeper.errors import NotMeasured
from gatekeeper.models.formats._base import Malformed
from gatekeeper.process.messages import Answer, Held, Request
from gatekeeper.scans._base import HEAD, REGISTRY, Belongs, Seen, Unscanned
from gatekeeper.scans._content import content

MOST_FOUND = 100
"""Findings of one scan in one file: who needs more of them has seen enough."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Which file: as in `Seen`."""

    root: str
    name: str
    named_by: str = ""
    domains: tuple[str, ...] = ()

    def seen(self) -> Seen:
        """The file as scans see it; `OSError` where it cannot be read."""
        path = Path(self.root) / self.name
        with path.open("rb") as file:
            head = file.read(HEAD)
        return Seen(
            root=Path(self.root),
            name=self.name,
            size=path.stat().st_size,
            head=head,
            content=content(path, head),
            named_by=self.named_by,
            domains=frozenset(self.domains),
        )


class Look(Request, frozen=True, kw_only=True):
    """Have one scan look at one file."""

    scan: str
    place: Place

    def answer(self, held: Held) -> Looked:
        """What it finds, up to where it can go no further."""
        return look(self.scan, self.place.seen())


class Looked(Answer, frozen=True, kw_only=True):
    """(rule, what, where) of each finding, the files it names, and why it could not go on; empty where it saw all."""

    found: list[tuple[str, str, str]] = []
    belongs: list[str] = []
    unscanned: str = ""
    engine: str = ""


def look(name: str, seen: Seen) -> Looked:
    """One scan on one file; whatever it raises is why it could not go on."""
    module = REGISTRY.get(name)
    found: list[tuple[str, str, str]] = []
    belongs: list[str] = []
    unscanned = ""
    try:
        for saw in module.scan(seen):
            if isinstance(saw, Belongs):
                belongs.append(saw.name)
            else:
                found.append(tuple(_printable(part) for part in saw))  # type: ignore[arg-type]
            if len(found) >= MOST_FOUND:
                break
    except Malformed as error:
        if error.lie:
            found.append((error.lie, _printable(str(error)), ""))
        else:
            unscanned = str(error)
    except (Unscanned, NotMeasured) as error:
        unscanned = str(error)
    except Exception as error:
        unscanned = f"{type(error).__name__}: {error}"
    return Looked(found=found, belongs=belongs, unscanned=_printable(unscanned), engine=_engine(module))


def _engine(module: object) -> str:
    from gatekeeper.hardware.machine import installed

    engine = str(getattr(module, "ENGINE", ""))
    return f"{engine} {installed(engine) or '(not installed)'}" if engine else ""


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
