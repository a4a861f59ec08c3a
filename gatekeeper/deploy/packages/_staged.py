"""A package built and tried before it is shipped: its objects, its way through a registry, and a copy that was changed."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gatekeeper.deploy.packages import _loopback, _strict
from gatekeeper.deploy.packages._approved import approved
from gatekeeper.deploy.packages._base import Asked, Part, kind, label
from gatekeeper.deploy.packages._build import contents, measured_digests
from gatekeeper.deploy.packages._oci import MANIFEST, push, read_back
from gatekeeper.deploy.packages._tree import SUMS, digest_of, sums, write_tree
from gatekeeper.errors import NotMeasured, Refused, UsageError
from gatekeeper.records.packaged import Packaged, RoundTrip, Tampered
from gatekeeper.verdicts.packaged import checks_of

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.deploy.packages._approved import Approved, Judged

NOBODY = "stand-in.invalid"
"""A host that there can never be (RFC 2606): an image of it is in no registry."""


@dataclass(frozen=True)
class Bench:
    """Where packages are tried: a folder for them, and the registry, None where the program is not here."""

    folder: Path
    registry: _loopback.Registry | None
    missing: str = ""


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """One registry for all parts."""
    if missing := _loopback.missing():
        yield Bench(folder, None, missing)
        return
    with _loopback.registry(Path(tempfile.mkdtemp(dir=folder, prefix="registry-"))) as registry:
        yield Bench(folder, registry)


def started(part: Part) -> Packaged:
    """What the file says of a part."""
    return Packaged(
        key=part.key, kind=part.kind, framework=part.framework, quantization=part.quantization, pulled=pulled(part)
    )  # fmt: skip


def pulled(part: Part) -> bool:
    """Whether what runs it pulls it from a registry."""
    hook = getattr(kind(part.kind), "pulled", None)
    return bool(hook(part)) if hook else False


def staged(part: Part, variant: str | None, known: Judged, pipeline: Loaded, place: Bench) -> Packaged:
    """One part, built of the named variant or the one that it says itself, and tried; what went wrong is in the record."""
    found = started(part)
    with tempfile.TemporaryDirectory(dir=place.folder, prefix="package-") as aside:
        folder = Path(aside) / part.folder
        try:
            found, written = _built(found, part, approved(known, part, variant, None, pipeline), folder)
            found = _tried(_held(found, folder, written), folder, place)
        except Refused as error:
            found = msgspec.structs.replace(found, refused=str(error))
        except (UsageError, NotMeasured) as error:
            found = msgspec.structs.replace(found, error=str(error))
    return msgspec.structs.replace(found, checks=checks_of(found))


def _built(found: Packaged, part: Part, own: Approved, folder: Path) -> tuple[Packaged, list[str]]:
    """With its files, in a folder that is new, and the names of those that are not the artifact's own. Images that nobody can
    know yet are made up.
    """
    artifact = own.variant.artifact
    assert artifact is not None
    stand_in = list(getattr(kind(part.kind), "unsaid", lambda _: ())(part))
    image = f"{NOBODY}/{label(part.folder)}@sha256:{artifact.sha256}"
    files, notes = contents(part, own, Asked(**dict.fromkeys(stand_in, image)))
    measured = measured_digests(files, own)
    digests = write_tree(folder, files, False, measured)
    found = msgspec.structs.replace(
        found, variant=own.variant.id, artifact=artifact.sha256, stand_in=stand_in, not_measured=notes, files=len(digests),
        sums=digest_of(folder / SUMS),
    )  # fmt: skip
    return found, [name for name in digests if name not in measured]


def _held(found: Packaged, folder: Path, names: list[str]) -> Packaged:
    """With its objects held to their schemas."""
    if not _strict.objects(folder, names):
        return found
    if unheld := _strict.unheld():
        return msgspec.structs.replace(found, unheld=unheld)
    return msgspec.structs.replace(found, objects=_strict.validated(folder, names))


def _tried(found: Packaged, folder: Path, place: Bench) -> Packaged:
    """Pushed, read back, changed in the registry, and read again."""
    registry = place.registry
    if registry is None:
        return msgspec.structs.replace(found, missing=place.missing)
    trip = RoundTrip(registry=registry.version)
    name = f"packages/{label(found.key)}-{found.artifact[:12]}"
    try:
        reference = push(folder, f"{registry.host}/{name}", plain_http=True)
        digest = reference.partition("@")[2]
        (layer,) = json.loads(registry.get(f"/v2/{name}/manifests/{digest}", MANIFEST))["layers"]
        back = hashlib.sha256(sums(read_back(reference, plain_http=True)).encode()).hexdigest()
        trip = RoundTrip(registry=registry.version, digest=digest, layer=str(layer["digest"]), came_back=back)
        tampered = tamper(registry, name, trip.layer, reference)
    except (Refused, UsageError, NotMeasured, OSError, ValueError) as error:
        return msgspec.structs.replace(
            found, round_trip=msgspec.structs.replace(trip, problem=str(error) or type(error).__name__)
        )
    return msgspec.structs.replace(found, round_trip=trip, tampered=tampered)


def tamper(registry: _loopback.Registry, name: str, layer: str, reference: str) -> Tampered:
    """One bit of the archive is turned where the registry keeps it: what it then hands out, and whether that is refused.

    That it arrived is seen in the bytes of an answer of the registry's own, which who refuses has no part in.
    """
    blob = registry.blob(layer)
    with blob.open("r+b") as file:
        file.seek(blob.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    given, refused = registry.digest(f"/v2/{name}/blobs/{layer}"), ""
    try:
        read_back(reference, plain_http=True)
    except Refused as error:
        refused = str(error)
    blob.unlink()  # as large as the model, and of no more use
    return Tampered(handed_out=given, refused=refused)
