"""A package in a registry, as an OCI artifact (https://github.com/opencontainers/image-spec): named by its digest, and read back.

What a registry answers is believed of nothing: manifest, archive and every file in it are held to their SHA-256 here. Libraries
that pull by digest need not do that (https://github.com/oras-project/oras-py/issues/247).
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from gatekeeper.deploy.packages._tree import PIECE, SUMS, archived, checked, digest_of, sums
from gatekeeper.errors import Refused, UsageError

if TYPE_CHECKING:
    import requests

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
ARTIFACT = "application/vnd.edge-gatekeeper.package.v1"
NOTHING = b"{}"
MOST_MANIFEST = 4 << 20
"""What the specification lets a registry refuse at the latest."""
TIMEOUT_S = (10, 120)
"""To reach a registry, and for the next bytes of it."""
_HOST = r"(?:[a-z0-9.-]+\.[a-z0-9-]+|localhost|[a-z0-9.-]+(?=:))(?::[0-9]{1,5})?"
REFERENCE = re.compile(rf"^(?P<host>{_HOST})/(?P<name>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::(?P<tag>\w[\w.-]{{0,127}}))?$")
LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Place:
    """Where in which registry."""

    host: str
    name: str
    tag: str

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"


def check_reference(reference: str) -> Place:
    """The parts of host/name[:tag]; a `UsageError` where it is none."""
    match = REFERENCE.match(reference)
    if match is None:
        raise UsageError(f"--push {reference!r:.200}: is no host/name[:tag]. Write it like example.com/models/digits:1.0.")
    return Place(match["host"], match["name"], match["tag"] or "")


def push(package: Path, reference: str, plain_http: bool = False) -> str:
    """Push a package and read it back; its name with its digest. It gets its tag only when what came back is what was sent.

    `Refused` where the package on disk, or what the registry answers, is not what it should be; `UsageError` where the registry
    cannot be reached, or takes it not.
    """
    place, files = check_reference(reference), checked(package)
    registry = _Registry(place, plain_http)
    with archived(package) as archive:
        layer = _descriptor(f"{ARTIFACT}.tar", f"sha256:{digest_of(archive)}", archive.stat().st_size)
        config = _descriptor(EMPTY, _digest(NOTHING), len(NOTHING))
        with archive.open("rb") as whole:
            registry.upload(layer, whole)
    registry.upload(config, io.BytesIO(NOTHING))
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": ARTIFACT,
        "config": config,
        "layers": [layer | {"annotations": {"org.opencontainers.image.title": "package.tar"}}],
    }
    data, digest = _encoded(manifest)
    registry.put_manifest(digest, data)
    if registry.read_back(digest) != files:
        raise Refused(f"{place}@{digest}: came back with other files than were sent. Push it again, to another registry.")
    if place.tag:
        registry.put_manifest(place.tag, data)
        if registry.manifest(place.tag) != data:
            raise Refused(f"{place}:{place.tag}: is not what was pushed there: somebody else did, too. Use {place}@{digest}.")
    return f"{place}@{digest}"


def read_back(reference: str, plain_http: bool = False) -> dict[str, str]:
    """The files of a package in a registry, host/name@sha256:..., by name and SHA-256; `Refused` where any is not as it says."""
    name, _, digest = reference.partition("@")
    return _Registry(check_reference(name), plain_http).read_back(digest)


class _Registry:
    """The requests of one call. Who may ask is said as Docker says it: ~/.docker/config.json, and its helpers."""

    def __init__(self, place: Place, plain_http: bool):
        try:
            import requests
            from oras.container import Container
            from oras.provider import Registry
        except ImportError as error:
            missing = f"the package '{error.name}' is not installed"
            raise UsageError(f"{missing}. Install it with: pip install 'edge-gatekeeper[deploy]'") from None

        class Patient(requests.Session):
            """Waits for an answer, but not without end."""

            def request(self, *words: Any, **named: Any) -> requests.Response:
                if hasattr(data := named.get("data"), "seek"):
                    cast(BinaryIO, data).seek(0)  # it may be sent again, with another token
                return super().request(*words, **({"timeout": TIMEOUT_S} | named))

        self.place, self.failures = place, (requests.RequestException, ValueError)
        here = place.host.partition(":")[0] in LOOPBACK
        self._registry = Registry(hostname=place.host, insecure=plain_http or here)
        self._registry.session = self._registry.auth.session = Patient()
        self._registry.session.trust_env = not here  # a proxy leads to others, never to this machine
        self._root = f"{self._registry.prefix}://{place.host}"
        self._base = f"{self._root}/v2/{place.name}"
        try:
            self._registry.session.get(f"{self._root}/v2/")  # so that one that is not there is not asked for minutes
        except self.failures as error:
            raise UsageError(f"{place.host}: no registry answers there ({type(error).__name__}). Check host and port.") from None
        self._registry.auth.load_configs(Container(str(place)))

    def upload(self, descriptor: dict[str, Any], data: BinaryIO) -> None:
        """A blob, if the registry has it not."""
        digest = descriptor["digest"]
        if self._ask("HEAD", f"{self._base}/blobs/{digest}", accepted=(200, 404)).status_code == 200:
            return
        begun = self._ask("POST", f"{self._base}/blobs/uploads/", accepted=(202,))
        where = begun.headers.get("location", "")
        where = where if where.startswith("http") else f"{self._root}{where}"
        where += f"{'&' if '?' in where else '?'}digest={digest}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(descriptor["size"])}
        self._ask("PUT", where, accepted=(201,), data=data, headers=headers)

    def put_manifest(self, name: str, data: bytes) -> None:
        """A manifest, under its digest or a tag."""
        self._ask("PUT", f"{self._base}/manifests/{name}", accepted=(201,), data=data, headers={"Content-Type": MANIFEST})

    def manifest(self, name: str) -> bytes:
        """The bytes of a manifest, whatever they are."""
        answer = self._ask("GET", f"{self._base}/manifests/{name}", headers={"Accept": MANIFEST}, stream=True)
        return cast(bytes, answer.raw.read(MOST_MANIFEST, decode_content=True))

    def read_back(self, digest: str) -> dict[str, str]:
        """Every file of the package of that digest, each read and held to what stands in the package, that to the manifest."""
        data = self.manifest(digest)
        if _digest(data) != digest:
            raise Refused(
                f"{self.place}@{digest}: the registry answers a manifest of another digest, {_digest(data)}. Do not use it."
            )
        try:
            (layer,) = json.loads(data)["layers"]
            wanted, size = str(layer["digest"]), int(layer["size"])
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(f"{self.place}@{digest}: is no package of gatekeeper's ({error}).") from None
        answer = self._ask("GET", f"{self._base}/blobs/{wanted}", stream=True)
        stream = _Hashed(answer.raw, size)
        try:
            files, said = _files(stream)
        except (tarfile.TarError, OSError, *self.failures):
            files, said = {}, "no archive of a package"
        with suppress(OSError, *self.failures):
            stream.finish()
        if f"sha256:{stream.digest.hexdigest()}" != wanted or stream.count != size:
            found = f"{stream.count} bytes of sha256:{stream.digest.hexdigest()}"
            raise Refused(
                f"{self.place}@{digest}: the registry answers {found} for {wanted}. It was changed there: use none of it."
            )
        if sums(files) != said:
            raise Refused(f"{self.place}@{digest}: its files are not as its {SUMS} says. Package and push it again.")
        return files

    def _ask(self, method: str, url: str, accepted: tuple[int, ...] = (200,), **more: Any) -> requests.Response:
        headers = more.pop("headers", {})
        try:
            answer: requests.Response = self._registry.do_request(url, method, headers=dict(headers), **more)
            if answer.status_code == 401:  # a token that has ended, or is for less than this: oras would only ever show it again
                self._registry.auth.token = None
                answer = self._registry.do_request(url, method, headers=dict(headers), **more)
        except self.failures as error:
            raise UsageError(f"{self.place}: the registry does not answer ({error}). Log in, or try again.") from None
        if answer.status_code not in accepted:
            said = f"{method} got {answer.status_code} {answer.reason}"
            raise UsageError(f"{self.place}: the registry does not do it: {said}. Check the name, and your rights there.")
        return answer


class _Hashed(io.RawIOBase):
    """A stream whose SHA-256 is taken while others read it, and never more of it than was said."""

    def __init__(self, raw: Any, size: int):
        self._raw, self._left = raw, size + 1
        self.digest, self.count = hashlib.sha256(), 0

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        piece: bytes = self._raw.read(min(PIECE if size < 0 else size, self._left), decode_content=True)
        self._left -= len(piece)
        self.count += len(piece)
        self.digest.update(piece)
        return piece

    def finish(self) -> None:
        """What nobody read belongs to it too."""
        while self.read(PIECE):
            pass


def _files(stream: _Hashed) -> tuple[dict[str, str], str]:
    """SHA-256 of every file of an archive but SHA256SUMS, and what stands there."""
    found, said = dict[str, str](), ""
    with tarfile.open(fileobj=cast(Any, stream), mode="r|") as archive:
        for entry in archive:
            file = archive.extractfile(entry)
            if file is None or entry.name in found:
                raise tarfile.TarError(f"{entry.name} is no file, or there twice")
            if entry.name == SUMS:
                said = file.read(64 << 20).decode("utf-8", "replace")
                continue
            digest = hashlib.sha256()
            for piece in _read(file.read):
                digest.update(piece)
            found[entry.name] = digest.hexdigest()
    return found, said


def _read(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while piece := read(PIECE):
        yield piece


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _encoded(manifest: dict[str, Any]) -> tuple[bytes, str]:
    data = json.dumps(manifest, separators=(",", ":"), sort_keys=True).encode()
    return data, _digest(data)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
