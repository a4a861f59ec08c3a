"""Every file of an artifact by its name and content; nothing in it leads elsewhere or is easily overlooked."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from gatekeeper.errors import Refused, UsageError
from gatekeeper.files import is_link, open_itself
from gatekeeper.models.files import digest_named

MOST_FILES = 10_000
MOST_DEEP = 32


def inventory(path: Path) -> dict[str, str]:
    """SHA-256 of each file by its name below `path`, or, where that is a file, by its own name. Each is read once.

    `Refused` where a link, a hidden file, or anything but a file is among them: what is not read cannot be certified.
    """
    if is_link(path):
        raise Refused(f"{path}: is a link. Name the file or folder itself.")
    try:
        if path.is_dir():
            found = dict(_files(path, "", 0))
        elif path.exists():
            _check_name(path.name, path)
            found = {path.name: _digest(path)}
        else:
            raise UsageError(f"{path}: no such file or folder. Name the model that is to be released.")
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if not found:
        raise Refused(f"{path}: is an empty folder. Name the folder that holds the model's files.")
    return dict(sorted(found.items()))


def identity(files: Mapping[str, str]) -> str:
    """What reports call the SHA-256 of an artifact, from its inventory."""
    return next(iter(files.values())) if len(files) == 1 else digest_named(files)


def differences(
    files: Mapping[str, str], certified: Mapping[str, str], form: str = "certificate", done: str = "certified"
) -> Iterator[str]:
    """How files differ from those of a certificate, or of another form of signature, in words."""
    gone = [name for name in certified if name not in files]
    for name, digest in files.items():
        if name in certified:
            if certified[name] != digest:
                yield f"{name} is not the file that was {done}: its SHA-256 is {digest[:12]}, and {certified[name][:12]} there"
            continue
        was = next((other for other in gone if certified[other] == digest), "")
        yield f"{name} is not in the {form}" + (f": it is {was} there. Give it that name" if was else "")
    yield from (f"{name} is in the {form}, and is missing" for name in gone)


def _files(folder: Path, above: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > MOST_DEEP:
        raise Refused(f"{folder}: folders in folders more than {MOST_DEEP} deep. No model is.")
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            count += 1
            name = f"{above}{entry.name}"
            if count > MOST_FILES:
                raise Refused(f"{folder}: more than {MOST_FILES} files. No model has so many.")
            _check_name(entry.name, Path(entry.path))
            if entry.is_symlink() or is_link(Path(entry.path)):
                raise Refused(f"{folder}: {name} is a link. Put the file itself there.")
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path), f"{name}/", depth + 1)
            else:
                yield name, _digest(Path(entry.path))
    if not count and above:
        raise Refused(f"{folder}: is an empty folder. Remove it: what holds no file cannot be certified.")


def _digest(path: Path) -> str:
    with open_itself(path) as file:  # it may have changed since it was looked at
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Refused(f"{path}: is no file. Remove it: what cannot be read cannot be released.")
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_name(name: str, place: Path) -> None:
    """`Refused` for a file that is easily overlooked, or whose name no certificate can hold."""
    if name.startswith("."):
        raise Refused(f"{place}: is hidden. Remove it, or give it a name that one sees: so is what is released.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise Refused(f"{name!a}: is not a name in UTF-8. Rename the file.") from None
