"""A certificate that the identity of a job signed, through the command line, against a Sigstore on the loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from kit.certified import TRUST, Place, refused
from kit.sigstore_world import IDENTITY, ISSUER, World, text, world
from kit.timestamps import Timestamps

from gatekeeper.certificate.statement import PREDICATE_TYPE

BY_WORKFLOW = f"signers: [{{identity: '{IDENTITY}', issuer: '{ISSUER}'}}]\ntrusted_root: trusted_root.json\n"


@pytest.fixture(scope="module")
def own() -> Iterator[World]:
    with world() as answering:
        yield answering


@pytest.fixture
def job(place: Place, own: World) -> Place:
    """A release whose report is of the commit that the job runs on, before anybody signed it."""
    own.wrong.clear()
    own.write(place.folder)
    place.certificate.unlink()
    place.change_report(lambda report: report.update(commit="a" * 40))
    place.trust.write_text(BY_WORKFLOW)
    return place


def certify(job: Place, own: World, *words: object, env: dict[str, str] | None = None) -> Any:
    return job.call("certify", "out", "--trust-config", "trust_config.json", *words, env=own.environ | (env or {}))


def resign(job: Place, own: World, **claims: Any) -> None:
    """The statement as it is, signed by whoever the claims name."""
    job.certificate.write_bytes(own.bundle(json.dumps(job.statement()).encode(), **claims))


@pytest.mark.parametrize("words", [[], ["--keyless"]])
def test_a_job_signs_without_a_key_and_whoever_verifies_needs_no_network(
    job: Place, own: World, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(own.submitted)
    done = certify(job, own, *words)
    assert done.returncode == 0, done.stderr
    assert f"signed with the identity {IDENTITY} ({ISSUER})" in done.stdout
    assert len(own.submitted) == before + 1
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was asked"))
    done = job.verify()
    assert (done.returncode, done.stderr) == (0, "")
    assert f"trusted: signed by {IDENTITY} ({ISSUER}, entry " in done.stdout
    workflow = "--signer-workflow octo/models/.github/workflows/release.yml --source-ref refs/heads/main"
    asked = f"--bundle {job.certificate} --repo octo/models --predicate-type {PREDICATE_TYPE} {workflow}"
    assert f"without gatekeeper: gh attestation verify {job.model} {asked}\n" in done.stdout


def test_what_is_written_is_what_sigstore_itself_verifies(job: Place, own: World) -> None:
    assert certify(job, own).returncode == 0
    asked = ["--trust-config", "trust_config.json", "verify", "identity", "--offline", "--bundle", "out/certificate.json"]
    asked += ["--cert-identity", IDENTITY, "--cert-oidc-issuer", ISSUER, str(job.model)]
    done = subprocess.run([sys.executable, "-m", "sigstore", *asked], cwd=job.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"OK: {job.model}" in done.stderr


def test_a_log_that_tells_no_times_needs_a_timestamp(job: Place, tmp_path: Path) -> None:
    """Rekor's second version, which an instance may name instead of the first."""
    with world(Timestamps(tmp_path)) as second:
        second.write(job.folder)
        done = certify(job, second)
        assert done.returncode == 0, done.stderr
        material = json.loads(job.certificate.read_text())["verificationMaterial"]
        assert "inclusionPromise" not in material["tlogEntries"][0]
        assert len(material["timestampVerificationData"]["rfc3161Timestamps"]) == 1
        done = job.verify()
        assert (done.returncode, done.stderr) == (0, "")
        whole = job.certificate.read_bytes()
        for change in (
            lambda e: e.update(logIndex="7"),
            lambda e: e["logId"].update(keyId=e["logId"]["keyId"][:8] + "A" * 35 + "="),
        ):
            read = json.loads(whole)  # what this log does not sign
            change(read["verificationMaterial"]["tlogEntries"][0])
            job.certificate.write_bytes(text(read))
            refused(job.verify(), "its entry is in no log that the trusted root names")
        del material["timestampVerificationData"]
        job.certificate.write_bytes(text(json.loads(whole) | {"verificationMaterial": material}))
        refused(job.verify(), "must contain an inclusion promise or signed timestamp")
        job.certificate.unlink()
        second.wrong.add("stamp")
        refused(certify(job, second), "must contain an inclusion promise or signed timestamp", code=2)
        assert not job.certificate.exists()


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"job_workflow_ref": "octo/models/.github/workflows/other.yml@refs/heads/main"}, "other.yml@refs/heads/main"),
        ({"job_workflow_ref": "octo/models/.github/workflows/release.yml@refs/heads/wip"}, "@refs/heads/wip"),
        ({"job_workflow_ref": "octo/models/.github/workflows/release.yml@refs/pull/1/merge"}, "@refs/pull/1/merge"),
        ({"job_workflow_ref": "evil/models/.github/workflows/release.yml@refs/heads/main"}, "evil/models"),
        ({"iss": "https://gitlab.com"}, "its issuer is 'https://gitlab.com'"),
        ({"iss": f"{ISSUER}/octo"}, f"its issuer is '{ISSUER}/octo'"),
        ({"workflow_ref": "evil/fork/.github/workflows/x.yml@refs/heads/main"}, "its run began with 'https://github.com/evil/"),
        ({"workflow_ref": "octo/models/.github/workflows/x.yml@refs/heads/wip"}, "and not with 'https://github.com/octo/models/"),
        ({"workflow_ref": ""}, "its run began with 'no workflow'"),
    ],
)
def test_whoever_else_signed_it_is_refused(job: Place, own: World, claims: dict[str, str], said: str) -> None:
    assert certify(job, own).returncode == 0
    resign(job, own)
    assert job.verify().returncode == 0  # so what follows is refused for its signer
    resign(job, own, **claims)
    refused(job.verify(), "its signature is not trusted: it is by ", "not by a signer of the trust file", said)


def test_a_reusable_workflow_is_trusted_with_its_caller(job: Place, own: World) -> None:
    called = "octo/shared/.github/workflows/certify.yml@refs/tags/v1"
    own.claims["job_workflow_ref"] = called
    try:
        assert certify(job, own).returncode == 0
    finally:
        own.claims["job_workflow_ref"] = own.claims["workflow_ref"]
    who = f"name: releases, identity: 'https://github.com/{called}', issuer: '{ISSUER}'"
    root = "trusted_root: trusted_root.json\n"
    job.trust.write_text(f"signers: [{{{who}}}]\n{root}")
    refused(job.verify(), "its run began with")
    job.trust.write_text(f"signers: [{{{who}, caller: '{IDENTITY}'}}]\n{root}")
    done = job.verify()
    assert done.returncode == 0, done.stderr
    assert f"signed by releases (https://github.com/{called} ({ISSUER}), called by {IDENTITY}, entry " in done.stdout
    assert "--signer-workflow octo/shared/.github/workflows/certify.yml --source-ref refs/heads/main" in done.stdout


@pytest.mark.parametrize(
    ("claims", "what"),
    [
        ({"run_id": "43"}, "run"),
        ({"run_attempt": "2"}, "run"),
        ({"sha": "b" * 40}, "commit"),
        ({"ref": "refs/heads/wip"}, "ref"),
        ({"repository": "octo/other"}, "repository"),
        ({"runner_environment": "self-hosted"}, "runner"),
    ],
)
def test_a_certificate_says_of_its_job_what_its_signature_says(job: Place, own: World, claims: dict[str, str], what: str) -> None:
    assert certify(job, own).returncode == 0
    resign(job, own, **claims)
    refused(job.verify(), f"it says that the {what} is")


def test_another_statement_of_the_same_workflow_is_none(job: Place, own: World) -> None:
    assert certify(job, own).returncode == 0
    job.certificate.write_bytes(
        own.bundle(json.dumps(job.statement() | {"predicateType": "https://slsa.dev/provenance/v1"}).encode())
    )
    refused(job.verify(), "states 'https://slsa.dev/provenance/v1', and no certificate")


def test_keys_and_identities_are_not_taken_for_each_other(job: Place, own: World) -> None:
    assert certify(job, own).returncode == 0
    job.trust.write_text(TRUST)
    refused(job.verify(), "was signed by an identity, and the trust file names keys alone: releases")
    job.trust.write_text(BY_WORKFLOW)
    assert job.certify().returncode == 0
    refused(job.verify(), "is not by a signer of the trust file: it names identities alone")
    both = TRUST.replace("]\n", f", {{identity: '{IDENTITY}', issuer: '{ISSUER}'}}]\n")
    job.trust.write_text(f"{both}trusted_root: trusted_root.json\n")
    assert job.verify().returncode == 0
    assert certify(job, own).returncode == 0
    assert job.verify().returncode == 0


def test_the_public_instance_vouches_for_nothing_of_another(job: Place, own: World) -> None:
    assert certify(job, own).returncode == 0
    job.trust.write_text(BY_WORKFLOW.replace("trusted_root: trusted_root.json\n", ""))
    refused(job.verify(), "its signature is not trusted")


@pytest.mark.parametrize(("content", "said"), [("{}", "no trusted root"), ("", "no trusted root"), (None, "cannot be read")])
def test_a_trusted_root_that_is_none(job: Place, own: World, content: str | None, said: str) -> None:
    assert certify(job, own).returncode == 0
    root = job.folder / "trusted_root.json"
    root.unlink() if content is None else root.write_text(content)
    refused(job.verify(), said, code=2)


def test_one_signature_can_be_revoked(job: Place, own: World) -> None:
    assert certify(job, own).returncode == 0
    raw = json.loads(job.certificate.read_text())["verificationMaterial"]["certificate"]["rawBytes"]
    digest = sha256(b64decode(raw)).hexdigest()
    job.trust.write_text(f'{BY_WORKFLOW}revoked: ["{digest}"]\n')
    refused(job.verify(), f"its signing certificate is revoked ({digest[:12]})")


@pytest.mark.parametrize(
    ("words", "env", "said"),
    [
        ([], {"ACTIONS_ID_TOKEN_REQUEST_URL": ""}, "is not set. Give the job `permissions: id-token: write`"),
        (["--keyless"], {"ACTIONS_ID_TOKEN_REQUEST_URL": ""}, "is not set. Give the job `permissions: id-token: write`"),
        ([], {"GITHUB_ACTIONS": ""}, "this is no job of GitHub Actions"),
        (["--key", "release.key"], {}, "Give --key, or --trust-config"),
        (["--key", "release.key", "--keyless"], {}, "Give --key, or --keyless"),
        ([], {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "another"}, "GitHub gives this job no token"),
        (["--trust-config", "nowhere.json"], {}, "nowhere.json: cannot be read"),
        (["--trust-config", "trust.yaml"], {}, "no client trust config"),
    ],
)
def test_what_has_no_identity_does_not_sign(job: Place, own: World, words: list[str], env: dict[str, str], said: str) -> None:
    refused(certify(job, own, *words, env=env), said, code=2)
    assert not job.certificate.exists()


@pytest.mark.parametrize("way", ["down", "sct", "late"])
def test_a_sigstore_that_does_not_sign(job: Place, own: World, way: str) -> None:
    own.wrong.add(way)
    refused(certify(job, own), "Sigstore did not sign", code=2)
    assert not job.certificate.exists()


@pytest.mark.parametrize("way", ["set", "proof", "checkpoint", "usage"])
def test_what_would_not_be_believed_is_not_written(job: Place, own: World, way: str) -> None:
    own.wrong.add(way)
    refused(certify(job, own), "its signature is not trusted")
    assert not job.certificate.exists()


def test_a_token_of_another_run_certifies_nothing(job: Place, own: World) -> None:
    refused(certify(job, own, env={"GITHUB_RUN_ID": "7"}), "would not be believed: it says that the run is")
    assert not job.certificate.exists()


def test_nothing_is_asked_of_anybody_for_what_is_not_certified(job: Place, own: World) -> None:
    before = len(own.submitted)
    refused(certify(job, own, env={"GITHUB_EVENT_NAME": "pull_request"}), "its code is only proposed")
    assert len(own.submitted) == before


def test_without_sigstore_it_is_said_what_to_install(job: Place, own: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert certify(job, own).returncode == 0
    for name in [each for each in sys.modules if each == "sigstore" or each.startswith("sigstore.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sigstore", None)
    refused(job.verify(), "pip install 'edge-gatekeeper[release-keyless]'", code=2)
    refused(certify(job, own), "pip install 'edge-gatekeeper[release-keyless]'", code=2)
    job.trust.write_text(TRUST)
    assert job.certify().returncode == 0
    assert job.verify().returncode == 0  # with a key, nothing of it is needed
