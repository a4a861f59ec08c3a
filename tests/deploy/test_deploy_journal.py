"""The journal of a rollout: whoever reads it after a crash knows which colour serves."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.deploy.haproxy import Colour
from gatekeeper.deploy.journal import Entry, Event, Journal, read, standing
from gatekeeper.errors import UsageError

STEP, PROMOTING = Entry(event=Event.STEP, green=25), Entry(event=Event.PROMOTING, green=100)


def at(*events: Event) -> Any:
    return standing([Entry(event=event) for event in events])


@pytest.mark.parametrize(
    ("events", "serves", "cut_short"),
    [
        ((), Colour.BLUE, False),
        ((Event.BEGIN,), Colour.BLUE, True),
        ((Event.BEGIN, Event.STEP, Event.PASSED, Event.STEP), Colour.BLUE, True),
        ((Event.BEGIN, Event.STEP, Event.PROMOTING), Colour.GREEN, True),
        ((Event.BEGIN, Event.STEP, Event.PROMOTING, Event.PROMOTED), Colour.GREEN, False),
        ((Event.BEGIN, Event.STEP, Event.GOING_BACK), Colour.BLUE, True),
        ((Event.BEGIN, Event.STEP, Event.GOING_BACK, Event.WENT_BACK), Colour.BLUE, False),
        ((Event.BEGIN, Event.STEP, Event.WAITING), Colour.BLUE, True),
        ((Event.BEGIN, Event.PROMOTED, Event.BEGIN, Event.STEP), Colour.BLUE, True),
    ],
)
def test_every_ending_says_who_serves(events: tuple[Event, ...], serves: Colour, cut_short: bool) -> None:
    found = at(*events)
    assert (found.serves, found.cut_short) == (serves, cut_short)


def test_a_line_that_was_cut_short_says_nothing_and_the_next_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deploy" / "journal.jsonl"
    with Journal(path) as journal:
        journal.add(Entry(event=Event.BEGIN, blue_model="old", green_model="new"))
        journal.add(STEP)
        journal.add(PROMOTING)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with Journal(path) as journal:
            journal.add(Entry(event=Event.GOING_BACK))
        assert read(path)[-1].event is Event.GOING_BACK
        assert path.read_bytes().startswith(whole[:length]), "nothing that was written is changed"
    path.write_bytes(whole)
    with Journal(path) as journal:
        assert journal.standing().models == ("old", "new")


def test_two_deploys_at_once_are_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "j"), pytest.raises(UsageError, match=r"another deploy .* Wait for it"):
        Journal(tmp_path / "j")
    with Journal(tmp_path / "j"):
        pass


def test_a_disk_without_room_is_said_before_anything_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Journal(tmp_path / "j") as journal:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(UsageError, match="cannot be written: No space left"):
            journal.add(STEP)
        monkeypatch.setattr(os, "write", lambda file, data: len(data) // 2)
        with pytest.raises(UsageError, match="the disk is full"):
            journal.add(STEP)
    assert read(tmp_path / "j") == []


def test_a_journal_is_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name in ("link", "folder"):
        with pytest.raises(UsageError, match="Name another"):
            Journal(tmp_path / name)
