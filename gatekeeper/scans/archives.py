"""Archives, whatever they hold: members that leave their folder, links, and few bytes that grow to many."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import PureWindowsPath

from gatekeeper.models.formats._base import AMBIGUOUS
from gatekeeper.scans._base import Found, Rule, Saw, Seen, Unscanned
from gatekeeper.units import format_bytes

DESCRIPTION = "Archives (`.zip`, `.npz`, `.pt`, `.keras`, `.tar`): names of members, links, sizes."
ORDER = 20
RULES: dict[str, Rule] = {}

MOST_MEMBERS = 100_000
MOST_TIMES, LEAST_GROWN = 100, 4 << 30
"""A bomb grows to so many times its size, and to so many bytes at least: an array of zeros grows as much, and is small."""

LINK = 0o120000


def takes(seen: Seen) -> bool:
    """By its mark."""
    return seen.content in ("zip", "tar")


def scan(seen: Seen) -> Iterator[Saw]:
    """The list of members; none is unpacked."""
    return _zip(seen) if seen.content == "zip" else _tar(seen)


def _zip(seen: Seen) -> Iterator[Saw]:
    try:
        with zipfile.ZipFile(seen.path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise Unscanned(f"an archive that cannot be read: {error}") from None
    _count(len(members))
    for member in members:
        if why := _astray(member.orig_filename):
            yield Found("archive_path", f"{member.orig_filename[:120]!r} {why}")
        if (member.external_attr >> 16) & 0o170000 == LINK:
            yield Found("archive_path", f"{member.filename[:120]!r} is a link")
    yield from _twice([member.filename for member in members])
    yield from _grown(seen, sum(member.file_size for member in members))
    ends = 0
    for member in sorted(members, key=lambda each: each.header_offset):
        if member.header_offset < ends:
            yield Found("bomb", f"{member.filename[:120]!r} lies inside of another member")
            return
        ends = member.header_offset + member.compress_size


def _tar(seen: Seen) -> Iterator[Saw]:
    total, names = 0, []
    try:
        with tarfile.open(seen.path, "r:") as archive:
            for member in archive:
                names.append(member.name)
                _count(len(names))
                if why := _astray(member.name):
                    yield Found("archive_path", f"{member.name[:120]!r} {why}")
                elif (member.issym() or member.islnk()) and (why := _astray(member.linkname)):
                    yield Found("archive_path", f"{member.name[:120]!r} is a link: {member.linkname[:120]!r} {why}")
                elif member.isdev():
                    yield Found("archive_path", f"{member.name[:120]!r} is a device")
                total += member.size
    except (tarfile.TarError, ValueError, OSError) as error:
        raise Unscanned(f"an archive that cannot be read: {error}") from None
    yield from _twice(names)
    yield from _grown(seen, total)


def _count(members: int) -> None:
    if members > MOST_MEMBERS:
        raise Unscanned(f"an archive of more than {MOST_MEMBERS:,} members")


def _astray(name: str) -> str:
    """Why a member would be unpacked somewhere else; empty where it would not."""
    if name.startswith(("/", "\\")) or PureWindowsPath(name).drive:
        return "is no name below the folder"
    return "leads out of the folder" if ".." in re.split(r"[/\\]", name) else ""


def _twice(names: list[str]) -> Iterator[Found]:
    if len(set(names)) < len(names):
        name = next(each for each in names if names.count(each) > 1)
        yield Found(AMBIGUOUS, f"{name[:120]!r} is in it twice")


def _grown(seen: Seen, total: int) -> Iterator[Found]:
    if total > LEAST_GROWN and total > MOST_TIMES * seen.size:
        yield Found("bomb", f"{format_bytes(seen.size)} grow to {format_bytes(total)}")
