"""A Sigstore of the tests' own, on the loopback: what issues tokens, certificates and log entries as the public one does.

It stands in for https://fulcio.sigstore.dev, https://rekor.sigstore.dev and GitHub's issuer of tokens, which nothing here can
reach. Whoever signs with it and whoever verifies are sigstore-python's own code. Made of the specifications: RFC 6962 (logs and
their timestamps), Fulcio's oid-info.md, Rekor's entries of the kind `dsse`, and the signed note of its checkpoints.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import struct
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from kit.github_job import JOB, WORKFLOW
from kit.timestamps import Timestamps

ISSUER = "https://token.actions.githubusercontent.com"
IDENTITY = f"https://github.com/{WORKFLOW}"
ACTIONS = JOB | {"NO_PROXY": "127.0.0.1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "for this job"}
"""What GitHub tells the step of a job that may sign; the address of its tokens is the world's."""
CLAIMS = {
    "iss": ISSUER,
    "aud": "sigstore",
    "sub": "repo:octo/models:ref:refs/heads/main",
    "job_workflow_ref": WORKFLOW,
    "workflow_ref": WORKFLOW,
    "repository": "octo/models",
    "ref": "refs/heads/main",
    "sha": "a" * 40,
    "run_id": "42",
    "run_attempt": "1",
    "runner_environment": "github-hosted",
}
EVER = {"start": "2020-01-01T00:00:00Z"}
HALF = datetime.timedelta(minutes=5)
_ALGORITHM = ec.ECDSA(hashes.SHA256())
_FULCIO = "1.3.6.1.4.1.57264.1."


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _text(data: bytes) -> str:
    return b64encode(data).decode()


def text(read: Any) -> bytes:
    """JSON as it is written here."""
    return json.dumps(read, separators=(",", ":"), ensure_ascii=False).encode()


def _utf8(said: str) -> bytes:
    """A UTF8String in DER."""
    data = said.encode()
    assert len(data) < 128
    return bytes([0x0C, len(data)]) + data


@dataclass
class World:
    """Its keys, what is asked of it, and what it logged."""

    claims: dict[str, Any] = field(default_factory=lambda: dict(CLAIMS))
    url: str = ""
    leaves: list[bytes] = field(default_factory=lambda: [b"somebody else's", b"and another"])
    wrong: set[str] = field(default_factory=set)
    """What it does wrong: `sct`, `set`, `proof`, `checkpoint`, `late`, `usage`, `stamp`, `down`."""
    submitted: list[dict[str, Any]] = field(default_factory=list)
    stamps: Timestamps | None = None
    """With them its log is of the second version, which tells no times."""

    def __post_init__(self) -> None:
        self.authority, self.ct, self.rekor = _key(), _key(), _key()

    @property
    def environ(self) -> dict[str, str]:
        return ACTIONS | {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/token?api-version=2.0"}

    def token(self, **claims: Any) -> str:
        now = int(time.time())
        return jwt.encode(self.claims | {"iat": now, "nbf": now, "exp": now + 300} | claims, "k" * 32)

    @cached_property
    def root(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "tests")])
        now = datetime.datetime.now(datetime.UTC)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        return (
            x509.CertificateBuilder(name, name, self.authority.public_key(), 1, now - 100 * HALF, now + 10_000 * HALF)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.authority.public_key()), critical=False)
            .sign(self.authority, hashes.SHA256())
        )

    def certificate(self, public: Any, claims: dict[str, Any]) -> x509.Certificate:
        """For ten minutes, to whoever the token names; with the promise that it was logged."""
        now = datetime.datetime.now(datetime.UTC) - (100 * HALF if "late" in self.wrong else datetime.timedelta(0))
        url = "https://github.com/"
        use = ExtendedKeyUsageOID.CLIENT_AUTH if "usage" in self.wrong else ExtendedKeyUsageOID.CODE_SIGNING
        told = {
            8: claims["iss"],
            9: url + claims["job_workflow_ref"],
            11: claims["runner_environment"],
            12: url + claims["repository"],
            13: claims["sha"],
            14: claims["ref"],
            18: url + claims["workflow_ref"] if claims["workflow_ref"] else None,
            21: f"{url}{claims['repository']}/actions/runs/{claims['run_id']}/attempts/{claims['run_attempt']}",
        }
        builder = (
            x509.CertificateBuilder(self.root.subject, x509.Name([]), public, x509.random_serial_number(), now - HALF, now + HALF)
            .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key()), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(url + claims["job_workflow_ref"])]), critical=True
            )
            .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(f"{_FULCIO}1"), claims["iss"].encode()), False)
        )
        for number, value in told.items():
            if value is not None:
                oid = x509.ObjectIdentifier(f"{_FULCIO}{number}")
                builder = builder.add_extension(x509.UnrecognizedExtension(oid, _utf8(value)), critical=False)
        promised = self._promise(builder.sign(self.authority, hashes.SHA256()).tbs_certificate_bytes)
        oid = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
        return builder.add_extension(x509.UnrecognizedExtension(oid, promised), critical=False).sign(
            self.authority, hashes.SHA256()
        )

    def bundle(self, payload: bytes, **claims: Any) -> bytes:
        """What a workflow signed, as gatekeeper writes it, whatever the world does wrong."""
        key = _key()
        certificate = self.certificate(key.public_key(), self.claims | claims)
        kind = "application/vnd.in-toto+json"
        signature = key.sign(f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload, _ALGORITHM)
        envelope = {"payload": _text(payload), "payloadType": kind, "signatures": [{"sig": _text(signature)}]}
        pem = _text(certificate.public_bytes(Encoding.PEM))
        (told,) = self.entry(
            {"spec": {"proposedContent": {"envelope": json.dumps(envelope), "verifiers": [pem]}}}, witness=False
        ).values()
        proof = told["verification"]["inclusionProof"]
        entry = {
            "logIndex": str(told["logIndex"]),
            "logId": {"keyId": _text(bytes.fromhex(told["logID"]))},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(told["integratedTime"]),
            "inclusionPromise": {"signedEntryTimestamp": told["verification"]["signedEntryTimestamp"]},
            "inclusionProof": {
                "logIndex": str(proof["logIndex"]),
                "rootHash": _text(bytes.fromhex(proof["rootHash"])),
                "treeSize": str(proof["treeSize"]),
                "hashes": [_text(bytes.fromhex(each)) for each in proof["hashes"]],
                "checkpoint": {"envelope": proof["checkpoint"]},
            },
            "canonicalizedBody": told["body"],
        }
        material = {"certificate": {"rawBytes": _text(certificate.public_bytes(Encoding.DER))}, "tlogEntries": [entry]}
        media = "application/vnd.dev.sigstore.bundle.v0.3+json"
        return text({"mediaType": media, "verificationMaterial": material, "dsseEnvelope": envelope})

    def _promise(self, certificate: bytes) -> bytes:
        """That this certificate was logged, as its extension holds it (RFC 6962, 3.2 and 3.3)."""
        stamp = int(time.time() * 1000)
        issuer = hashlib.sha256(_spki(self.authority)).digest()
        entry = struct.pack("!BBQH32s", 0, 0, stamp, 1, issuer) + len(certificate).to_bytes(3, "big") + certificate + b"\0\0"
        signature = (_key() if "sct" in self.wrong else self.ct).sign(entry, _ALGORITHM)
        log = hashlib.sha256(_spki(self.ct)).digest()
        promise = struct.pack("!B32sQHBBH", 0, log, stamp, 0, 4, 3, len(signature)) + signature
        listed = struct.pack("!HH", len(promise) + 2, len(promise)) + promise
        return (bytes([0x04, 0x81, len(listed)]) if len(listed) > 127 else bytes([0x04, len(listed)])) + listed

    def entry(self, proposed: dict[str, Any], witness: bool = True) -> dict[str, Any]:
        """What Rekor answers: the entry as it was logged, and what proves it."""
        envelope = json.loads(proposed["spec"]["proposedContent"]["envelope"])
        verifier = proposed["spec"]["proposedContent"]["verifiers"][0]
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(json.dumps(envelope).encode()).hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(b64decode(envelope["payload"])).hexdigest()},
            "signatures": [{"signature": each["sig"], "verifier": verifier} for each in envelope["signatures"]],
        }
        body = json.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}, sort_keys=True).encode()
        log = hashlib.sha256(_spki(self.rekor)).digest()
        index, proof, checkpoint = self._logged(body, log, witness)
        stamp = int(time.time())
        promised = rfc8785.dumps({"body": _text(body), "integratedTime": stamp, "logID": log.hex(), "logIndex": index})
        return {
            "24296fb24b8ad77a": {
                "body": _text(body),
                "integratedTime": stamp,
                "logID": log.hex(),
                "logIndex": index,
                "verification": {
                    "signedEntryTimestamp": _text((_key() if "set" in self.wrong else self.rekor).sign(promised, _ALGORITHM)),
                    "inclusionProof": {
                        "logIndex": index,
                        "rootHash": _hash(self.leaves).hex(),
                        "treeSize": len(self.leaves),
                        "hashes": [each.hex() for each in proof],
                        "checkpoint": checkpoint,
                    },
                },
            }
        }

    def second(self, proposed: dict[str, Any]) -> dict[str, Any]:
        """What a log of Rekor's second version answers: without a time, which a timestamp authority gives instead."""
        asked = proposed["hashedRekordRequestV002"]
        held = {"data": {"algorithm": "SHA2_256", "digest": asked["digest"]}, "signature": asked["signature"]}
        whole = {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": held}}
        body = json.dumps(whole, sort_keys=True).encode()
        log = hashlib.sha256(_spki(self.rekor)).digest()
        index, proof, checkpoint = self._logged(body, log, witness=True)
        return {
            "logIndex": str(index),
            "logId": {"keyId": _text(log)},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
            "inclusionProof": {
                "logIndex": str(index),
                "rootHash": _text(_hash(self.leaves)),
                "treeSize": str(len(self.leaves)),
                "hashes": [_text(each) for each in proof],
                "checkpoint": {"envelope": checkpoint},
            },
            "canonicalizedBody": _text(body),
        }

    def _logged(self, body: bytes, log: bytes, witness: bool) -> tuple[int, list[bytes], str]:
        """Where it stands in the log, and what proves it: the hashes beside it, and the log's signed state."""
        self.leaves += [body, b"of somebody who came after", b"and another"]
        index, size = len(self.leaves) - 3, len(self.leaves)
        proof = _proof(index, self.leaves)
        if "proof" in self.wrong:
            proof[0] = hashlib.sha256(b"another").digest()
        note = f"rekor.loopback - 1\n{size}\n{_text(_hash(self.leaves))}\n"
        signer = _key() if "checkpoint" in self.wrong else self.rekor
        lines = f"\u2014 rekor.loopback {_text(log[:4] + signer.sign(note.encode(), _ALGORITHM))}\n"
        if witness:
            lines = f"\u2014 a.witness {_text(b'12345678')}\n{lines}"
        return index, proof, f"{note}\n{lines}"

    def trusted_root(self) -> dict[str, Any]:
        """The file that whoever verifies is given."""

        def log(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
            public = {"rawBytes": _text(_spki(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": EVER}
            digest = {"keyId": _text(hashlib.sha256(_spki(key)).digest())}
            return {"baseUrl": self.url, "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": digest}

        def authority(chain: list[x509.Certificate]) -> dict[str, Any]:
            raw = [{"rawBytes": _text(each.public_bytes(Encoding.DER))} for each in chain]
            subject = {"organization": "tests", "commonName": "tests"}
            return {"subject": subject, "uri": self.url, "certChain": {"certificates": raw}, "validFor": EVER}

        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.rekor)],
            "certificateAuthorities": [authority([self.root])],
            "ctlogs": [log(self.ct)],
            "timestampAuthorities": [authority(self.stamps.certificates)] if self.stamps else [],
        }

    def trust_config(self) -> dict[str, Any]:
        """The file that whoever signs is given: the same, and where to ask."""
        service = {"url": self.url, "majorApiVersion": 1, "validFor": EVER, "operator": "tests"}
        return {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": self.trusted_root(),
            "signingConfig": {
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "caUrls": [service],
                "oidcUrls": [service],
                "rekorTlogUrls": [service | {"majorApiVersion": 2 if self.stamps else 1}],
                "rekorTlogConfig": {"selector": "ANY"},
                "tsaUrls": [service | {"url": f"{self.url}/timestamp"}] * bool(self.stamps),
                "tsaConfig": {"selector": "ANY"},
            },
        }

    def write(self, folder: Path) -> None:
        (folder / "trusted_root.json").write_text(json.dumps(self.trusted_root()))
        (folder / "trust_config.json").write_text(json.dumps(self.trust_config()))


@contextlib.contextmanager
def world(stamps: Timestamps | None = None) -> Iterator[World]:
    """One that answers on the loopback."""
    own = World(stamps=stamps)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            allowed = self.headers.get("Authorization") == f"bearer {ACTIONS['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"
            self.answer(200 if allowed and "audience=sigstore" in self.path else 403, {"value": own.token()})

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/timestamp" and own.stamps is not None:
                self.answer(503 if "stamp" in own.wrong else 200, own.stamps.answer(sent))
                return
            read = json.loads(sent)
            if "down" in own.wrong:
                self.answer(503, {"message": "down"})
            elif self.path == "/api/v2/signingCert":
                claims = jwt.decode(self.headers["Authorization"].split()[1], options={"verify_signature": False})
                request = x509.load_pem_x509_csr(b64decode(read["certificateSigningRequest"]))
                chain = [own.certificate(request.public_key(), claims), own.root]
                pems = [each.public_bytes(Encoding.PEM).decode() for each in chain]
                self.answer(200, {"signedCertificateEmbeddedSct": {"chain": {"certificates": pems}}})
            elif self.path == "/api/v1/log/entries":
                own.submitted.append(read)
                self.answer(201, own.entry(read))
            elif self.path == "/api/v2/log/entries":
                own.submitted.append(read)
                self.answer(201, own.second(read))
            else:
                self.answer(404, {})

        def answer(self, code: int, told: Any) -> None:
            data = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    own.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield own
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _hash(leaves: list[bytes]) -> bytes:
    """The root over them (RFC 6962, 2.1)."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = _split(leaves)
    return hashlib.sha256(b"\1" + _hash(leaves[:split]) + _hash(leaves[split:])).digest()


def _proof(index: int, leaves: list[bytes]) -> list[bytes]:
    """That one of them is in it (RFC 6962, 2.1.1)."""
    if len(leaves) == 1:
        return []
    split = _split(leaves)
    if index < split:
        return [*_proof(index, leaves[:split]), _hash(leaves[split:])]
    return [*_proof(index - split, leaves[split:]), _hash(leaves[:split])]


def _split(leaves: list[bytes]) -> int:
    return 1 << (len(leaves) - 1).bit_length() - 1
