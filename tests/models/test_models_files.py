"""Which inspector reads a file, what is refused, and a model's identity by content."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest

from gatekeeper.errors import ExitCode, NotMeasured, UsageError
from gatekeeper.models.files import assess, digest, digest_files, known_formats, known_suffixes, model_format


def test_every_format_names_suffixes_of_its_own() -> None:
    suffixes = known_suffixes()
    assert ".onnx" in suffixes
    assert len(suffixes) == len(set(suffixes))
    assert all(s.startswith(".") and s == s.lower() for s in suffixes)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.onnx", "onnx"),
        ("A.ONNX", "onnx"),
        ("a.b.onnx", "onnx"),
        ("a.txt", None),
        ("onnx", None),
        (".onnx", None),
        ("a.onnx ", None),
    ],
)
def test_the_suffix_says_the_format(name: str, expected: str | None) -> None:
    assert model_format(Path(name)) == expected


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.onnx", "no such model"),
        ("folder.onnx", "a folder without config.json"),
        ("folder", "model.safetensors and"),
        ("a.txt", "'.txt'"),
        ("a", "''"),
    ],
)
def test_what_is_no_model_file_is_refused_with_what_would_be(tmp_path: Path, name: str, words: str) -> None:
    for folder in ("folder.onnx", "folder"):
        (tmp_path / folder).mkdir()
    for file in ("a.txt", "a"):
        (tmp_path / file).write_text("x")
    with pytest.raises(UsageError) as caught:
        assess(tmp_path / name)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "onnx" in str(caught.value)
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_name_too_long_for_the_disk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        assess(tmp_path / ("a" * 300 + ".onnx"))


def test_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").symlink_to(tmp_path / "gone.onnx")
    with pytest.raises(UsageError, match="no such model"):
        assess(tmp_path / "a.onnx")


def test_a_digest_is_the_files_sha256(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(data)
    assert digest(tmp_path / "a") == hashlib.sha256(data).hexdigest() == digest_files([tmp_path / "a"])


@pytest.mark.parametrize("changed", ["a", "b"])
def test_the_identity_of_several_files_changes_with_each(tmp_path: Path, changed: str) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_text("same")
    before = digest_files(files)
    (tmp_path / changed).write_text("other")
    assert digest_files(files) != before


def test_the_identity_of_several_files_is_not_of_their_place(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for file in ("m.onnx", "m.data"):
            (tmp_path / name / file).write_text(file)
        found.append(digest_files([tmp_path / name / "m.onnx", tmp_path / name / "m.data"]))
    assert found[0] == found[1]


def test_the_identity_of_several_files_depends_on_their_names(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("same")
    assert digest_files([tmp_path / "a", tmp_path / "b"]) != digest_files([tmp_path / "a", tmp_path / "c"])


def test_the_identity_of_several_files_is_not_of_the_order_they_are_listed_in(tmp_path: Path) -> None:
    files = [tmp_path / "model.xml", tmp_path / "model.bin"]
    for file in files:
        file.write_text(file.name)
    assert digest_files(files) == digest_files(files[::-1])


def test_files_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("m.onnx", "a/w.bin", "b/w.bin")]
    for file, content in zip(files, ("m", "1", "2"), strict=True):
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
    before = digest_files(files)
    assert digest_files(files[::-1]) == before
    files[1].write_text("2")
    files[2].write_text("1")
    assert digest_files(files) != before


def test_no_file_name_can_stand_for_two_files(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, names in ((one, ["a", "b", "c"]), (other, ["a", f"b\n{hashlib.sha256(b'x').hexdigest()}  c"])):
        folder.mkdir()
        for name in names:
            (folder / name).write_bytes(b"x")
    assert digest_files(sorted(one.iterdir())) != digest_files(sorted(other.iterdir()))


def test_any_file_name_has_an_identity(tmp_path: Path) -> None:
    files = [tmp_path / "a", Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))]
    for file in files:
        file.write_text("x")
    assert len(digest_files(files)) == 64


def test_the_identity_is_that_of_the_same_files_however_they_are_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    for name in ("a", "b"):
        (tmp_path / "model" / name).write_text(name)
    (tmp_path / "link").symlink_to(tmp_path / "model")
    monkeypatch.chdir(tmp_path / "model")
    places = (tmp_path / "model", tmp_path / "link", Path(), Path("../model"))
    assert len({digest_files([place / "a", place / "b"]) for place in places}) == 1


def test_a_folder_is_what_its_marker_says(tmp_path: Path) -> None:
    for name in ("model", "model.onnx"):
        (tmp_path / name).mkdir()
        assert model_format(tmp_path / name) is None
        (tmp_path / name / "config.json").write_text("{}")
        assert model_format(tmp_path / name) == "huggingface"
    assert model_format(tmp_path / "model" / "config.json") is None


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_file_of_a_model_folder_points_at_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / name).write_text("{}")
    with pytest.raises(UsageError, match=re.escape(f"name the folder: {tmp_path}.")):
        assess(tmp_path / name)


def test_what_is_read_is_said_in_words() -> None:
    assert known_formats() == ".gguf, .onnx, .xml, a Hugging Face folder (with config.json)"


@pytest.mark.parametrize("name", ["m.onnx", "m.xml", "m.gguf"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(NotMeasured, match="not a file that can be read"):
        assess(tmp_path / name)
