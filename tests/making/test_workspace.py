"""Whoever measures has the machine for itself, and whoever waits is told for whom."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from gatekeeper.config.sections.measure import Measure
from gatekeeper.making.cache import Cache
from gatekeeper.making.workspace import workspace
from gatekeeper.progress import Silent


class Notes(Silent):
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.noted = threading.Event()

    def note(self, text: str) -> None:
        self.said.append(text)
        self.noted.set()


def test_a_wait_says_for_whom(tmp_path: Path) -> None:
    cache, first, second = Cache(tmp_path), Notes(), Notes()
    done: list[bool] = []

    def other() -> None:
        with workspace(cache, Measure()) as theirs, theirs.alone(second, "edge/openvino"):
            done.append(True)

    with workspace(cache, Measure()) as mine, mine.alone(first, "edge/onnx_runtime", "10m"):
        waiting = threading.Thread(target=other)
        waiting.start()
        assert second.noted.wait(20) and not done
    waiting.join(20)
    [said] = second.said
    assert f"(process {os.getpid()}: edge/onnx_runtime, since 2" in said and "for at most 10m); waiting" in said
    assert done == [True] and first.said == []
    assert not (tmp_path / "measuring.json").exists()


@pytest.mark.parametrize("left", [b"", b"{}", b'{"pid": "x"}', b"\xff"])
def test_what_somebody_else_left_there_is_no_obstacle(left: bytes, tmp_path: Path) -> None:
    (tmp_path / "measuring.json").write_bytes(left)
    with workspace(Cache(tmp_path), Measure()) as space, space.alone(Notes(), "a"):
        pass
