"""Every expected failure is a class with one exit code; its message ends with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells the shell. Scripts hold on to these numbers."""

    PASS = 0
    FAILED = 1
    USAGE = 2
    INCONCLUSIVE = 3
    NOT_MEASURED = 4
    BUG = 70
    INTERRUPTED = 130


class GatekeeperError(Exception):
    """An expected failure: printed as a message, never as a traceback."""

    exit_code = ExitCode.NOT_MEASURED


class UsageError(GatekeeperError):
    """The command line, a file it names, or a file's content is wrong."""

    exit_code = ExitCode.USAGE


class Refused(GatekeeperError):
    """What was to be certified, or released, is not what it would have to be."""

    exit_code = ExitCode.FAILED


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a file; `line` and `column` count from 1."""

    line: int
    column: int
    message: str


class ConfigError(UsageError):
    """A pipeline file has problems; all of them are listed."""

    def __init__(self, path: str, problems: Sequence[Problem]):
        self.path = path
        self.problems = sorted(set(problems))
        super().__init__("\n".join(f"{path}:{p.line}:{p.column}: {p.message}" for p in self.problems))


class NotMeasured(GatekeeperError):
    """Something that had to be measured was not: the baseline or a variant could not be made or run.

    `kind` classifies it for reports: crash, timeout, memory, garbage, data, model, unsupported, disk.
    """

    def __init__(self, kind: str, message: str):
        self.kind = kind
        super().__init__(message)


def nearest(name: str, allowed: Iterable[str]) -> str:
    """A hint for a misspelt name: `; did you mean 'x'?` or the empty string."""
    import difflib

    matches = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.6)
    return f"; did you mean '{matches[0]}'?" if matches else ""
