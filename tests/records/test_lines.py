"""Lines that are only added to, cut short at any byte."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from gatekeeper.errors import UsageError
from gatekeeper.records.lines import add_line, read_lines


class Entry(msgspec.Struct, frozen=True):
    number: int


def read(path: Path) -> list[int]:
    return [each.number for each in read_lines(path, Entry, "Name another")]


def test_what_is_cut_short_says_nothing_and_loses_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    assert read(path) == []
    for number in (1, 2):
        add_line(path, Entry(number), "nothing moved")
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        add_line(path, Entry(3), "nothing moved")
        before = [1] * (cut >= first - 1) + [2] * (cut == len(whole) - 1)
        assert read(path) == [*before, 3], cut


def test_junk_between_lines_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b'{"number": 1}\n\xff\xfe\n{"number": "x"}\n[]\n\n{"number": 2}\n')
    assert read(path) == [1, 2]


def test_a_link_a_pipe_and_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("somebody else's")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder"):
        with pytest.raises(UsageError, match=r"Name another\.$"):
            read(tmp_path / name)
    for name in ("link", "folder"):
        with pytest.raises(UsageError, match="nothing moved"):
            add_line(tmp_path / name, Entry(1), "nothing moved")
    assert (tmp_path / "kept").read_text() == "somebody else's"
