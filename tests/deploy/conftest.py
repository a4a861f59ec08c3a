"""A release to be packaged, for each test that asks for one."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.certified import certified
from kit.once import Once
from kit.packaged import Packaging


@pytest.fixture
def packaging(once: Once, tmp_path: Path) -> Packaging:
    return Packaging(certified(once, tmp_path))
