"""Tests that need HAProxy, which the extra `rollout` brings on Linux, and Debian's package of that name."""

from __future__ import annotations

import pytest

from gatekeeper.deploy.haproxy import program
from gatekeeper.errors import UsageError


def _missing() -> str:
    try:
        program()
    except UsageError as error:
        return str(error)
    return ""


needs_haproxy = pytest.mark.skipif(bool(_missing()), reason=_missing() or "HAProxy is here")
