"""A page over HTTP, or why there is none."""

from __future__ import annotations

import email.utils
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

from gatekeeper.monitor.problems import Unread

TIMEOUT_S, MOST_BYTES = 30.0, 256 << 20


@dataclass(frozen=True)
class Page:
    """An answer: its body, whatever its status, and when its server thinks it is (seconds; None where it does not say)."""

    status: int
    body: bytes
    clock: float | None


def get(url: str, what: str) -> Page:
    """Ask for it; `Unread` where nobody answers, or without an end."""
    request = urllib.request.Request(url, headers={"Accept": "*/*", "User-Agent": "gatekeeper"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return _page(answer.status, answer.read(MOST_BYTES + 1), answer.headers.get("Date"), url)
    except urllib.error.HTTPError as error:
        return _page(error.code, error.read(MOST_BYTES), error.headers.get("Date"), url)
    except (OSError, ValueError) as error:  # URLError is one; ValueError: no URL
        why = getattr(error, "reason", None) or error
        raise Unread("down", f"{what} at {_shown(url)} does not answer: {why}. Start it, or correct its address.") from None


def _page(status: int, body: bytes, date: str | None, url: str) -> Page:
    if len(body) > MOST_BYTES:
        raise Unread("garbage", f"{_shown(url)} answers with more than {MOST_BYTES >> 20} MiB. Look at a shorter window.")
    try:
        clock = email.utils.parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        clock = None
    return Page(status, body, clock)


def _shown(url: str) -> str:
    """Without its query, and without what it may hold of a password."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
