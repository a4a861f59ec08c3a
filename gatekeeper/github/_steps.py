"""What the steps share: inputs that have a choice, and text that the runner must not take for commands."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gatekeeper.errors import UsageError, nearest

POLICIES = ("own", "base")
WAIVERS = "gatekeeper-waivers.yml"
COMMANDS = ("plan", "run", "report", "certify", "verify")


def choice(environ: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    """An input that is one of several, the first where it is not given."""
    value = environ.get(name, "") or known[0]
    if value not in known:
        shown = called(name)
        raise UsageError(f"the input {shown} is '{value}'{nearest(value, known) or '.'} It is one of {', '.join(known)}.")
    return value


def called(name: str) -> str:
    """The input that a variable holds."""
    return name.lower().replace("_", "-")


def output(environ: Mapping[str, str]) -> Path:
    """The folder for reports."""
    return Path(environ.get("OUTPUT", "") or "gatekeeper-report")


def config(environ: Mapping[str, str]) -> str:
    """The pipeline file."""
    return environ.get("CONFIG", "") or "edge_ai_pipeline.yaml"


def relative(environ: Mapping[str, str]) -> str:
    """The pipeline file's name in any checkout. One that leads elsewhere would make the change its own base."""
    named = config(environ)
    if Path(named).is_absolute() or ".." in Path(named).parts:
        raise UsageError(f"config is '{named}'. With `base` it is a path inside the repository, such as models/pipeline.yaml.")
    return named


def run_id(environ: Mapping[str, str]) -> int:
    """The number in `run-id`."""
    number = environ["RUN_ID"]
    if not (number.isascii() and number.isdigit() and len(number) < 20):
        raise UsageError(f"run-id is '{number}', not a number. Pass github.event.workflow_run.id.")
    return int(number)


@contextmanager
def no_commands() -> Iterator[None]:
    """What is printed inside is text: a model's name that reads `::error::` is not a command to the runner."""
    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}", flush=True)
    os.dup2(1, 2)  # one stream: of two the runner might read the end before what was written before it
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        print(f"\n::{token}::", flush=True)
