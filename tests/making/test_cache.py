"""Work is done once per content, and an entry is whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.making.cache import ENTRY, SIGNED, Cache, default_folder
from gatekeeper.models.files import digest

KEY = {"model": "abc", "technique": "int8", "versions": {"onnx": "1"}}


class Maker:
    """Makes two files, and counts how often."""

    def __init__(self, content: str = "weights"):
        self.content, self.calls = content, 0

    def __call__(self, folder: Path) -> dict[str, Any]:
        assert list(folder.iterdir()) == []
        self.calls += 1
        (folder / "model.bin").write_text(self.content)
        (folder / "model.data").write_text("data")
        return {"said": self.content}


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def left(cache: Cache) -> list[Path]:
    """Everything below the folder of a kind."""
    return [p for kind in cache.folder.iterdir() if kind.is_dir() for p in kind.iterdir()]


def test_an_entry_is_made_once(cache: Cache) -> None:
    make = Maker()
    folder, entry, there = cache.get_or_make("kind", KEY, make)
    assert (there, make.calls, entry.meta) == (False, 1, {"said": "weights"})
    assert entry.files == {name: digest(folder / name) for name in ("model.bin", "model.data")}
    assert cache.get_or_make("kind", KEY, make) == (folder, entry, True)
    assert make.calls == 1
    assert left(cache) == [folder]


def test_another_run_finds_it(cache: Cache) -> None:
    make = Maker()
    first = cache.get_or_make("kind", KEY, make)
    assert Cache(cache.folder).get_or_make("kind", KEY, make) == (*first[:2], True)
    assert make.calls == 1


@pytest.mark.parametrize(
    "other", [KEY | {"model": "abd"}, KEY | {"more": None}, {"versions": {"onnx": "2"}, **KEY} | {"versions": {"onnx": "2"}}, {}]
)
def test_another_key_is_another_entry(cache: Cache, other: dict[str, Any]) -> None:
    make = Maker()
    first = cache.get_or_make("kind", KEY, make)[0]
    assert cache.get_or_make("kind", other, make)[0] != first
    assert make.calls == 2


def test_another_kind_is_another_entry(cache: Cache) -> None:
    make = Maker()
    assert cache.get_or_make("one", KEY, make)[0] != cache.get_or_make("two", KEY, make)[0]


def test_the_order_of_a_key_does_not_matter(cache: Cache) -> None:
    make = Maker()
    cache.get_or_make("kind", KEY, make)
    assert cache.get_or_make("kind", dict(reversed(KEY.items())), make)[2] is True


@pytest.mark.parametrize("name", ["model.bin", "model.data"])
@pytest.mark.parametrize("damage", ["changed", "cut", "missing", "a folder"])
def test_a_damaged_file_is_made_again(cache: Cache, name: str, damage: str) -> None:
    make = Maker()
    folder = cache.get_or_make("kind", KEY, make)[0]
    content, path = (folder / name).read_text(), folder / name
    path.unlink()
    if damage == "changed":
        path.write_text(content.swapcase())
    elif damage == "cut":
        path.write_text(content[:-1])
    elif damage == "a folder":
        path.mkdir()
    assert cache.get_or_make("kind", KEY, make)[2] is False
    assert make.calls == 2
    assert path.read_text() == content
    assert cache.get_or_make("kind", KEY, make)[2] is True
    assert left(cache) == [folder]


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"files":{}, "meta":3}',
        b'{"files":{"none":"00"}}',
        b'{"files":{"\xff":"00"}}',
        b'{"files":{"model.bin":"\xff"}}',
        b'{"files":{"a\\u0000b":"00"}}',
        b'{"files":{},"meta":{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}}",
    ],
    ids=lambda content: repr(content and content[:40]),
)
def test_a_damaged_table_of_contents_is_made_again(cache: Cache, content: bytes | None) -> None:
    make = Maker()
    folder = cache.get_or_make("kind", KEY, make)[0]
    (folder / ENTRY).unlink()
    if content is not None:
        (folder / ENTRY).write_bytes(content)
    assert cache.get_or_make("kind", KEY, make)[2] is False
    assert make.calls == 2
    assert cache.get_or_make("kind", KEY, make)[2] is True


def test_an_empty_folder_in_the_place_of_an_entry_is_filled(cache: Cache) -> None:
    make = Maker()
    folder = cache.get_or_make("kind", KEY, make)[0]
    for file in folder.iterdir():
        file.unlink()
    assert cache.get_or_make("kind", KEY, make)[2] is False
    assert (folder / "model.bin").exists()


@pytest.mark.parametrize("error", [NotMeasured("crash", "no"), ValueError("no"), KeyboardInterrupt(), SystemExit(1)], ids=repr)
def test_a_make_that_fails_leaves_nothing(cache: Cache, error: BaseException) -> None:
    def make(folder: Path) -> dict[str, Any]:
        (folder / "half").write_text("half")
        raise error

    with pytest.raises(type(error)):
        cache.get_or_make("kind", KEY, make)
    assert left(cache) == []
    assert cache.get_or_make("kind", KEY, Maker())[2] is False


def test_a_full_disk_is_not_measured_and_leaves_nothing(cache: Cache) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(NotMeasured, match=r"Free some space") as caught:
            cache.get_or_make("kind", KEY, Maker("x" * 100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.kind == "disk"
    assert left(cache) == []


def test_what_cannot_be_remembered_leaves_nothing(cache: Cache) -> None:
    with pytest.raises((TypeError, msgspec.MsgspecError)):
        cache.get_or_make("kind", KEY, lambda folder: {"thing": object()})
    assert left(cache) == []


# --- two runs at once


def test_what_another_run_made_meanwhile_is_described_as_it_is(cache: Cache) -> None:
    """Quantizers need not be deterministic: the loser of a race gets the winner's files, so it must get their digests."""

    def make(folder: Path) -> dict[str, Any]:
        Cache(cache.folder).get_or_make("kind", KEY, Maker("the winner's"))
        return Maker("the loser's")(folder)

    folder, entry, _ = cache.get_or_make("kind", KEY, make)
    assert entry.files == {name: digest(folder / name) for name in entry.files}
    assert entry.meta == {"said": (folder / "model.bin").read_text()}
    assert left(cache) == [folder]


MAKE = """
import sys, time
from pathlib import Path
from gatekeeper.making.cache import Cache

def make(folder):
    (folder / "model.bin").write_bytes(b"x" * 1_000_000)
    (Path(sys.argv[2]) / sys.argv[3]).touch()
    while len(list(Path(sys.argv[2]).iterdir())) < int(sys.argv[4]):
        time.sleep(0.01)
    (folder / "late").write_bytes(b"y")
    return {}

folder, entry, there = Cache(Path(sys.argv[1])).get_or_make("kind", {"k": 1}, make)
print(folder, sorted(entry.files), sorted(p.name for p in folder.iterdir()))
"""


def start(cache: Cache, meeting: Path, name: str, parties: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", MAKE, str(cache.folder), str(meeting), name, str(parties)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_that_make_the_same_entry_at_once_all_succeed(cache: Cache, tmp_path: Path) -> None:
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    started = [start(cache, meeting, str(i), 4) for i in range(4)]
    results = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0] * 4, results
    (said,) = {out for out, _ in results}
    assert "['late', 'model.bin']" in said
    assert len(left(cache)) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_killed_make_leaves_no_entry(cache: Cache, tmp_path: Path) -> None:
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    with start(cache, meeting, "one", 2) as process:
        deadline = time.monotonic() + 30
        while not list(meeting.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    make = Maker()
    folder, _, there = cache.get_or_make("kind", {"k": 1}, make)
    assert (there, make.calls) == (False, 1)
    assert sorted(p.name for p in folder.iterdir()) == sorted(["model.bin", "model.data", ENTRY, SIGNED])


# --- folders


def test_a_file_in_the_way_of_the_cache_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "way").write_text("kept")
    for path in (tmp_path / "way", tmp_path / "way" / "below"):
        with pytest.raises(UsageError, match=r"way.*cannot be written.*--cache-dir"):
            Cache(path)
    assert (tmp_path / "way").read_text() == "kept"


def test_a_file_in_the_way_of_a_kind_is_a_clear_error(cache: Cache) -> None:
    (cache.folder / "kind").write_text("kept")
    with pytest.raises(NotMeasured, match=r"kind.*cannot be written.*--cache-dir") as caught:
        cache.get_or_make("kind", KEY, Maker())
    assert caught.value.kind == "disk"


def test_a_file_in_the_place_of_an_entry_is_replaced_or_a_clear_error(cache: Cache) -> None:
    folder = cache.get_or_make("kind", KEY, Maker())[0]
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    folder.write_text("in the way")
    try:
        assert cache.get_or_make("kind", KEY, Maker())[2] is False
    except NotMeasured as error:
        assert "--cache-dir" in str(error)
        assert [p for p in left(cache) if p.name.startswith(".making")] == []


def test_the_environment_names_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GATEKEEPER_CACHE", str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.delenv("GATEKEEPER_CACHE")
    assert default_folder().name == "gatekeeper"
