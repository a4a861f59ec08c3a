"""HDF5 files, Keras' weights among them: parts whose numbers lie in other files, which whoever reads the weights would open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gatekeeper.scans._base import Found, Rule, Saw, Seen, Unscanned

DESCRIPTION = "HDF5 (`.h5`, `.hdf5`, `.weights.h5`): links, storage and virtual sets that lie in other files."
ORDER = 50
ENGINE = "h5py"
RULES = {
    "hdf5_elsewhere": Rule(
        "A part of an HDF5 file that is read from another file: any file of the machine may become weights.",
        "Do not load the model. Save its weights again, into one file.",
    ),
}

MOST_PARTS = 1_000_000


def takes(seen: Seen) -> bool:
    """By its mark: HDF5 is opened by its content, whatever it is called."""
    return seen.content == "hdf5"


def scan(seen: Seen) -> Iterator[Saw]:
    """Every link of every group; none is followed out of the file, and no data is read."""
    try:
        import h5py
    except ImportError:
        from gatekeeper.version import install_hint

        raise Unscanned(f"only h5py reads it, which is not installed. {install_hint('scan')}") from None
    try:
        with h5py.File(seen.path, "r") as file:
            yield from _groups(file, h5py)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise Unscanned(f"an HDF5 file that cannot be read: {str(error)[:120]}") from None


def _groups(file: Any, h5py: Any) -> Iterator[Found]:
    waiting, seen, looked = [file["/"]], set[int](), 0
    while waiting:
        group = waiting.pop()
        for name in group:
            looked += 1
            if looked > MOST_PARTS:
                raise Unscanned(f"it has more than {MOST_PARTS:,} parts")
            where = f"{group.name.rstrip('/')}/{name}"[:120]
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                yield Found("hdf5_elsewhere", f"a link into {link.filename[:120]!r}", where)
            elif isinstance(link, h5py.HardLink):
                part = group[name]
                address = h5py.h5o.get_info(part.id).addr
                if address not in seen:
                    seen.add(address)
                    waiting += [part] if isinstance(part, h5py.Group) else []
                    yield from _stored(part, where, h5py)


def _stored(part: Any, where: str, h5py: Any) -> Iterator[Found]:
    """What the numbers of a set are read from, told by how it was made."""
    if not isinstance(part, h5py.Dataset):
        return
    for name, _, _ in part.external or ():
        yield Found("hdf5_elsewhere", f"its numbers lie in {str(name)[:120]!r}", where)
    for source in part.virtual_sources() if part.is_virtual else ():
        if source.file_name != ".":
            yield Found("hdf5_elsewhere", f"it is made of {source.file_name[:120]!r}", where)
