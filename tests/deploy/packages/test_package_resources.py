"""What a server is given: from what was measured of the model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from kit.support import round_data

from gatekeeper.config.sections.resources import Resources
from gatekeeper.deploy.packages._resources import needs_of
from gatekeeper.errors import Refused

MIB = 1 << 20


def approved(*peaks: int | None) -> Any:
    rounds = [round_data(i, 1e6, peak_bytes=peak) for i, peak in enumerate(peaks)]
    return SimpleNamespace(variant=SimpleNamespace(id="a/b/c", performance=SimpleNamespace(rounds=rounds)), threads=3)


def stated(**said: Any) -> Resources:
    return msgspec.convert(said, Resources)


def test_memory_is_the_largest_peak_and_a_quarter_and_the_server() -> None:
    found = needs_of(approved(100 * MIB, 400 * MIB, 200 * MIB), stated(server_memory="256MiB"), "x")
    assert (found.memory_mib, found.cpus) == (500 + 256, 3)
    assert "in 3 rounds" in found.why


def test_it_is_never_less_than_was_measured() -> None:
    assert needs_of(approved(MIB + 1), stated(server_memory="1B"), "x").memory_mib * MIB >= MIB + 1


def test_what_the_file_says_holds() -> None:
    found = needs_of(approved(), stated(memory="1GB", cpus=7), "packaging.kubernetes")
    assert (found.memory_mib, found.cpus) == (954, 7)
    assert found.why == "memory as packaging.kubernetes.memory says"


@pytest.mark.parametrize("peaks", [(), (None, None)])
def test_what_was_not_measured_is_not_guessed(peaks: Any) -> None:
    with pytest.raises(Refused, match=r"no peak memory was measured. Say with packaging\.compose\.memory"):
        needs_of(approved(*peaks), stated(), "packaging.compose")
