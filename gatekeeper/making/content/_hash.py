"""One digest of several values, which stays the same wherever and whenever it is made."""

from __future__ import annotations

import hashlib
from typing import Any


def combined(*parts: Any) -> bytes:
    """SHA-256 over values; none can pass for two, and bytes not for text."""
    whole = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else repr(part).encode("utf-8", "backslashreplace")
        whole.update(f"{type(part).__name__} {len(data)} ".encode())
        whole.update(data)
    return whole.digest()
