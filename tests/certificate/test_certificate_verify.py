"""A release is refused for whatever is wrong with it, and never by a traceback."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.certified import TRUST, Place, now, refused, write_key

from gatekeeper.certificate.inventory import inventory
from gatekeeper.certificate.statement import PREDICATE_TYPE
from gatekeeper.certificate.trust import read_trust
from gatekeeper.certificate.verify import Release, check_signed, released
from gatekeeper.errors import GatekeeperError


def test_a_release_as_it_was_certified_passes_and_says_why(place: Place) -> None:
    done = place.verify()
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) <= 8
    assert lines[0].startswith("trusted: signed by releases (ed25519, key ")
    assert "every file is the one that was certified: here__onnx_runtime__int8_dynamic.onnx" in done.stdout
    assert "passes its own limits, accuracy " in done.stdout
    assert "on 600 distinct examples, data eval.npz" in done.stdout
    assert f"--predicate-type {PREDICATE_TYPE} --signer-workflow " in lines[-1]


def test_a_key_needs_nothing_of_sigstore_and_no_framework(place: Place) -> None:
    identity = "identity: 'https://github.com/o/r/.github/workflows/x.yml@refs/heads/main', issuer: 'https://issuer'"
    place.trust.write_text(TRUST.replace("]\n", f", {{{identity}}}]\ntrusted_root: nowhere.json\n"))
    words = ["verify", str(place.certificate), "--model", str(place.model), "--trust", str(place.trust)]
    heavy = ("sigstore", "pydantic", "requests", "tuf", "torch", "onnx", "onnxruntime", "openvino")
    code = f"import sys; from gatekeeper.cli._main import execute; print(execute({words})[0])"
    code += f"; print('loaded:', [name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "release: " in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded: []"


def flipped(data: bytes, index: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[index] ^= 1 << bit
    return bytes(changed)


Ask = Callable[..., bool]


@pytest.fixture
def is_released(place: Place) -> Ask:
    """Whether a release in which something was changed would go out."""
    trust, when = read_trust(place.trust), now()
    whole = {
        "certificate": place.certificate.read_bytes(),
        "report": place.report.read_bytes(),
        "files": inventory(place.model),
        "bom": place.bom.read_bytes(),
    }

    def ask(**changed: Any) -> bool:
        try:
            return not released(Release(**(whole | changed)), trust, when, "the certificate").refused
        except GatekeeperError:
            return False

    assert ask()
    return ask


@pytest.fixture
def signed_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate is the same in all that follows, so that its signature is looked at once."""
    known = check_signed(place.certificate.read_bytes(), read_trust(place.trust), "c")
    monkeypatch.setattr("gatekeeper.certificate.verify.check_signed", lambda *_: known)


ALL = [pytest.param(bit, marks=pytest.mark.thorough) for bit in range(8)]


@pytest.mark.parametrize("bit", [None, *ALL])
def test_no_byte_of_the_certificate_can_change(place: Place, is_released: Ask, bit: int | None) -> None:
    data = place.certificate.read_bytes()
    for index in range(len(data)):
        assert not is_released(certificate=flipped(data, index, index % 8 if bit is None else bit)), index


def test_no_byte_of_the_certificate_can_be_left_out_or_doubled(place: Place, is_released: Ask) -> None:
    data = place.certificate.read_bytes()
    for index in range(len(data)):
        assert not is_released(certificate=data[:index] + data[index + 1 :]), index
        assert not is_released(certificate=data[: index + 1] + data[index:]), index
        assert not is_released(certificate=data[:index]), index


@pytest.mark.usefixtures("signed_once")
def test_no_byte_of_the_report_can_change(place: Place, is_released: Ask) -> None:
    data = place.report.read_bytes()
    for index in range(len(data)):
        assert not is_released(report=flipped(data, index, index % 8)), index


@pytest.mark.usefixtures("signed_once")
def test_no_byte_of_the_bom_can_change(place: Place, is_released: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report is the same in all of it, so that it is judged once."""
    from gatekeeper.certificate import verify

    known = verify.judged_again(*_judged(place))
    assert not known.refused
    monkeypatch.setattr(verify, "judged_again", lambda *_: known)
    data = place.bom.read_bytes()
    for index in range(len(data)):
        assert not is_released(bom=flipped(data, index, index % 8)), index
        assert not is_released(bom=data[:index]), index
    assert not is_released(bom=data + b"\n")


def _judged(place: Place) -> tuple[Any, ...]:
    stated, _ = check_signed(place.certificate.read_bytes(), trust := read_trust(place.trust), "c")
    return place.report.read_bytes(), stated.predicate, inventory(place.model), trust, now()


@pytest.mark.usefixtures("signed_once")
def test_no_byte_of_the_model_can_change(place: Place, is_released: Ask) -> None:
    data = place.model.read_bytes()
    for index in range(len(data)):
        place.model.write_bytes(flipped(data, index, index % 8))
        assert not is_released(files=inventory(place.model)), index


@pytest.mark.parametrize("what", ["certificate", "report", "bom", "model"])
def test_one_changed_byte_is_refused_at_the_command_line(place: Place, what: str) -> None:
    file: Path = getattr(place, what)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)
    refused(place.verify())


def test_a_renamed_file_is_named(place: Place) -> None:
    renamed = place.model.rename(place.model.with_name("model.onnx"))
    refused(
        place.verify(model=renamed), "model.onnx is not in the certificate: it is here__onnx_runtime__int8_dynamic.onnx there"
    )


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_is_no_file_and_neither_is_a_pipe(place: Place) -> None:
    folder = place.folder / "model"
    folder.mkdir()
    link = folder / place.model.name
    link.symlink_to(place.model)
    refused(place.verify(model=link), "is a link")
    refused(place.verify(model=folder), "is a link")
    link.unlink()
    os.mkfifo(link)
    refused(place.verify(model=folder), "is no file")


@pytest.mark.skipif(os.name == "nt", reason="it has no pipes with names")
@pytest.mark.parametrize("name", ["certificate", "report", "bom"])
def test_a_pipe_that_came_with_a_release_is_not_waited_for(place: Place, name: str) -> None:
    file: Path = getattr(place, name)
    file.unlink()
    os.mkfifo(file)
    refused(place.verify(), f"{file.name}: is no file", code=2)


@pytest.mark.parametrize("added", ["tokenizer.json", ".hidden", "sub/more.bin", ".git/HEAD"])
def test_a_file_beside_it_is_found(place: Place, added: str) -> None:
    folder = place.folder / "out/artifacts"
    assert place.verify(model=folder).returncode == 0
    (folder / added).parent.mkdir(exist_ok=True)
    (folder / added).write_text("x")
    refused(place.verify(model=folder), added.split("/")[0])


def test_an_empty_folder_beside_it_is_found(place: Place) -> None:
    folder = place.folder / "model"
    (folder / "nothing").mkdir(parents=True)
    shutil.copy2(place.model, folder)
    refused(place.verify(model=folder), "nothing: is an empty folder")


def test_a_missing_file_is_found(place: Place) -> None:
    place.model.unlink()
    refused(place.verify(model=place.folder / "out/artifacts"), "is an empty folder")
    refused(place.verify(model=place.folder / "nowhere.onnx"), "no such file or folder", code=2)


def test_a_key_that_is_not_trusted_is_refused(place: Place) -> None:
    write_key(place.folder, name="other")
    other = place.folder / "other.key"
    assert place.certify("--output", "out/certificate.json", env={}).returncode == 0
    done = place.certify("--key", other)
    assert done.returncode == 0, done.stderr
    refused(place.verify(), "is not by a signer of the trust file: releases (")


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa-384"])
def test_other_kinds_of_key(place: Place, kind: str) -> None:
    write_key(place.folder, kind)
    assert place.certify().returncode == 0
    assert place.verify().returncode == 0
    data = bytearray(place.certificate.read_bytes())
    data[len(data) // 2] ^= 1
    place.certificate.write_bytes(data)
    refused(place.verify())


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(payload: dict[str, Any]) -> None:
        *above, last = path.split(".")
        for key in above:
            payload = payload[int(key) if isinstance(payload, list) else key]
        payload[last] = value

    return apply


def test_another_statement_of_the_same_signer_is_none(place: Place) -> None:
    payload = place.payload()
    place.sign(payload)
    assert place.verify().returncode == 0  # so what follows is refused for what was changed
    place.sign(payload | {"predicateType": "https://slsa.dev/provenance/v1"})
    refused(place.verify(), "states 'https://slsa.dev/provenance/v1', and no certificate")


WRONG: dict[str, Callable[[dict[str, Any]], None]] = {
    "a gate removed": lambda p: p["predicate"]["gates"].pop(0),
    "a limit lowered": change("predicate.gates.0.limit", 0.5),
    "another observed value": change("predicate.gates.0.observed", 1.0),
    "another variant": change("predicate.variant", "here/onnx_runtime/fp16"),
    "no target": change("predicate.variant", "x"),
    "another artifact": change("predicate.artifact", "0" * 64),
    "other data": change("predicate.data", {}),
    "other code": change("predicate.code", {"loader x:y": "0" * 64}),
    "untrusted": change("predicate.evidence", "untrusted_leg"),
    "more examples": change("predicate.examples", 10**6),
    "another model": change("predicate.model.sha256", "0" * 64),
    "another pipeline": change("predicate.pipeline.sha256", "0" * 64),
    "another commit": change("predicate.commit", "f" * 40),
    "measured later": change("predicate.measured", "2099-01-01T00:00:00Z"),
    "issued some day": change("predicate.issued", "soon"),
    "issued in no zone": change("predicate.issued", "2026-01-01T00:00:00"),
    "another BOM": change("predicate.bom", "0" * 64),
    "a scan less": lambda p: p["predicate"]["scans"].pop(),
    "another report": change("predicate.report", "0" * 64),
    "nothing to watch": change("predicate.monitoring", []),
    "no subject": change("subject", []),
    "a subject twice": lambda p: p["subject"].append(p["subject"][0]),
    "a subject without a digest": change("subject.0.digest", {}),
    "a subject more": lambda p: p["subject"].append({"name": "more", "digest": {"sha256": "0" * 64}}),
    "no predicate": lambda p: p.pop("predicate"),
    "a waiver": change(
        "predicate.waivers",
        [
            {
                "gate": "accuracy",
                "variant": "here/onnx_runtime/int8_dynamic",
                "waiver": {"ceiling": 0.1, "reason": "r", "owner": "o", "expires": "2099-01-01", "issue": "", "where": ""},
            }
        ],
    ),
    "a waiver until no day": change(
        "predicate.waivers",
        [
            {
                "gate": "accuracy",
                "variant": "x",
                "waiver": {"ceiling": 0.1, "reason": "r", "owner": "o", "expires": "never"},
            }
        ],
    ),
}


@pytest.mark.parametrize("way", WRONG)
def test_what_a_trusted_key_signed_is_held_against_the_report_all_the_same(place: Place, way: str) -> None:
    payload = place.payload()
    WRONG[way](payload)
    place.sign(payload)
    refused(place.verify())


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b"null", b"\xff", b'{"predicateType": 1}', b"[" * 100_000])
def test_what_was_signed_and_is_no_statement(place: Place, payload: bytes) -> None:
    place.sign(payload)
    refused(place.verify())


FOREIGN = {
    "empty": b"",
    "blank": b" \n",
    "text": b"hello",
    "a list": b"[]",
    "null": b"null",
    "deep": b"[" * 200_000,
    "no text": bytes(range(256)),
    "a sigstore bundle": json.dumps({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": {}}).encode(),
    "no signature": json.dumps({"payload": "", "payloadType": "application/vnd.in-toto+json", "signatures": []}).encode(),
    "numbers": json.dumps({"payload": 1, "payloadType": 2, "signatures": 3}).encode(),
    "a signature that is none": json.dumps({"payload": "", "payloadType": "x", "signatures": [1]}).encode(),
    "huge": b" " * ((16 << 20) + 1),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_certificate(place: Place, kind: str) -> None:
    place.certificate.write_bytes(FOREIGN[kind])
    refused(place.verify())


def test_a_certificate_or_report_that_is_not_there(place: Place) -> None:
    place.report.rename(place.folder / "kept.json")
    refused(place.verify(), "cannot be read", code=2)
    assert place.verify("--report", place.folder / "kept.json").returncode == 0
    place.certificate.unlink()
    refused(place.verify(), "cannot be read", code=2)


def test_a_bom_may_stay_behind_where_nobody_asks_for_it(place: Place) -> None:
    place.bom.rename(place.folder / "kept.json")
    assert place.verify().returncode == 0
    done = place.verify("--bom", place.folder / "kept.json")
    assert (done.returncode, "the BOM is the one that was certified" in done.stdout) == (0, True)
    refused(place.verify("--bom", place.folder / "nowhere.json"), "cannot be read", code=2)
    place.trust.write_text(TRUST + "require: {bom: true}\n")
    refused(place.verify(), "a BOM is required here, and its BOM is not here")
    assert place.verify("--bom", place.folder / "kept.json").returncode == 0


def test_a_certificate_of_an_earlier_version_names_no_bom(place: Place) -> None:
    payload = place.payload()
    del payload["predicate"]["bom"]
    place.sign(payload)
    refused(place.verify(), "there is a BOM beside the certificate, which names none")
    place.bom.unlink()
    assert place.verify().returncode == 0
    place.trust.write_text(TRUST + "require: {bom: true}\n")
    refused(place.verify(), "a BOM is required here, and its certificate names no BOM")


def test_more_than_one_signature_and_other_fields_are_refused(place: Place) -> None:
    envelope = json.loads(place.certificate.read_text())

    def written(**changed: Any) -> None:
        place.certificate.write_bytes(json.dumps(envelope | changed, sort_keys=True).encode() + b"\n")

    written()
    assert place.verify().returncode == 0
    signature = envelope["signatures"][0]
    for changed in (
        {"signatures": [signature, signature | {"keyid": "0" * 64}]},
        {"signatures": [signature, signature]},
        {"signatures": [signature | {"cert": "x"}]},
        {"more": 1},
        {"payloadType": "text/plain"},
    ):
        written(**changed)
        refused(place.verify())


@pytest.mark.parametrize(
    ("days", "said"),
    [(-1.0, "set this machine's clock right"), (91.0, "may be 90d old"), (-4000.0, "set this machine's clock right")],
)
def test_clocks(place: Place, days: float, said: str) -> None:
    when = now() + datetime.timedelta(days=days)
    whole = Release(place.certificate.read_bytes(), place.report.read_bytes(), inventory(place.model))
    assert said in " ".join(released(whole, read_trust(place.trust), when, "c").refused)


def test_the_age_counts_from_when_it_was_measured_and_not_from_when_it_was_certified(place: Place) -> None:
    place.change_report(lambda report: report.update(created="2026-01-01T00:00:00Z"))
    assert place.certify().returncode == 0
    refused(place.verify(), "it was measured at 2026-01-01T00:00:00Z, and may be 90d old")


def test_each_thing_can_be_revoked(place: Place) -> None:
    payload = place.payload()
    predicate = payload["predicate"]
    keyid = json.loads(place.certificate.read_text())["signatures"][0]["keyid"]
    for digest in (
        keyid,
        predicate["report"],
        predicate["artifact"],
        predicate["model"]["sha256"],
        predicate["pipeline"]["sha256"],
        predicate["data"]["the evaluation set"]["sha256"],
        payload["subject"][0]["digest"]["sha256"],
    ):
        place.trust.write_text(f'{TRUST}revoked: ["{digest}"]\n')
        refused(place.verify(), f"is revoked ({digest[:12]})")
