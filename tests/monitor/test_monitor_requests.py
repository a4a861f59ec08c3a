"""A log of requests: what is read of it, and what of it cannot be."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatekeeper.monitor.alerts._base import in_order as alerts
from gatekeeper.monitor.look import Watched, look
from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.reference import learned, read_reference, written
from gatekeeper.monitor.signals import accuracy, agreement, confidence, error_rate, latency_p50, throughput
from gatekeeper.monitor.sources._base import Asked
from gatekeeper.monitor.sources.requests import read
from gatekeeper.monitor.window import Window

NOW = 1_800_000_000.0


def lines(folder: Path, *rows: Any, name: str = "r.jsonl") -> Path:
    text = "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)
    (folder / name).write_text(text)
    return folder / name


def seen(place: Path, labels: Path | None = None, window_s: float = 3600) -> Window:
    return read(Asked(str(place), NOW, window_s, labels=str(labels or "")))


def row(age: float = 10.0, **more: Any) -> dict[str, Any]:
    return {"time": NOW - age, "answer": 1, **more}


ASKED_OF = {"ms": "latency_p99", "confidence": "confidence", "answer": "answers"}
ASKED = {"error_rate", *ASKED_OF.values()}


def full(i: int) -> dict[str, Any]:
    """A request with all that is asked, spread over an hour; what it holds has no part of ten in it."""
    return {"time": NOW - 3599 + 0.89 * i, "answer": i // 10 % 4, "confidence": 0.5 + i // 10 % 50 / 100, "ms": 5.0}


def test_every_signal_is_read_of_a_log(tmp_path: Path) -> None:
    rows = [row(ms=4.0, confidence=0.97, label=1, shadow=1), row(ms=4.0, confidence=0.97, label=0, shadow=1), row(status=503)]
    window = seen(lines(tmp_path, *rows, row(age=3601)))
    assert error_rate.read(window).value == pytest.approx(1 / 3)
    assert 3.6 <= (latency_p50.read(window).value or 0) <= 4.4
    assert (accuracy.read(window).value, agreement.read(window).value) == (0.5, 1.0)
    assert throughput.read(window).value == pytest.approx(3 / 3600)
    assert confidence.read(window).more["0.99"] == 1.0
    assert confidence.read(window).more["0.95"] == 0.0


def test_labels_that_come_days_late_count_for_their_requests(tmp_path: Path) -> None:
    log = lines(tmp_path, row(age=3 * 86400, id="a"), row(age=2 * 86400, id="b"), row(id="c", right=False))
    late = lines(tmp_path, {"id": "a", "label": 1}, {"id": "b", "right": False}, {"id": "c", "right": True}, name="l.jsonl")
    found = accuracy.read(seen(log, late))
    assert (found.value, found.n) == (pytest.approx(2 / 3), 3)
    assert accuracy.read(seen(log)).n == 1


def test_times_may_be_iso(tmp_path: Path) -> None:
    when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(NOW - 60))
    log = lines(tmp_path, *(row() | {"time": each} for each in (when, f"{when}Z", f"{when}+00:00", int(NOW))))
    assert error_rate.read(seen(log)).n == 4
    with pytest.raises(Unread, match="neither seconds since 1970 nor ISO 8601"):
        seen(lines(tmp_path, row() | {"time": "yesterday"}))


def test_a_line_that_cannot_be_read_is_named_and_many_are_no_log(tmp_path: Path) -> None:
    log = lines(tmp_path, *[row()] * 150, "{", *[row()] * 150)
    window = seen(log)
    assert error_rate.read(window).n == 300
    assert f"{log}:151: no request can be read of it" in window.notes[0]
    with pytest.raises(Unread, match=r"r\.jsonl:1: .*\(2 of 3 lines\.\)"):
        seen(lines(tmp_path, "{", row(), '{"time": true}'))


@pytest.mark.parametrize(
    "odd", [{"ms": -1}, {"status": 0}, {"status": -500}, {"status": 5000}, {"confidence": -3}, {"confidence": 1e300}]
)
def test_a_value_that_cannot_be_is_no_value(odd: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Unread, match="no request can be read of it") as caught:
        seen(lines(tmp_path, *[row(**odd)] * 300))
    assert caught.value.kind == "garbage"
    window = seen(lines(tmp_path, *[row(ms=4.0)] * 299, row(**odd)))
    assert error_rate.read(window).n == 299 and "1 lines" in window.notes[0]


@pytest.mark.parametrize("word", ["ms", "confidence", "answer"])
def test_what_most_requests_lack_is_undecided(word: str, tmp_path: Path) -> None:
    """One in ten has it, and that one is fine: a look cannot say that all is well, and says what is missing."""
    made = learned(lines(tmp_path, *[full(i) for i in range(4000)], name="before.jsonl"), NOW, "ab" * 32)
    limits = {name: module.DEFAULT or module.Config(max_ms=50) for name, module in alerts() if name in ASKED}
    for lacking, status in ((0, "fine"), (9, "undecided")):
        rows = [full(i) | ({word: None} if i % 10 < lacking else {}) for i in range(4000)]
        watched = Watched({"requests": str(lines(tmp_path, *rows))}, 3600, limits, reference=made)
        said = look(watched, 1, NOW, {})
        own = [each.status for each in said.findings if each.alert == ASKED_OF[word]]
        assert own == [status], said.findings
        assert said.verdict == status
        assert any(f"`{word}`" in note for note in said.notes) is bool(lacking)


def test_the_end_of_a_line_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    log = lines(tmp_path, row())
    log.write_text(log.read_text() + json.dumps(row())[:-7])
    window = seen(log)
    assert (error_rate.read(window).n, window.notes) == (1, [])
    log.write_text(json.dumps(row()))
    assert error_rate.read(seen(log)).n == 1, "without an end of line, but whole"


def test_a_clock_that_is_ahead_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unread, match="NTP") as caught:
        seen(lines(tmp_path, *[row(age=-3600)] * 5))
    assert caught.value.kind == "clocks"


def test_a_folder_is_all_its_files_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl", "c.txt"):
        lines(tmp_path, row(), name=name)
    (tmp_path / "l.jsonl").symlink_to(tmp_path / "a.jsonl")
    assert error_rate.read(seen(tmp_path)).n == 2
    (tmp_path / "none").mkdir()
    for place in (tmp_path / "none", tmp_path / "nowhere"):
        with pytest.raises(Unread) as caught:
            seen(place)
        assert caught.value.kind == "file"


def test_a_reference_is_what_it_was_made_of(log: Callable[..., Path], tmp_path: Path) -> None:
    made = learned(log("good.jsonl", 500), time.time() + 5, "ab" * 32)
    (tmp_path / "reference.npz").write_bytes(written(made))
    found = read_reference(tmp_path / "reference.npz")
    assert found.contents == made.contents
    assert sum(found.contents.answers.values()) == found.contents.seen == 500
    assert set(found.features()) == {"a", "b", "c", "d"}
    for name, values in made.rows.columns.items():
        assert np.array_equal(found.rows.columns[name], values, equal_nan=True)
    assert written(found) == written(made), "the same bytes of the same"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"x" * 100], ids=["empty", "torn", "other"])
def test_what_is_no_reference_is_unread(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "r.npz").write_bytes(content)
    with pytest.raises(Unread, match="is no reference of this version"):
        read_reference(tmp_path / "r.npz")
