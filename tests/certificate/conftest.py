"""A release for each test that asks for one."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.certified import Place, certified
from kit.once import Once


@pytest.fixture
def place(once: Once, tmp_path: Path) -> Place:
    return certified(once, tmp_path)
