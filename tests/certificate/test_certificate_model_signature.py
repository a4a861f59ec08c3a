"""Model signatures (OpenSSF): `model-signing` verifies ours, and theirs hold here, but for what they leave out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.certified import Place, refused, write_key
from kit.sigstore_world import IDENTITY, ISSUER, text, world

from gatekeeper.certificate.inventory import inventory
from gatekeeper.certificate.model_signature import signed, statement, verified, wrong
from gatekeeper.certificate.signing import Signer, public_key, signer_of
from gatekeeper.errors import Refused


def theirs(*words: object, cwd: Path) -> Any:
    """The command line of `model-signing`."""
    told = [sys.executable, "-m", "model_signing", *(str(word) for word in words)]
    return subprocess.run(told, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model of several files, and a key beside it."""
    write_key(tmp_path, "ecdsa")
    model = tmp_path / "model"
    (model / "sub").mkdir(parents=True)
    for name in ("weights.bin", "config.json", "sub/part", "sub.more", "report.json"):
        (model / name).write_text(f"of {name}")
    return model


def sign(model: Path) -> bytes:
    files = inventory(model)
    return signed(statement(files, model.name, model.is_file()), signer_of(model.parent / "release.key"))


def found(data: bytes, model: Path) -> list[str]:
    """What is wrong with a signature, if anything."""
    payload, _ = verified(data, [Signer("releases", public_key(model.parent / "release.pub"))], "s")
    return list(wrong(payload, inventory(model), model.is_file(), "s"))


@pytest.mark.parametrize(("kind", "name"), [("ecdsa", "."), ("ecdsa-384", "weights.bin")])
def test_what_is_written_here_is_verified_there(folder: Path, kind: str, name: str) -> None:
    model = folder / name
    if model.is_file():
        model = model.rename(folder.parent / name)
    write_key(folder.parent, kind)
    (folder.parent / "model.sig").write_bytes(sign(model))
    asked = ["verify", "key", model, "--signature", "model.sig", "--public_key", "release.pub"]
    done = theirs(*asked, cwd=folder.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert found((folder.parent / "model.sig").read_bytes(), model) == []
    (model if model.is_file() else model / "config.json").write_text("another")
    assert "is not the file that was signed" in found((folder.parent / "model.sig").read_bytes(), model)[0]


def test_theirs_holds_here_if_it_leaves_nothing_out(folder: Path) -> None:
    words = ["sign", "key", folder, "--private_key", "release.key", "--signature", "model.sig"]
    assert theirs(*words, "--no-ignore-git-paths", cwd=folder.parent).returncode == 0
    assert found((folder.parent / "model.sig").read_bytes(), folder) == []
    assert theirs(*words, cwd=folder.parent).returncode == 0  # as it is by itself: without what is Git's
    (said,) = found((folder.parent / "model.sig").read_bytes(), folder)
    assert "leaves out" in said
    assert ".gitattributes" in said


def test_a_file_that_the_signer_left_out_can_be_changed_there_and_not_here(folder: Path) -> None:
    words = ["sign", "key", folder, "--private_key", "release.key", "--signature", "model.sig", "--no-ignore-git-paths"]
    assert theirs(*words, "--ignore-paths", folder / "report.json", cwd=folder.parent).returncode == 0
    (folder / "report.json").write_text('{"verdict": "pass"}')
    asked = ["verify", "key", folder, "--signature", "model.sig", "--public_key", "release.pub"]
    assert theirs(*asked, cwd=folder.parent).returncode == 0  # it is believed there
    assert found((folder.parent / "model.sig").read_bytes(), folder) == [
        "the model signature leaves out report.json: files of that name are not signed. Sign again, without ignore_paths"
    ]


@pytest.mark.parametrize("added", ["more.bin", ".gitignore", ".git/config", ".hidden", "sub/.github"])
def test_a_file_beside_the_signed_ones_is_found(folder: Path, added: str) -> None:
    data = sign(folder)
    (folder / added).parent.mkdir(exist_ok=True)
    (folder / added).write_text("x")
    try:
        assert found(data, folder) == [f"{added} is not in the model signature"]
    except Refused as error:
        assert "is hidden" in str(error)
        assert added != "more.bin"


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_links_are_refused(folder: Path) -> None:
    data = sign(folder)
    (folder / "weights.bin").rename(folder.parent / "elsewhere")
    (folder / "weights.bin").symlink_to(folder.parent / "elsewhere")
    with pytest.raises(Refused, match="is a link"):
        found(data, folder)


def test_missing_and_renamed_files_are_found(folder: Path) -> None:
    data = sign(folder)
    (folder / "weights.bin").rename(folder / "weights.dat")
    assert found(data, folder) == [
        "weights.dat is not in the model signature: it is weights.bin there. Give it that name",
        "weights.bin is in the model signature, and is missing",
    ]


def test_no_byte_of_it_can_change(folder: Path) -> None:
    data = sign(folder)
    assert found(data, folder) == []
    for index in range(len(data)):
        changed = bytearray(data)
        changed[index] ^= 1 << index % 8
        for other in (bytes(changed), data[:index] + data[index + 1 :], data[:index], data[:index] + b" " + data[index:]):
            with pytest.raises(Refused):
                found(other, folder)


PAYLOADS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "shards": (lambda p: p["predicate"]["serialization"].update(method="shards", shard_size=10), "states no model signature"),
    "links": (lambda p: p["predicate"]["serialization"].update(allow_symlinks=True), "states no model signature"),
    "another digest": (lambda p: p["predicate"]["serialization"].update(hash_type="blake2b"), "states no model signature"),
    "a setting nobody knows": (lambda p: p["predicate"]["serialization"].update(except_for=["x"]), "states no model signature"),
    "paths left out": (lambda p: p["predicate"]["serialization"].update(ignore_paths=["x"]), "leaves out x"),
    "a file twice": (lambda p: p["predicate"]["resources"].append(p["predicate"]["resources"][0]), "names a file twice"),
    "a file less": (lambda p: p["predicate"]["resources"].pop(), "is not that of its own files"),
    "another whole": (lambda p: p["subject"][0].update(digest={"sha256": "0" * 64}), "is not that of its own files"),
    "no subject": (lambda p: p.update(subject=[]), "states no model signature"),
    "two subjects": (lambda p: p["subject"].append(p["subject"][0]), "states no model signature"),
    "another predicate": (lambda p: p.update(predicateType="https://slsa.dev/provenance/v1"), "and no model signature"),
    "an earlier one": (lambda p: p.update(predicateType="https://model_signing/Digests/v0.1"), "and no model signature"),
    "no predicate": (lambda p: p.pop("predicate"), "states no model signature"),
    "no files": (lambda p: p["predicate"].update(resources=[]), "is not that of its own files"),
}


@pytest.mark.parametrize("way", PAYLOADS)
def test_what_a_trusted_key_signed_is_not_therefore_right(folder: Path, way: str) -> None:
    change, said = PAYLOADS[way]
    payload = json.loads(statement(inventory(folder), "model", False))
    change(payload)
    data = signed(json.dumps(payload).encode(), signer_of(folder.parent / "release.key"))
    try:
        assert said in found(data, folder)[0]
    except Refused as error:
        assert said in str(error)


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b["dsseEnvelope"]["signatures"].append(b["dsseEnvelope"]["signatures"][0]),
        lambda b: b["dsseEnvelope"]["signatures"][0].update(keyid="x"),
        lambda b: b["dsseEnvelope"].update(payloadType="text/plain"),
        lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.2"),
        lambda b: b.update(more=1),
        lambda b: b["verificationMaterial"].update(tlogEntries=[{}]),
        lambda b: b["verificationMaterial"]["publicKey"].update(hint=None),
        lambda b: b["verificationMaterial"]["publicKey"].update(hint=""),
        lambda b: b["verificationMaterial"].update(publicKey={}),
        lambda b: b["dsseEnvelope"].update(payload=b64encode(b64decode(b["dsseEnvelope"]["payload"]) + b" ").decode()),
        lambda b: b["dsseEnvelope"].update(signatures=[]),
        lambda b: b["dsseEnvelope"].update(signatures=1),
        lambda b: b.pop("verificationMaterial"),
    ],
)
def test_a_bundle_in_which_anything_else_stands(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    read = json.loads(sign(folder))
    change(read)
    with pytest.raises(Refused):
        found(text(read), folder)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"1", b"\xff", b"[" * 100_000, b'{"verificationMaterial":[]}'])
def test_what_is_no_signature(folder: Path, data: bytes) -> None:
    with pytest.raises(Refused):
        found(data, folder)


def test_it_lies_beside_the_certificate_and_both_hold(place: Place) -> None:
    write_key(place.folder, "ecdsa")
    done = place.certify("--model-signature", "out/model.sig")
    assert done.returncode == 0, done.stderr
    assert "written: out/model.sig, for `model_signing verify`" in done.stdout
    done = place.verify("--model-signature", "out/model.sig")
    assert done.returncode == 0, done.stderr
    assert "the model signature over the same files, by releases (ecdsa-sha2-nistp256, key " in done.stdout
    keyid = place.certificate.read_text().split('"keyid": "')[1].split('"')[0]
    place.trust.write_text(f"{place.trust.read_text()}revoked: ['{keyid}']\n")
    refused(place.verify("--model-signature", "out/model.sig"), f"the key of releases is revoked ({keyid[:12]})")


def test_a_signature_that_is_wrong_stops_a_release_whose_certificate_is_right(place: Place) -> None:
    write_key(place.folder, "ecdsa")
    assert place.certify("--model-signature", "out/model.sig").returncode == 0
    assert place.verify("--model-signature", "out/model.sig").returncode == 0
    file = place.folder / "out/model.sig"
    other = statement({"other.onnx": "0" * 64}, "other.onnx", True)
    file.write_bytes(signed(other, signer_of(place.key)))
    refused(place.verify("--model-signature", file), "is not the file that was signed")
    write_key(place.folder, "ecdsa", "other")
    payload = statement(inventory(place.model), place.model.name, True)
    file.write_bytes(signed(payload, signer_of(place.folder / "other.key")))
    refused(place.verify("--model-signature", file), "not by a signer of the trust file: releases")
    file.write_bytes(place.certificate.read_bytes())
    refused(place.verify("--model-signature", file), "not a model signature")
    file.unlink()
    refused(place.verify("--model-signature", file), "cannot be read", code=2)


def test_a_key_of_another_kind_and_a_place_among_the_files_are_refused(place: Place) -> None:
    done = place.certify("--model-signature", "out/model.sig")
    refused(done, "takes no key of the kind ed25519", "openssl ecparam -genkey", code=2)
    write_key(place.folder, "ecdsa")
    done = place.certify("--artifact", "out/artifacts", "--model-signature", "out/artifacts/model.sig")
    refused(done, "lies among the files that it signs", code=2)
    assert not (place.folder / "out/artifacts/model.sig").exists()
    if os.name != "nt":
        (place.folder / "out/model.sig").symlink_to(place.folder / "elsewhere")
        refused(place.certify("--model-signature", "out/model.sig"), "is a link", code=2)


def test_an_identity_signs_models_too(place: Place) -> None:
    place.change_report(lambda report: report.update(commit="a" * 40))
    with world() as own:
        own.write(place.folder)
        words = ["certify", "out", "--trust-config", "trust_config.json", "--model-signature", "out/model.sig"]
        done = place.call(*words, env=own.environ)
        assert done.returncode == 0, done.stderr
        other = own.bundle(statement({"m": "0" * 64}, "m", True))
        stranger = own.bundle(b"{}", job_workflow_ref="evil/x/.github/workflows/y.yml@refs/heads/main")
    place.trust.write_text(f"signers: [{{identity: '{IDENTITY}', issuer: '{ISSUER}'}}]\ntrusted_root: trusted_root.json\n")
    done = place.verify("--model-signature", "out/model.sig")
    assert done.returncode == 0, done.stderr
    asked = ["verify", "sigstore", place.model, "--signature", "out/model.sig", "--trust_config", "trust_config.json"]
    done = theirs(*asked, "--identity", IDENTITY, "--identity_provider", ISSUER, cwd=place.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    for data, said in ((other, "is not the file that was signed"), (stranger, "it is by https://github.com/evil/x/")):
        (place.folder / "out/model.sig").write_bytes(data)
        refused(place.verify("--model-signature", "out/model.sig"), said)
