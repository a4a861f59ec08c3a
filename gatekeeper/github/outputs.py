"""What a step leaves behind: its outputs and its summary. Nothing here sets a variable of later steps.

Both are files that the runner names in the environment. Outputs are read by actions/runner as in
src/Runner.Worker/FileCommandManager.cs: `name<<delimiter`, lines, and a line that is the delimiter. Whoever can guess the
delimiter can write outputs of his own, so it is drawn anew for each.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path

from gatekeeper.errors import UsageError
from gatekeeper.records.report import Report
from gatekeeper.reports._markdown_text import size
from gatekeeper.reports.markdown import SMALLEST_BYTES, SUMMARY_BYTES, fit

MOST_OUTPUT_BYTES = 1 << 20
"""GitHub takes a megabyte of outputs of a job."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")


def write_outputs(values: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> bool:
    """Append to the file of the step's outputs; False where there is none, outside of GitHub Actions.

    Everything is checked before anything is written: `UsageError` for a name or a value that a runner would not read back.
    """
    path = environment.get("GITHUB_OUTPUT")
    entries = "".join(entry(name, text) for name, text in values.items())
    if len(entries.encode()) > MOST_OUTPUT_BYTES:
        raise UsageError(
            f"the outputs are larger than {MOST_OUTPUT_BYTES} bytes. Hand them on as a file: upload it as an artifact."
        )
    if not path:
        return False
    _append(Path(path), entries, "GITHUB_OUTPUT")
    return True


def entry(name: str, value: str) -> str:
    """One output, as its file has it."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be the name of an output. Use letters, digits, '-' and '_'.")
    delimiter = f"ghadelimiter_{uuid.uuid4()}"
    if delimiter in value or "\0" in value or re.search("[\ud800-\udfff]", value):
        raise UsageError(f"the output '{name}' holds what cannot be written: NUL, half a character or a delimiter. Remove it.")
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def append_summary(report: Report | str, link: str = "", environment: Mapping[str, str] = os.environ, below: str = "") -> bool:
    """Append a report to the step's summary, as much as fits beside what is there; False where there is no place for it.

    Where there is no report it is a text that says so. `below` comes after it, where both fit.
    """
    path = environment.get("GITHUB_STEP_SUMMARY")
    if not path:
        return False
    file = Path(path)
    written = file.stat().st_size if file.is_file() else 0
    room = SUMMARY_BYTES - written - 2  # the blank line before it
    if room < SMALLEST_BYTES:
        return False
    below = f"\n{below}" if below and room - size(below) > SMALLEST_BYTES else ""
    shown = report if isinstance(report, str) else fit(report, room - size(below), link) + below
    _append(file, ("\n\n" if written else "") + shown, "GITHUB_STEP_SUMMARY")
    return True


def _append(path: Path, text: str, variable: str) -> None:
    try:
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}. It is what {variable} names: check it.") from None
