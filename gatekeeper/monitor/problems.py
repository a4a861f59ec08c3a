"""What keeps a look from seeing: each kind by its name, none of which is ever taken for zero or for health."""

from __future__ import annotations

from typing import Literal

from gatekeeper.errors import GatekeeperError

Kind = Literal["down", "refused", "garbage", "nan", "clocks", "stale", "absent", "file"]
"""down: nobody answers. refused: it answers with an error. garbage: not what it should be. nan: a number that is none. clocks:
two clocks differ. stale: the last of it is old. absent: it was never there. file: a file that cannot be read.
"""


class Unread(GatekeeperError):
    """Something that should be looked at could not be read; the message says what to do."""

    def __init__(self, kind: Kind, message: str):
        self.kind = kind
        super().__init__(message)
