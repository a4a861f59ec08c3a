"""A release as a user has it: a run that passed, its certificate, and the trust file of the machine that releases."""

from __future__ import annotations

import datetime
import hashlib
import json
import shutil
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from kit.command import call
from kit.once import Once
from kit.support import write_project

from gatekeeper.certificate.signing import signed, signer_of
from gatekeeper.records.scores import PairedScores
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.retention import retention_interval

TRUST = "signers: [{name: releases, key: release.pub}]\n"
EVIDENCE = """\
  stages: [model_validation, compliance, optimization]
  model_validation: {security_scan: enabled}
  compliance:
    license: Apache-2.0
    allowed_licenses: [Apache-2.0, CC-BY-4.0]
    datasets: {evaluation: CC-BY-4.0, training: {license: Apache-2.0 OR MIT, source: drawn at random}}
    provider: The testers
    version: "1.2"
    intended_purpose: Telling four kinds of nothing apart.
    limitations: It has seen no real example.
    risks: That somebody believes it.
    human_oversight: Whoever reads the tests.
"""
"""A scan, and what is declared of licences and the model."""
KEYS: dict[str, Callable[[], Any]] = {
    "ed25519": Ed25519PrivateKey.generate,
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-384": lambda: ec.generate_private_key(ec.SECP384R1()),
}


def write_key(folder: Path, kind: str = "ed25519", name: str = "release") -> Path:
    """A key pair, as openssl writes it; the private one's file."""
    private = KEYS[kind]()
    key = folder / f"{name}.key"
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{name}.pub").write_bytes(public)
    return key


@dataclass(frozen=True)
class Place:
    """A folder with a run's results in `out`, its certificate beside the report, a key pair and a trust file."""

    folder: Path

    @property
    def report(self) -> Path:
        return self.folder / "out/report.json"

    @property
    def certificate(self) -> Path:
        return self.folder / "out/certificate.json"

    @property
    def bom(self) -> Path:
        return self.folder / "out/certificate.cdx.json"

    @property
    def model(self) -> Path:
        return next((self.folder / "out/artifacts").iterdir())

    @property
    def key(self) -> Path:
        return self.folder / "release.key"

    @property
    def trust(self) -> Path:
        return self.folder / "trust.yaml"

    def certify(self, *words: object, env: dict[str, str] | None = None) -> Any:
        return call(["certify", "out", "--key", "release.key", *words], self.folder, env or {})

    def call(self, *words: object, env: dict[str, str] | None = None) -> Any:
        return call(words, self.folder, env or {})

    def verify(self, *words: object, model: Path | None = None, certificate: Path | None = None) -> Any:
        told = ["verify", certificate or self.certificate, "--model", model or self.model, "--trust", self.trust, *words]
        return call(told, self.folder, {})

    def payload(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(b64decode(json.loads(self.certificate.read_text())["payload"]))
        return found

    def statement(self) -> dict[str, Any]:
        """What a bundle states."""
        found: dict[str, Any] = json.loads(b64decode(json.loads(self.certificate.read_text())["dsseEnvelope"]["payload"]))
        return found

    def sign(self, payload: dict[str, Any] | bytes) -> None:
        """Whatever it is, signed with the key that is trusted."""
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.certificate.write_bytes(signed(data, signer_of(self.key)))

    def change_report(self, change: Callable[[dict[str, Any]], None]) -> None:
        report = json.loads(self.report.read_text())
        change(report)
        self.report.write_text(json.dumps(report))


def certified(once: Once, folder: Path) -> Place:
    """A copy of a run that passed and of its certificate, in a folder that is the test's own."""

    def run(made: Path) -> None:
        file = write_project(made, "int8_dynamic", "onnx_runtime", timed=False, extra=EVIDENCE)
        done = call(["run", file, "--output", made / "out"], made, {})
        assert done.returncode == 0, done.stdout + done.stderr
        write_key(made)
        (made / "trust.yaml").write_text(TRUST)
        done = Place(made).certify()
        assert done.returncode == 0, done.stderr

    place = folder / "release"
    shutil.copytree(once("certified", run), place)
    return Place(place)


def counted(gate: dict[str, Any], both: int, lost: int, gained: int) -> None:
    """An accuracy gate that says the same of such counts wherever it says it; its verdict is left."""
    about = gate["details"]
    examples = about["examples"]
    shares = [both, lost, gained, examples - both - lost - gained]
    p, q = np.repeat([1.0, 0.0, 1.0, 0.0], shares), np.repeat([1.0, 1.0, 0.0, 0.0], shares)
    found = retention_interval(PairedScores("binary", p=p, q=q, examples=examples), ALPHA)
    gate.update(observed=found.observed, lower=found.lower, upper=found.upper)
    about.update(counts=[both, lost, gained], baseline=(both + lost) / examples, variant=(both + gained) / examples)


def two_targets(place: Place) -> tuple[Path, Path]:
    """The same leg on a second machine, `there`, with a model of its own; both models. No certificate is left."""
    here, there = place.model, place.folder / "out/artifacts/there.onnx"
    there.write_bytes(here.read_bytes() + b"\x32\x01x")  # a doc_string: other bytes, and still a model that can be read

    def twice(report: dict[str, Any]) -> None:
        other = json.loads(json.dumps(report["targets"][0]).replace("here", "there"))
        digest = hashlib.sha256(there.read_bytes()).hexdigest()
        about = {"path": f"artifacts/{there.name}", "sha256": digest, "bytes": there.stat().st_size}
        other["variants"][0]["artifact"].update(about)
        report["targets"].append(other)
        report["pipeline"]["legs"].append("there/onnx_runtime")
        report["pipeline"]["sha256"] = "0" * 64  # of a file with both

    place.change_report(twice)
    place.certificate.unlink(missing_ok=True)
    return here, there


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def refused(done: Any, *said: str, code: int = 1) -> None:
    """It is, with that exit code and those words, and nothing of the release is said."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert "release:" not in done.stdout
    for words in said:
        assert words in done.stderr, done.stderr
