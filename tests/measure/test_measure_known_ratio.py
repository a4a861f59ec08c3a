"""Real workers whose true ratio is known get the verdict they deserve; tests/benchmarks has the close cases."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.known_work import Asked, known_work

from gatekeeper.records.base import Verdict


@pytest.mark.serial
def test_four_times_as_fast_passes_2x_and_a_copy_fails_it(tmp_path: Path) -> None:
    asked = Asked(looks=(4, 6))
    with known_work(tmp_path) as work:
        work.race({"4x": 20, "copy": 80}, asked, units=80, blocks=3)
    assert {name: answer.verdict for (name, _), answer in asked.answers.items()} == {"4x": Verdict.PASS, "copy": Verdict.FAIL}
