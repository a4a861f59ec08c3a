"""`--push`: a package in a registry, by its digest, and nothing believed of what the registry answers."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.packaged import Packaging
from kit.registry import Registry, digest, docker_registry, standing_in

from gatekeeper.deploy.packages._oci import check_reference, read_back
from gatekeeper.deploy.packages._tree import checked
from gatekeeper.errors import Refused

pytest.importorskip("oras", reason="the extra `deploy` is not installed")


@pytest.fixture
def registry() -> Iterator[Registry]:
    with standing_in() as found:
        yield found


def pushed(packaging: Packaging, host: str, *words: object) -> Any:
    return packaging.call("--for", "mobile", "--push", f"{host}/models/digits:1.0", "--replace", *words)


def test_a_package_is_pushed_by_its_digest_and_read_back(packaging: Packaging, registry: Registry) -> None:
    done = pushed(packaging, registry.host, "--archive", "package.tar")
    assert done.returncode == 0, done.stderr
    reference = done.stdout.split("pushed and read back: ")[1].strip()
    manifest = registry.manifests["1.0"]
    assert reference == f"{registry.host}/models/digits@{digest(manifest)}"
    (layer,) = json.loads(manifest)["layers"]
    whole = (packaging.folder / "package.tar").read_bytes()
    assert registry.blobs[layer["digest"]] == whole and layer["size"] == len(whole)
    assert json.loads(manifest)["artifactType"] == "application/vnd.edge-gatekeeper.package.v1"
    assert read_back(reference) == checked(packaging.output)
    order = [line for line in registry.asked if line.startswith("PUT")]
    assert order[-1].endswith("/manifests/1.0"), "it has no tag before it came back as it was"
    again = pushed(packaging, registry.host)
    assert again.returncode == 0 and reference in again.stdout, "the same input, the same digest"
    assert len(registry.blobs) == 2, "what is there is not sent again"


@pytest.mark.parametrize("lasts", [1, 2, 3, 100])
def test_a_token_that_ends_midway_is_asked_for_again(packaging: Packaging, registry: Registry, lasts: int) -> None:
    """And what was being sent is sent again from its beginning."""
    registry.token_lasts = lasts
    done = pushed(packaging, registry.host)
    assert done.returncode == 0, done.stderr
    assert (len(registry.tokens) > 3) == (lasts < 100)
    assert all(digest(data) == name for name, data in registry.blobs.items())


def flipped(data: bytes) -> bytes:
    return data[:3000] + bytes([data[3000] ^ 1]) + data[3001:]


LIES = {
    "blob": (lambda kind, name, data: flipped(data) if kind == "blobs" and len(data) > 4000 else data, "It was changed there"),
    "short": (lambda kind, name, data: data[:-512] if kind == "blobs" and len(data) > 4000 else data, "It was changed there"),
    "long": (lambda kind, name, data: data + b"x" if kind == "blobs" and len(data) > 4000 else data, "It was changed there"),
    "garbage": (lambda kind, name, data: b"x" * len(data) if kind == "blobs" else data, "It was changed there"),
    "manifest": (lambda kind, name, data: data + b" " if kind == "manifests" else data, "a manifest of another digest"),
    "tag": (lambda kind, name, data: b"{}" if name == "1.0" else data, "is not what was pushed there"),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_comes_back_otherwise_is_refused(packaging: Packaging, registry: Registry, lie: str) -> None:
    lies: list[str] = []

    def told(kind: str, name: str, data: bytes) -> bytes:
        found: bytes = LIES[lie][0](kind, name, data)  # type: ignore[operator]
        if found != data:
            lies.append(name)
        return found

    registry.lie = told
    done = pushed(packaging, registry.host)
    assert lies, "the fault arrived"
    assert done.returncode == 1 and str(LIES[lie][1]) in done.stderr, (done.returncode, done.stderr)
    assert "pushed" not in done.stdout
    assert ("1.0" in registry.manifests) == (lie == "tag"), "what is not right gets no tag"


def repacked(data: bytes, change: Any) -> bytes:
    """The archive with its files changed, whole as an archive."""
    import io
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for entry in old:
            stream = old.extractfile(entry)
            assert stream
            for name, content in change(entry.name, stream.read()):
                entry.name, entry.size = name, len(content)
                new.addfile(entry, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda n, d: [(n, d + b"x" if n.endswith(".onnx") else d)], "not as its SHA256SUMS says"),
        (lambda n, d: [(n, d), ("more", b"x")] if n == "SHA256SUMS" else [(n, d)], "not as its SHA256SUMS says"),
        (lambda n, d: [] if n.endswith("app.json") else [(n, d)], "not as its SHA256SUMS says"),
        (lambda n, d: [(n, d), (n, d)] if n.endswith("app.json") else [(n, d)], "not as its SHA256SUMS says"),
    ],
    ids=["changed", "added", "removed", "doubled"],
)
def test_digests_that_are_right_of_wrong_files_are_not_enough(
    packaging: Packaging, registry: Registry, change: Any, said: str
) -> None:
    """Somebody who may push writes another archive, and a manifest that fits it."""
    assert pushed(packaging, registry.host).returncode == 0
    manifest = json.loads(registry.manifests["1.0"])
    whole = repacked(registry.blobs[manifest["layers"][0]["digest"]], change)
    registry.blobs[digest(whole)] = whole
    manifest["layers"][0] |= {"digest": digest(whole), "size": len(whole)}
    data = json.dumps(manifest).encode()
    registry.manifests[digest(data)] = data
    with pytest.raises(Refused, match=said):
        read_back(f"{registry.host}/models/digits@{digest(data)}")


def test_a_changed_package_is_not_pushed(packaging: Packaging, registry: Registry) -> None:
    from gatekeeper.deploy.packages._oci import push

    packaging.made("--for", "mobile")
    next(packaging.output.rglob("app.json")).write_text("{}")
    with pytest.raises(Refused, match="is not as its SHA256SUMS says"):
        push(packaging.output, f"{registry.host}/models/digits")
    assert registry.blobs == {}


def test_nobody_there_is_a_message(packaging: Packaging) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        done = pushed(packaging, f"127.0.0.1:{free.getsockname()[1]}")
    assert done.returncode == 2 and "no registry answers there" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "host", "name", "tag"),
    [
        ("ghcr.io/owner/model:1.0", "ghcr.io", "owner/model", "1.0"),
        ("localhost:5000/x", "localhost:5000", "x", ""),
        ("registry:5000/a/b-c/d_e:v1", "registry:5000", "a/b-c/d_e", "v1"),
        ("127.0.0.1:1/x", "127.0.0.1:1", "x", ""),
    ],
)
def test_a_reference_is_read(text: str, host: str, name: str, tag: str) -> None:
    place = check_reference(text)
    assert (place.host, place.name, place.tag) == (host, name, tag)


@pytest.mark.skipif(not shutil.which("docker-registry"), reason="the Debian package docker-registry is not installed")
def test_a_blob_that_was_changed_in_a_real_registry_is_refused(packaging: Packaging, tmp_path: Path) -> None:
    """It hands out changed bytes under the digest of the right ones: nothing but reading them shows it."""
    with docker_registry(tmp_path) as host:
        done = pushed(packaging, host)
        assert done.returncode == 0, done.stderr
        reference = done.stdout.split("pushed and read back: ")[1].strip()
        assert read_back(reference) == checked(packaging.output)
        (blob,) = (path for path in (tmp_path / "data").rglob("data") if path.stat().st_size > 4000)
        blob.write_bytes(flipped(blob.read_bytes()))
        assert hashlib.sha256(blob.read_bytes()).hexdigest() != blob.parent.name, "the fault arrived"
        with pytest.raises(Refused, match="It was changed there: use none of it"):
            read_back(reference)
