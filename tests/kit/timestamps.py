"""A timestamp authority (RFC 3161), which openssl plays."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CONFIG = """
[tsa]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.3.6.1.4.1.57264.2
digests = sha256
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class Timestamps:
    """Stamps what it is asked to, with a certificate of a root of its own."""

    def __init__(self, folder: Path):
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed")
        self.folder = folder
        root, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("root of stamps", "stamps")]
        use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        signs = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self.certificates = [
            x509.CertificateBuilder(names[0], names[1], own.public_key(), 2, now - day, now + day)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True)
            .add_extension(use, critical=True)
            .sign(root, hashes.SHA256()),
            x509.CertificateBuilder(names[0], names[0], root.public_key(), 1, now - day, now + day)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(signs, critical=True)
            .sign(root, hashes.SHA256()),
        ]
        (folder / "tsa.cnf").write_text(CONFIG)
        (folder / "serial").write_text("01\n")
        (folder / "tsa.pem").write_bytes(self.certificates[0].public_bytes(Encoding.PEM))
        (folder / "tsa.key").write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def answer(self, query: bytes) -> bytes:
        """The answer to one request."""
        (self.folder / "query").write_bytes(query)
        words = ["-config", "tsa.cnf", "-section", "tsa", "-queryfile", "query", "-signer", "tsa.pem", "-inkey", "tsa.key"]
        command = ["openssl", "ts", "-reply", *words, "-out", "answer"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return (self.folder / "answer").read_bytes()
