"""The stand-in of GitHub's API; a request or an answer that its description does not allow fails the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from github_api import StandIn


@pytest.fixture
def api() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running
    assert running.violations == []
