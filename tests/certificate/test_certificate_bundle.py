"""Nothing of a bundle can be changed, left out or added: what Sigstore's own code does not look at is held to one form."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.sigstore_world import IDENTITY, ISSUER, World, text, world
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity

from gatekeeper.certificate.bundle import is_bundle, trusted_root, verified
from gatekeeper.certificate.identity import Workflow
from gatekeeper.errors import Refused

PAYLOAD = json.dumps(
    {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "m", "digest": {"sha256": "0" * 64}}],
        "predicateType": "p",
        "predicate": {},
    }
).encode()
WHO = [Workflow("releases", IDENTITY, ISSUER)]


@pytest.fixture(scope="module")
def own() -> Iterator[World]:
    with world() as answering:
        yield answering


@pytest.fixture(scope="module")
def root(own: World, tmp_path_factory: pytest.TempPathFactory) -> TrustedRoot:
    folder = tmp_path_factory.mktemp("world")
    own.write(folder)
    return trusted_root(folder / "trusted_root.json")


@pytest.fixture(scope="module")
def whole(own: World) -> bytes:
    return own.bundle(PAYLOAD)


def refused(data: bytes, root: TrustedRoot, said: str | None = None) -> None:
    with pytest.raises(Refused, match=said):
        verified(data, WHO, root, "c")


def test_a_bundle_is_verified_and_says_who_signed(whole: bytes, root: TrustedRoot) -> None:
    assert is_bundle(whole)
    found = verified(whole, WHO, root, "c")
    assert (found.payload, found.workflow) == (PAYLOAD, WHO[0])
    assert found.issued.run == "https://github.com/octo/models/actions/runs/42/attempts/1"


def flips(data: bytes, stride: int) -> Iterator[tuple[int, bytes]]:
    """One bit of each byte; of the long texts in base64 only of some."""
    long = [json.loads(data)["dsseEnvelope"]["payload"], json.loads(data)["verificationMaterial"]["certificate"]["rawBytes"]]
    long.append(json.loads(data)["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"])
    inner = {at for each in long for at in range(data.index(each.encode()) + 8, data.index(each.encode()) + len(each) - 8)}
    for index in range(len(data)):
        if index not in inner or index % stride == 0:
            changed = bytearray(data)
            changed[index] ^= 1 << index % 8
            yield index, bytes(changed)


@pytest.mark.parametrize("stride", [23, pytest.param(1, marks=pytest.mark.thorough)])
def test_no_byte_of_a_bundle_can_change(whole: bytes, root: TrustedRoot, stride: int) -> None:
    for index, changed in flips(whole, stride):
        try:
            verified(changed, WHO, root, "c")
        except Refused:
            continue
        pytest.fail(f"{index}: {whole[index - 20 : index + 20]!r}")


def test_no_byte_of_a_bundle_can_be_left_out(whole: bytes, root: TrustedRoot) -> None:
    for index in range(0, len(whole), 11):
        refused(whole[:index] + whole[index + 1 :], root)
        refused(whole[:index], root)


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("sct", "failed to verify SCT"),
        ("set", "invalid inclusion promise"),
        ("proof", "invalid root hash"),
        ("checkpoint", "checkpoint: invalid signature"),
        ("late", "its signature is not trusted"),
        ("usage", "does not contain `code signing`"),
    ],
)
def test_each_part_that_sigstore_signs_counts(own: World, root: TrustedRoot, way: str, said: str) -> None:
    own.wrong.add(way)
    try:
        data = own.bundle(PAYLOAD)
    finally:
        own.wrong.clear()
    refused(data, root, said)


def test_another_instance_is_not_trusted(whole: bytes, root: TrustedRoot) -> None:
    with world() as other:
        refused(other.bundle(PAYLOAD), root, "its signature is not trusted")
    refused(whole, trusted_root(None), "its signature is not trusted")


def test_parts_of_two_bundles_make_none(own: World, whole: bytes, root: TrustedRoot) -> None:
    other = json.loads(own.bundle(PAYLOAD.replace(b'"m"', b'"n"')))
    for swap in (
        lambda b: b["dsseEnvelope"].update(payload=other["dsseEnvelope"]["payload"]),
        lambda b: b.update(dsseEnvelope=other["dsseEnvelope"]),
        lambda b: b["verificationMaterial"].update(certificate=other["verificationMaterial"]["certificate"]),
        lambda b: b["verificationMaterial"].update(tlogEntries=other["verificationMaterial"]["tlogEntries"]),
        lambda b: b.update(verificationMaterial=other["verificationMaterial"]),
    ):
        read = json.loads(whole)
        swap(read)
        refused(text(read), root)


def entry(read: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = read["verificationMaterial"]["tlogEntries"][0]
    return found


def checkpoint(read: dict[str, Any], change: Callable[[str], str]) -> None:
    held = entry(read)["inclusionProof"]["checkpoint"]
    held["envelope"] = change(held["envelope"])


UNSEEN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "the size of the log": lambda b: entry(b)["inclusionProof"].update(treeSize="8"),
    "a signature more under the checkpoint": lambda b: checkpoint(b, lambda c: f"{c}\u2014 other AAAAAAAA\n"),
    "the name of the log": lambda b: checkpoint(b, lambda c: c.replace("\u2014 rekor.loopback", "\u2014 rekor.elsewhere")),
    "the id of a key": lambda b: b["dsseEnvelope"]["signatures"][0].update(keyid="x"),
    "an empty id of a key": lambda b: b["dsseEnvelope"]["signatures"][0].update(keyid=""),
    "a time that nobody vouches for": lambda b: b["verificationMaterial"].update(
        timestampVerificationData={"rfc3161Timestamps": []}
    ),
    "a null": lambda b: b.update(messageSignature=None),
}


@pytest.mark.parametrize("way", UNSEEN)
def test_what_sigstore_accepts_and_is_not_as_it_is_written_is_refused(tmp_path: Path, way: str) -> None:
    with world() as own:  # the third entry of five: of as many hashes as among eight
        own.write(tmp_path)
        whole = own.bundle(PAYLOAD)
    root = trusted_root(tmp_path / "trusted_root.json")
    assert verified(whole, WHO, root, "c").payload == PAYLOAD
    read = json.loads(whole)
    UNSEEN[way](read)
    assert text(read) != whole
    believed = Verifier(trusted_root=root).verify_dsse(Bundle.from_json(text(read)), Identity(identity=IDENTITY))
    assert believed[1] == PAYLOAD
    refused(text(read), root)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: json.dumps(json.loads(d), indent=1).encode(),
        lambda d: d + b"\n",
        lambda d: b" " + d,
        lambda d: d.replace(b'{"mediaType"', b'{"mediaType":"x","mediaType"'),
        lambda d: d.replace(b"bundle.v0.3+json", b"bundle+json;version=0.3"),
        lambda d: d.replace(b"bundle.v0.3+json", b"bundle.v0.9+json"),
        lambda d: d.replace(b'"dsseEnvelope"', b'"messageSignature"'),
        lambda d: b'{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}',
    ],
)
def test_other_forms_are_refused(whole: bytes, root: TrustedRoot, change: Callable[[bytes], bytes]) -> None:
    data = change(whole)
    assert data != whole
    refused(data, root)


def test_base64_has_one_form(whole: bytes, root: TrustedRoot) -> None:
    """Bits after the last byte, which readers leave out."""
    read = json.loads(whole)
    held = entry(read)["inclusionProof"]
    raw = held["rootHash"]
    held["rootHash"] = raw[:-2] + chr(ord(raw[-2]) + 1) + "="
    assert b64decode(held["rootHash"]) == b64decode(raw)
    assert b64encode(b64decode(raw)).decode() == raw
    refused(text(read), root)


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"mediaType": 1}', b'{"mediaType": "x"}'])
def test_what_is_no_bundle(data: bytes) -> None:
    assert not is_bundle(data)
