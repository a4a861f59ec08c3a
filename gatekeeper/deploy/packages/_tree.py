"""A folder of files that is there whole or not at all, and the archive of it: the same files give the same bytes."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from gatekeeper.deploy.packages._base import Content, Files
from gatekeeper.errors import Refused, UsageError
from gatekeeper.files import WRITING, check_own, is_link, make_folder, open_itself

SUMS = "SHA256SUMS"
"""As sha256sum writes it: `sha256sum -c SHA256SUMS` checks a package."""
PIECE = 1 << 20
EPOCH = 315532800
"""1980-01-01, the first day that zip archives know: when a file was written is nothing of a package's."""


def write_tree(place: Path, files: Files, replace: bool, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Write all files and their SHA256SUMS into a new folder; their digests by name.

    They are written beside it, and the folder renamed once it is whole: a `UsageError` where something is there already that is
    not to be replaced, is a link, or is no package. `known` are digests that files must have: one may have changed since it was
    looked at.
    """
    check_own(place)
    make_folder(place.parent)
    _check_free(place, replace)
    aside = Path(tempfile.mkdtemp(dir=place.parent, prefix=WRITING))
    try:
        digests = {name: _write(aside / _inside(name), content) for name, content in sorted(files.items())}
        if other := [name for name, digest in (known or {}).items() if digests[name] != digest]:
            raise Refused(f"{other[0]}: its source changed while it was packaged. Package it again.")
        _write(aside / SUMS, sums(digests))
        for folder, names, found in os.walk(aside, topdown=False):
            for name in (*names, *found):
                os.utime(Path(folder, name), (EPOCH, EPOCH))
        aside.chmod(0o755)
        os.utime(aside, (EPOCH, EPOCH))
        _put(aside, place)
    except OSError as error:
        raise UsageError(f"{place}: cannot be written: {error.strerror}. Free some space, or choose another --output.") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return digests


def sums(digests: Mapping[str, str]) -> str:
    """The text of SHA256SUMS."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def checked(place: Path) -> dict[str, str]:
    """The digests of a package's files; `Refused` where one differs from its SHA256SUMS, is missing, was added or is a link."""
    from gatekeeper.certificate.inventory import inventory

    found = inventory(place)
    found.pop(SUMS, None)
    try:
        lines = [line.split("  ", 1) for line in (place / SUMS).read_text().splitlines()]
        said = {name: digest for digest, name in lines}
    except (OSError, ValueError):
        raise Refused(f"{place}: has no {SUMS} that can be read. Package it again.") from None
    if found != said:
        other = sorted(name for name in {*found, *said} if found.get(name) != said.get(name))
        raise Refused(f"{place}: {', '.join(other[:5])} is not as its {SUMS} says. Package it again.")
    return found


@contextmanager
def archived(place: Path, beside: Path | None = None) -> Iterator[Path]:
    """A tar archive of a folder in a temporary file: names in order, no times, no owners, the same modes everywhere."""
    handle, name = tempfile.mkstemp(dir=beside, prefix=WRITING)
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            _fill(file, place)
        yield path
    finally:
        with suppress(OSError):
            path.unlink()


def write_archive(place: Path, path: Path, replace: bool) -> str:
    """The same archive at a path, and its SHA-256."""
    check_own(path.parent)
    if is_link(path):
        raise UsageError(f"{path}: is a link, and nothing is written through one. Name another file.")
    if path.exists() and not replace:
        raise UsageError(f"{path}: is there already. Name another file, or say --replace.")
    try:
        with archived(place, path.absolute().parent) as whole:
            whole.chmod(0o644)
            found = digest_of(whole)
            whole.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}. Free some space, or name another file.") from None
    return found


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fill(file: io.BufferedWriter, place: Path) -> None:
    names = sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in names:
            with open_itself(place / name) as source:
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode, entry.mtime = os.fstat(source.fileno()).st_size, 0o644, EPOCH
                archive.addfile(entry, source)


def _inside(name: str) -> Path:
    """A name as a path that cannot lead out of the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\n" in name or not path.parts:
        raise Refused(f"{name!r:.200}: is no name for a file of a package. Rename the file.")
    return Path(*path.parts)


def _write(path: Path, content: Content) -> str:
    """Write one file; its SHA-256. What is copied is no link, whatever became of it since it was looked at."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("xb") as file:
        for piece in _pieces(content):
            digest.update(piece)
            file.write(piece)
        if file.tell() > PIECE:  # a file system may find only now that it has no room; hundreds of small files would wait for it
            file.flush()
            os.fsync(file.fileno())
    path.chmod(0o644)
    return digest.hexdigest()


def _pieces(content: Content) -> Iterator[bytes]:
    if isinstance(content, Path):
        with open_itself(content) as source:
            while piece := source.read(PIECE):
                yield piece
    else:
        yield content.encode() if isinstance(content, str) else content


def _check_free(place: Path, replace: bool) -> None:
    if not place.exists():
        return
    if not replace:
        raise UsageError(f"{place}: is there already. Say --replace, or choose another folder with --output.")
    if not place.is_dir() or not ((place / SUMS).is_file() or not any(place.iterdir())):
        raise UsageError(f"{place}: is no package (it has no {SUMS}), and is not replaced. Choose another folder with --output.")


def _put(whole: Path, place: Path) -> None:
    """The folder in its place; the one before it is gone only once this one stands there."""
    old = None
    if place.exists():
        old = Path(tempfile.mkdtemp(dir=place.parent, prefix=WRITING))
        place.replace(old / place.name)
    try:
        whole.replace(place)
    except OSError:
        if old is not None:
            (old / place.name).replace(place)
        raise
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
