"""Temporary folders of the dead are removed, those of the living and of strangers never."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gatekeeper.process.scratch import OWNER, PREFIX, remove_abandoned, scratch_folder

OWNING = """
import sys, time
from pathlib import Path
from gatekeeper.process.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "large").mkdir()
    (folder / "large" / "file").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""
RACING = """
import sys, time
from pathlib import Path
from gatekeeper.process.scratch import scratch_folder
for i in range(150):
    with scratch_folder(Path(sys.argv[1])) as folder:
        (folder / "mine").write_text(str(i))
        time.sleep(0.0005 * (i % 4))
        assert (folder / "mine").read_text() == str(i), "taken away while it was in use"
"""


@contextmanager
def owner(place: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that owns a folder there until it is told to end."""
    command = [sys.executable, "-c", OWNING, str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_a_folder_is_empty_and_gone_afterwards(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        assert list(folder.iterdir()) == []
        (folder / "file").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_it_is_gone_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(KeyError), scratch_folder(tmp_path):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_it_lies_where_temporary_files_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch_folder() as folder:
        assert folder.parents[1] == tmp_path
        assert folder.parent.name.startswith(PREFIX)


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_the_folder_of_one_that_was_killed_goes_with_the_next(tmp_path: Path) -> None:
    with owner(tmp_path) as (process, folder):
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert (folder / "large/file").read_text() == "x", "the kill left it"
    with scratch_folder(tmp_path) as mine:
        assert list(tmp_path.iterdir()) == [mine.parent]


def test_the_folder_of_one_that_lives_stays(tmp_path: Path) -> None:
    with owner(tmp_path) as (process, folder), scratch_folder(tmp_path) as mine:
        remove_abandoned(tmp_path)
        assert mine.is_dir()
        assert (folder / "large/file").read_text() == "x"
        process.communicate("")
        assert process.returncode == 0
        assert not folder.parent.exists()


def test_what_somebody_else_left_stays(tmp_path: Path) -> None:
    """No owner's file, a link for a folder, a link for the file, a plain file, another prefix."""
    target = tmp_path / "elsewhere"
    target.mkdir()
    (target / OWNER).write_text("")
    (target / "precious").write_text("kept")
    left = [tmp_path / name for name in (f"{PREFIX}none", f"{PREFIX}link", f"{PREFIX}inner", f"{PREFIX}file", "other-x")]
    left[0].mkdir()
    left[1].symlink_to(target)
    left[2].mkdir()
    (left[2] / OWNER).symlink_to(target / "precious")
    left[3].write_text("x")
    left[4].mkdir()
    (left[4] / OWNER).write_text("")
    remove_abandoned(tmp_path)
    assert {*tmp_path.iterdir()} == {target, *left}
    assert (target / "precious").read_text() == "kept"


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs another user's folder")
def test_another_users_folder_stays(tmp_path: Path) -> None:
    folder = tmp_path / f"{PREFIX}theirs"
    folder.mkdir()
    (folder / OWNER).write_text("")
    os.chown(folder, 12345, -1)
    remove_abandoned(tmp_path)
    assert folder.exists()
    os.chown(folder, 0, -1)
    remove_abandoned(tmp_path)
    assert not folder.exists()


def test_where_there_are_no_locks_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Without:
        def __init__(self, path: Path):
            path.touch()

        def acquire(self, timeout: float) -> None:
            raise NotImplementedError

    monkeypatch.setattr("filelock.FileLock", Without)
    with scratch_folder(tmp_path) as folder:
        remove_abandoned(tmp_path)
        assert folder.is_dir()
        assert not (folder.parent / OWNER).exists(), "nobody who has locks shall take it for abandoned"
    assert list(tmp_path.iterdir()) == []


def test_many_at_once_take_nothing_from_one_another(tmp_path: Path) -> None:
    racing = [subprocess.Popen([sys.executable, "-c", RACING, str(tmp_path)], stderr=subprocess.PIPE) for _ in range(4)]
    said = [process.communicate()[1].decode() for process in racing]
    assert [process.returncode for process in racing] == [0] * 4, said
    assert list(tmp_path.iterdir()) == []
