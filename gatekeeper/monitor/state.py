"""What is kept from one look to the next: how many there were, and what a source wants to find again.

The number is written before a look looks, so that one that is killed has spent its share all the same: nobody gets more looks
than their error allows by ending them early.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gatekeeper.errors import UsageError
from gatekeeper.files import make_folder, open_itself, write_atomic

FORM = 1
MOST_BYTES = 16 << 20


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """After `looks` of them. `kept` is plain data of the sources."""

    form: int = FORM
    looks: int = 0
    reference: str = ""  # SHA-256 of the one that was compared with: looks at another begin anew
    kept: dict[str, object] = {}


def read_state(path: Path) -> State:
    """As it was left; empty where nothing is there, and `UsageError` where it is something else: it is never begun anew in
    silence.
    """
    try:
        with open_itself(path) as file:
            data = file.read(MOST_BYTES)
    except FileNotFoundError:
        return State()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}. Name another file with --state.") from None
    try:
        state = msgspec.json.decode(data, type=State)
        if state.form != FORM or state.looks < 0:
            raise ValueError("another form")
    except (msgspec.MsgspecError, ValueError, UnicodeDecodeError):
        said = f"{path}: is no state of `gatekeeper watch`. Restore it, or remove it: looks are then counted from 1 again."
        raise UsageError(said) from None
    return state


def write_state(path: Path, state: State) -> None:
    """All of it or nothing."""
    make_folder(path.parent)
    write_atomic(path, msgspec.json.encode(state))


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """`UsageError` where another `gatekeeper watch` has this state: two would spend the same look twice."""
    from filelock import FileLock, Timeout

    make_folder(path.parent)
    held = path.with_name(f"{path.name}.lock")
    lock = FileLock(held)
    try:
        lock.acquire(timeout=0)
    except OSError as error:  # Timeout is one; it also comes where no lock can be written
        if isinstance(error, Timeout) and held.exists():
            said = "another `gatekeeper watch` has it. End that one, or name"
        else:
            said = "cannot be written. Name"
        raise UsageError(f"{path}: {said} another file with --state.") from None
    try:
        yield
    finally:
        lock.release()
