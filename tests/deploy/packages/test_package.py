"""`gatekeeper package`: what passed, whole or not at all, and the same bytes each time."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from kit.certified import now, write_key
from kit.command import call
from kit.packaged import BASE, IMAGE, Packaging, told

from gatekeeper.certificate.signing import signed, signer_of
from gatekeeper.deploy.packages import _tree
from gatekeeper.deploy.packages._approved import approved, judged
from gatekeeper.deploy.packages._base import Part, label, pinned
from gatekeeper.errors import Refused, UsageError


def hashes(folder: Path) -> dict[str, str]:
    """Every file of a folder and its SHA-256, as the system's own program says it."""
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    said = subprocess.run(["sha256sum", *found], cwd=folder, capture_output=True, text=True, check=True).stdout
    return {line.split("  ", 1)[1]: line.split("  ", 1)[0] for line in said.splitlines()}


def test_all_that_the_file_asks_for_is_made(packaging: Packaging) -> None:
    for name in ("model.cdx.json", "of_a_stranger.cdx.json"):
        (packaging.folder / "out" / name).write_text('{"bomFormat": "CycloneDX", "components": [{"name": "another model"}]}')
    done = packaging.call("--certificate", "out/certificate.json", "--trust", "trust.yaml")
    assert done.returncode == 0, done.stderr
    parts = {path.name for path in packaging.output.iterdir()}
    assert parts == {"container", "kubernetes", "compose", "android", "cross_platform", "nvidia_based", "SHA256SUMS"}
    found = hashes(packaging.output)
    assert found.pop("SHA256SUMS")
    lines = (packaging.output / "SHA256SUMS").read_text().splitlines()
    assert {line.split("  ", 1)[1]: line.split("  ", 1)[0] for line in lines} == found
    for part in parts - {"SHA256SUMS"}:
        said = told(packaging.output / part)
        assert said["variant"] == "here/onnx_runtime/int8_dynamic"
        assert said["report"] == hashlib.sha256(packaging.place.report.read_bytes()).hexdigest()
        assert said["certificate"] == hashlib.sha256(packaging.place.certificate.read_bytes()).hexdigest()
        assert {path.name for path in (packaging.output / part / "evidence").iterdir()} == {
            "report.json",
            "certificate.json",
            "model.cdx.json",
        }
        bom = packaging.output / part / "evidence/model.cdx.json"
        assert bom.read_bytes() == packaging.place.bom.read_bytes()  # what was certified, and nothing that lies beside it
        runs = [note for note in said["not_measured"] if IMAGE in note]
        assert bool(runs) == (part in {"kubernetes", "compose", "nvidia_based"}), said["not_measured"]
    model = hashlib.sha256(packaging.place.model.read_bytes()).hexdigest()
    assert len([name for name, digest in found.items() if digest == model]) == 4  # not with what only runs an image
    assert "on no phone" in done.stderr and "measured on cpu" in done.stderr


def test_the_same_input_gives_the_same_bytes(packaging: Packaging, tmp_path: Path) -> None:
    """In another folder, later, with other times on the files, written in another order, under another umask."""
    words = ["--for", "mobile", "--for", "edge_server", "--archive", "package.tar"]
    packaging.made(*words)
    other = tmp_path / "elsewhere"
    shutil.copytree(packaging.folder, other / "x", ignore=shutil.ignore_patterns("gatekeeper-package", "package.tar"))
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
    again = Packaging(type(packaging.place)(other / "x"))
    before = os.umask(0o077)
    try:
        again.made("--for", "edge_server", "--for", "mobile", "--archive", "package.tar")
    finally:
        os.umask(before)
    one, two = ((place.folder / "package.tar").read_bytes() for place in (packaging, again))
    assert hashlib.sha256(one).digest() == hashlib.sha256(two).digest()
    with tarfile.open(packaging.folder / "package.tar") as archive:
        entries = archive.getmembers()
    assert [entry.name for entry in entries] == sorted(entry.name for entry in entries)
    assert {(entry.mtime, entry.uid, entry.gid, entry.uname, entry.mode) for entry in entries} == {(_tree.EPOCH, 0, 0, "", 0o644)}


def without(packaging: Packaging, done: Any, *said: str, code: int = 1) -> None:
    """Refused in these words, and nothing was written or left behind."""
    assert done.returncode == code, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    for words in said:
        assert words in done.stderr, done.stderr
    assert not packaging.output.exists()
    assert not [path for path in packaging.folder.iterdir() if path.name.startswith(".writing")]


def test_what_did_not_pass_is_refused(packaging: Packaging) -> None:
    def fails(report: dict[str, Any]) -> None:
        (gate,) = (g for g in report["targets"][0]["variants"][0]["gates"] if g["gate"] == "accuracy")
        gate.update(lower=0.5, observed=0.6, upper=0.7)  # and still it says pass

    packaging.place.change_report(fails)
    without(packaging, packaging.call("--for", "mobile"), "only a pass is packaged")


def test_a_variant_that_did_not_pass_is_refused_by_name(packaging: Packaging) -> None:
    without(packaging, packaging.call("--for", "mobile", "--variant", "here/x/y"), "has none of that name", code=2)
    packaging.change("quantization: int8, acceleration", "quantization: int4, acceleration")
    said = "packaging.edge_server.nvidia_based wants onnx_runtime as int4, and the report has no such variant"
    without(packaging, packaging.call(), said, "here/onnx_runtime/int8_dynamic")


def test_a_variant_that_a_part_is_not_made_of_is_refused(packaging: Packaging) -> None:
    packaging.change("quantization: int8, acceleration", "quantization: int4, acceleration")
    done = packaging.call("--part", "nvidia_based", "--variant", "here/onnx_runtime/int8_dynamic")
    without(packaging, done, "is not what packaging.edge_server.nvidia_based is made of: onnx_runtime as int4")


def test_other_files_than_were_measured_are_refused(packaging: Packaging) -> None:
    packaging.place.model.write_bytes(packaging.place.model.read_bytes() + b"x")
    without(packaging, packaging.call("--for", "mobile"), "is not what was measured")


def test_no_link_is_followed(packaging: Packaging) -> None:
    model = packaging.place.model
    model.rename(packaging.folder / "elsewhere")
    model.symlink_to(packaging.folder / "elsewhere")
    without(packaging, packaging.call("--for", "mobile"), "is a link")


def test_nothing_is_written_through_a_link(packaging: Packaging, tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    packaging.output.symlink_to(tmp_path / "victim")
    done = packaging.call("--for", "mobile", "--replace")
    assert done.returncode == 2 and "is a link" in done.stderr
    assert list((tmp_path / "victim").iterdir()) == []


def test_a_bill_of_materials_that_is_a_link_is_not_followed(packaging: Packaging) -> None:
    (packaging.folder / "out/model.cdx.json").symlink_to("/etc/hostname")
    place = packaging.made("--for", "mobile") / "android"
    assert (place / "evidence/model.cdx.json").read_bytes() == packaging.place.bom.read_bytes()


def test_a_certificate_must_verify(packaging: Packaging) -> None:
    words = ["--for", "mobile", "--certificate", "out/certificate.json", "--trust", "trust.yaml"]
    without(packaging, packaging.call(*words[:4]), "go together", code=2)
    write_key(packaging.folder, name="other")
    payload = packaging.place.payload()
    mine = packaging.place.certificate.read_bytes()
    packaging.place.certificate.write_bytes(signed(str(payload).encode(), signer_of(packaging.folder / "other.key")))
    without(packaging, packaging.call(*words), "not by a signer of the trust file")
    packaging.place.certificate.write_bytes(mine)
    (packaging.folder / "trust.yaml").write_text(
        "signers: [{name: releases, key: release.pub}]\nrequire: {min_examples: 100000}\n"
    )
    without(packaging, packaging.call(*words), "distinct examples, and 100000 are required here")


def test_a_certificate_of_another_variant_is_none(packaging: Packaging) -> None:
    payload = packaging.place.payload()
    payload["predicate"]["variant"] = "here/onnx_runtime/other"
    packaging.place.sign(payload)
    words = ["--for", "mobile", "--certificate", "out/certificate.json", "--trust", "trust.yaml"]
    without(packaging, packaging.call(*words), "has no certificate: those given are of here/onnx_runtime/other")


def test_a_package_that_is_there_is_only_replaced_where_one_says_so(packaging: Packaging) -> None:
    packaging.made("--for", "mobile")
    before = hashes(packaging.output)
    done = packaging.call("--for", "edge_server")
    assert done.returncode == 2 and "is there already. Say --replace" in done.stderr
    assert hashes(packaging.output) == before
    packaging.made("--for", "edge_server", "--replace")
    assert {path.name for path in packaging.output.iterdir()} == {"nvidia_based", "SHA256SUMS"}


def test_what_is_no_package_is_never_replaced(packaging: Packaging) -> None:
    packaging.output.mkdir()
    (packaging.output / "thesis.tex").write_text("years of work")
    done = packaging.call("--for", "mobile", "--replace")
    assert done.returncode == 2 and "is no package" in done.stderr
    assert (packaging.output / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("there", [False, True], ids=["new", "replaced"])
def test_a_full_disk_leaves_what_was_there(packaging: Packaging, monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    if there:
        packaging.made("--for", "edge_server")
    before = hashes(packaging.output) if there else {}
    written: list[Path] = []

    def full(path: Path, content: object) -> str:
        written.append(path)
        if len(written) > 3:
            raise OSError(28, "No space left on device")
        return real(path, content)

    real = _tree._write
    monkeypatch.setattr(_tree, "_write", full)
    done = packaging.call("--for", "mobile", "--replace")
    assert len(written) == 4, "the fault arrived"
    assert done.returncode == 2 and "No space left on device" in done.stderr
    assert (hashes(packaging.output) if packaging.output.exists() else {}) == before
    assert not [path for path in packaging.folder.iterdir() if path.name.startswith(".writing")]


def test_a_file_that_changes_while_it_is_packaged_is_noticed(packaging: Packaging, monkeypatch: pytest.MonkeyPatch) -> None:
    real = _tree._pieces

    def changed(content: Any) -> Any:
        if isinstance(content, Path) and content.suffix == ".onnx":
            content.write_bytes(b"another model")
        return real(content)

    monkeypatch.setattr(_tree, "_pieces", changed)
    without(packaging, packaging.call("--for", "mobile"), "changed while it was packaged")
    assert packaging.place.model.read_bytes() == b"another model", "the fault arrived"


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a\\b", "a\nb", ""])
def test_no_name_leads_out_of_a_package(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused):
        _tree.write_tree(tmp_path / "p", {name: b"x"}, replace=False)
    assert list(tmp_path.iterdir()) == []


def test_a_changed_package_is_told_from_its_sums(packaging: Packaging) -> None:
    place = packaging.made("--for", "mobile")
    assert _tree.checked(place)
    for change in (lambda p: p.write_bytes(b"x"), Path.unlink):
        whole = {path: path.read_bytes() for path in place.rglob("app.json")}
        change(next(iter(whole)))
        with pytest.raises(Refused, match=r"app\.json is not as its SHA256SUMS says"):
            _tree.checked(place)
        for path, data in whole.items():
            path.write_bytes(data)
    (place / "added").write_text("x")
    with pytest.raises(Refused, match="added is not as"):
        _tree.checked(place)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--for", "mobil"], "did you mean 'mobile'?"),
        (["--for", "mobile", "--part", "ios"], "There are android, cross_platform."),
        (["--config", "no.yaml"], "no.yaml"),
        (["--waivers", "no.yaml"], "no.yaml"),
        (["--for", "mobile", "--artifact", "no.onnx"], "no.onnx"),
        (["--for", "mobile", "--push", "digits"], "is no host/name[:tag]"),
        (["--for", "mobile", "--push", "127.0.0.1:1/x@sha256:0"], "is no host/name[:tag]"),
    ],
)
def test_a_mistake_is_a_message(packaging: Packaging, words: list[str], said: str) -> None:
    without(packaging, packaging.call(*words), said, code=2)


def test_a_file_that_changed_since_is_not_taken_by_itself(packaging: Packaging) -> None:
    """The file that the report names counts only where it is the very one."""
    file = packaging.folder / "pipeline.yaml"
    file.write_text(file.read_text() + "  packaging: {mobile_deployment: {android: {}}}\n")
    done = call(["package", "out"], packaging.folder, {})
    without(packaging, done, "is not the file that the report was measured by", code=2)


@pytest.mark.parametrize("image", ["", "python", "python:3.11", "python@sha256:0", f"python@sha256:{'0' * 64}", f"{IMAGE} "])
def test_an_image_is_named_by_its_digest(image: str) -> None:
    with pytest.raises(UsageError, match=r"name@sha256:<64 hexadecimal digits>"):
        pinned(image, "the image", "--base", "packaging.container.base")


@pytest.mark.parametrize(("text", "wanted"), [("My Model_v2.onnx", "my-model-v2-onnx"), ("3d", "model-3d"), ("ä", "model")])
def test_names_fit_everywhere(text: str, wanted: str) -> None:
    assert label(text) == wanted


def test_a_selected_variant_is_taken_before_another_that_fits(packaging: Packaging) -> None:
    known = judged(packaging.place.folder / "out/report.json", None, None, now())
    part = Part("mobile", "android", None, ("x",), "onnx_runtime", "int8")
    assert approved(known, part, None, packaging.place.model, None).variant.id == "here/onnx_runtime/int8_dynamic"


@pytest.mark.parametrize(("before", "after"), [(IMAGE, "digits:1.0"), (BASE, "python:3.11-slim")])
def test_an_image_without_its_digest_is_told_at_once(packaging: Packaging, before: str, after: str) -> None:
    packaging.change(before, after)
    done = call(["validate", "how.yaml"], packaging.folder, {})
    assert done.returncode == 2
    wanted = [
        str(i) for i, line in enumerate((packaging.folder / "how.yaml").read_text().splitlines(), 1) if f'"{after}"' in line
    ]
    said = [line for line in done.stderr.splitlines() if "is not named by its digest" in line]
    assert [line.split(":")[1] for line in said] == wanted, done.stderr
