"""A reader never sees half a file, whatever goes wrong while it is written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gatekeeper.errors import UsageError
from gatekeeper.files import make_folder, write_atomic


@contextmanager
def full_disk() -> Iterator[None]:
    """Files can grow to 1,000 bytes and no further, which is as near to a full disk as a test comes.

    No fixture: the test runner itself may be writing to a file.
    """
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("data", ["text é 🚀\n", b"\x00\xff", "", "a\r\nb\n"])
def test_what_is_written_is_read(tmp_path: Path, data: str | bytes) -> None:
    path = tmp_path / "file"
    write_atomic(path, data)
    assert path.read_bytes() == (data if isinstance(data, bytes) else data.encode())
    assert names(tmp_path) == ["file"]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old and longer")
    write_atomic(path, "new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no modes")
def test_others_may_read_it(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", "x")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_missing_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none.file: cannot be written: No such file.*--output"):
        write_atomic(tmp_path / "none" / "file", "x")
    assert names(tmp_path) == []


def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "way").write_text("kept")
    with pytest.raises(UsageError, match="cannot be written"):
        write_atomic(tmp_path / "way" / "file", "x")
    assert (tmp_path / "way").read_text() == "kept"


def test_a_path_that_is_a_folder_stays_one(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "inside").write_text("kept")
    with pytest.raises(UsageError, match="cannot be written"):
        write_atomic(folder, "x")
    assert names(tmp_path) == ["folder"]
    assert names(folder) == ["inside"]


def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(UsageError, match=r"cannot be written.*Free some space"), full_disk():
        write_atomic(path, "x" * 100_000)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_full_disk_leaves_no_new_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"), full_disk():
        write_atomic(tmp_path / "file", b"x" * 5_000_000)
    assert names(tmp_path) == []


def test_text_that_cannot_be_encoded_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "\ud800")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_name_as_long_as_names_may_be_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write_atomic(path, "x")
    assert path.read_text() == "x"


def test_a_name_that_is_too_long_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_atomic(tmp_path / ("n" * 300), "x")


def test_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("name", ["way", "way/below"])
def test_a_file_in_the_way_of_a_folder_is_a_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "way").write_text("kept")
    with pytest.raises(UsageError, match=r"cannot be written.*--output"):
        make_folder(tmp_path / name)
    assert (tmp_path / "way").read_text() == "kept"
