"""The process that one probe runs in: `python -m gatekeeper.hardware.probed NAME`. It answers with one line of JSON."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from gatekeeper.hardware.probes._base import Found, probe
from gatekeeper.hardware.selection import TARGETS, hardware
from gatekeeper.records.base import Record

TARGETS_OF_THIS = "targets"
"""In place of a probe: which targets this machine can stand for."""


class Answer(Record, frozen=True, kw_only=True):
    """What was found; of targets each one's reason why this machine is none, None where it is."""

    found: list[Found] = []
    targets: dict[str, str | None] = {}
    error: str = ""


def answer(name: str) -> Answer:
    """What one probe says; whatever it raises is its error."""
    try:
        if name == TARGETS_OF_THIS:
            from gatekeeper.hardware.machine import this_machine

            return Answer(targets={each: hardware(each).absent(this_machine()) for each in TARGETS.names})
        return Answer(found=msgspec.convert([msgspec.to_builtins(each) for each in probe(name).look(Path("/"))], list[Found]))
    except Exception as error:  # a probe may be a stranger's
        return Answer(error=f"{type(error).__name__}: {error}")


def main() -> None:
    """Answer on standard output, on which a probe itself cannot print."""
    out, sys.stdout = sys.stdout, sys.stderr
    out.write(msgspec.json.encode(answer(sys.argv[1])).decode() + "\n")
    out.flush()


if __name__ == "__main__":
    main()
