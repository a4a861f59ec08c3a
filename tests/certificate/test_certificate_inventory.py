"""Every file of an artifact, whatever it is called and wherever in the folder it lies."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.certified import Place

from gatekeeper.certificate.inventory import differences, identity, inventory
from gatekeeper.errors import Refused, UsageError
from gatekeeper.models.files import digest_files

CONTENT = {"model.xml": b"<net/>", "model.bin": b"weights", "tokenizer.json": b"{}"}


def folder(place: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return place


@pytest.mark.parametrize("names", [["model.xml"], ["model.xml", "model.bin"], list(CONTENT)])
def test_it_is_called_what_reports_call_it(tmp_path: Path, names: list[str]) -> None:
    place = folder(tmp_path / "m", {name: CONTENT[name] for name in names})
    assert identity(inventory(place)) == digest_files([place / name for name in names])


def test_a_file_is_the_same_alone_and_in_a_folder(tmp_path: Path) -> None:
    place = folder(tmp_path / "m", {"model.onnx": b"x"})
    assert inventory(place) == inventory(place / "model.onnx")


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1, max_size=8)
FILES = st.dictionaries(NAMES, st.binary(min_size=1, max_size=3).map(lambda data: data.hex()), min_size=1, max_size=5)


@given(FILES, FILES)
def test_other_files_are_always_different_in_words(one: dict[str, str], other: dict[str, str]) -> None:
    assert bool(list(differences(one, other))) == (one != other)


@given(FILES, FILES)
def test_and_never_have_one_identity(one: dict[str, str], other: dict[str, str]) -> None:
    """Of one file its name is no part of it, as everywhere; of several it is."""
    if len(one) > 1 or len(other) > 1:
        assert (identity(one) == identity(other)) == (one == other)


def test_what_differs_is_said() -> None:
    certified = {"a": "1" * 64, "b": "2" * 64, "c": "3" * 64}
    found = list(differences({"a": "9" * 64, "new": "2" * 64, "c": "3" * 64, "more": "5" * 64}, certified))
    assert found == [
        "a is not the file that was certified: its SHA-256 is 999999999999, and 111111111111 there",
        "new is not in the certificate: it is b there. Give it that name",
        "more is not in the certificate",
        "b is in the certificate, and is missing",
    ]


@pytest.mark.parametrize("name", [".hidden", "sub/.git/HEAD", ".gitattributes"])
def test_what_is_hidden_is_refused(tmp_path: Path, name: str) -> None:
    place = folder(tmp_path / "m", {"model.onnx": b"x", name: b"y"})
    with pytest.raises(Refused, match="is hidden"):
        inventory(place)
    if "/" not in name:
        with pytest.raises(Refused, match="is hidden"):
            inventory(place / name)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
@pytest.mark.parametrize("to", ["model.onnx", "nowhere", ".", "/etc/passwd"])
def test_a_link_is_refused_wherever_it_leads(tmp_path: Path, to: str) -> None:
    place = folder(tmp_path / "m", {"model.onnx": b"x", "sub/more": b"y"})
    (place / "sub/link").symlink_to(to)
    with pytest.raises(Refused, match="sub/link is a link"):
        inventory(place)
    (tmp_path / "whole").symlink_to(place)
    with pytest.raises(Refused, match="is a link"):
        inventory(tmp_path / "whole")


def test_an_empty_folder_and_nothing_at_all(tmp_path: Path) -> None:
    (tmp_path / "m/sub").mkdir(parents=True)
    with pytest.raises(Refused, match="is an empty folder"):
        inventory(tmp_path / "m")
    with pytest.raises(UsageError, match="no such file or folder"):
        inventory(tmp_path / "n")
    with pytest.raises(UsageError, match="no such file"):
        inventory(Path("a\0b"))


@pytest.mark.skipif(os.name != "posix", reason="names are text elsewhere")
def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"m\xff.bin")).write_bytes(b"x")
    with pytest.raises(Refused, match="is not a name in UTF-8"):
        inventory(tmp_path)
    with pytest.raises(Refused, match="is not a name in UTF-8"):
        inventory(tmp_path / os.fsdecode(b"m\xff.bin"))


def test_folders_without_an_end(tmp_path: Path) -> None:
    place = tmp_path / "m"
    folder(place / "/".join("d" * 40), {"model.onnx": b"x"})
    with pytest.raises(Refused, match="more than 32 deep"):
        inventory(place)


@pytest.fixture
def several(place: Place) -> Path:
    """The release, whose artifact is a folder of three files, in one below, too; certified as such."""
    shutil.rmtree(place.folder / "out/artifacts")
    model = folder(place.folder / "out/artifacts/here__onnx_runtime__int8_dynamic", CONTENT)

    def change(report: dict[str, Any]) -> None:
        files = [model / name for name in CONTENT]
        artifact = {"path": f"artifacts/{model.name}", "sha256": digest_files(files), "bytes": sum(map(len, CONTENT.values()))}
        report["targets"][0]["variants"][0]["artifact"] = artifact

    place.change_report(change)
    done = place.certify()
    assert done.returncode == 0, done.stderr
    assert [each["name"] for each in place.payload()["subject"]] == sorted(CONTENT)
    return model


def swapped(model: Path) -> None:
    one, other = model / "model.xml", model / "model.bin"
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


FOLDERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "removed": (lambda m: (m / "model.bin").unlink(), "model.bin is in the certificate, and is missing"),
    "added": (lambda m: (m / "more.bin").write_bytes(b""), "more.bin is not in the certificate"),
    "added below": (lambda m: folder(m / "sub", {"x.py": b""}), "sub/x.py is not in the certificate"),
    "renamed": (lambda m: (m / "model.bin").rename(m / "weights.bin"), "weights.bin is not in the certificate: it is model.bin"),
    "moved": (
        lambda m: (folder(m / "sub", {"model.bin": CONTENT["model.bin"]}), (m / "model.bin").unlink()),
        "sub/model.bin is not in the certificate: it is model.bin there",
    ),
    "swapped": (swapped, "model.bin is not the file that was certified"),
    "emptied": (lambda m: (m / "model.bin").write_bytes(b""), "model.bin is not the file that was certified"),
    "copied": (lambda m: shutil.copy(m / "model.bin", m / "copy.bin"), "copy.bin is not in the certificate"),
}


@pytest.mark.parametrize("way", FOLDERS)
def test_a_folder_is_released_whole_or_not_at_all(place: Place, several: Path, way: str) -> None:
    change, said = FOLDERS[way]
    assert place.verify(model=several).returncode == 0
    moved = several.rename(place.folder / "deployed")  # the folder itself may be called anything
    assert place.verify(model=moved).returncode == 0
    change(moved)
    done = place.verify(model=moved)
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr


def test_one_file_of_a_folder_is_not_the_model(place: Place, several: Path) -> None:
    done = place.verify(model=several / "model.xml")
    assert done.returncode == 1
    assert "model.bin is in the certificate, and is missing" in done.stderr


def test_what_lies_beside_an_artifact_is_not_certified_with_it(place: Place, several: Path) -> None:
    (several / "setup.py").write_text("import os")
    done = place.certify()
    assert done.returncode == 1
    assert "is not what was measured" in done.stderr
