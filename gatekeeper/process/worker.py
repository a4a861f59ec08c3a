"""The child process in which everything that touches a framework happens: `python -m gatekeeper.process.worker`.

Requests come in on standard input, answers leave on what was standard output. A request brings its own work along: this module
knows none of them.
"""

from __future__ import annotations

import sys
from contextlib import suppress

import msgspec

from gatekeeper.errors import GatekeeperError
from gatekeeper.process.failure import failure
from gatekeeper.process.inside import begin
from gatekeeper.process.messages import Answer, Held, unpack


def reply(line: bytes, held: Held) -> Answer:
    """The answer to a line."""
    try:
        return unpack(line).answer(held)
    except Exception as error:
        if not isinstance(error, GatekeeperError):
            import traceback

            with suppress(OSError):  # what went wrong may be that no more can be written
                traceback.print_exc()
        return failure(error)


def main() -> None:
    """Answer requests until standard input ends."""
    answers, held = begin(), Held()
    for line in sys.stdin.buffer:
        answers.write(msgspec.json.encode(reply(line, held)) + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
