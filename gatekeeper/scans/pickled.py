"""Pickles and what holds them: .pt, .pth, .bin, .joblib, .pkl, .keras, .h5, archives. modelaudit reads them, read strictly."""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.scans import _modelaudit, _opcodes
from gatekeeper.scans._base import Found, Saw, Seen

DESCRIPTION = (
    "Pickles and their kin (`.pt`, `.pth`, `.bin`, `.joblib`, `.pkl`, `.keras`, `.h5`, `.zip`, `.tar` ...), by modelaudit."
)
ORDER = 60
ENGINE = _modelaudit.PACKAGE
RULES = _modelaudit.RULES

SUFFIXES = {
    ".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib", ".dill", ".pt2", ".ptl", ".pte", ".keras", ".h5", ".hdf5",
    ".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".mar", ".nemo", ".skops", ".msgpack", ".flax", ".orbax", ".pb",
    ".tflite", ".mlmodel", ".pdmodel", ".pdparams", ".pdiparams", ".cbm", ".ubj", ".bst", ".rds", ".t7", ".llamafile",
    ".engine", ".plan",
}  # fmt: skip
CONTENTS = {"pickle", "zip", "tar", "hdf5", "gzip", "bzip2", "xz", "7z", "zstd", "rar"}
ARRAYS = {".npz", ".npy"}
"""Archives that gatekeeper reads itself."""


def takes(seen: Seen) -> bool:
    """By name or by content, but for what a model names as numbers and is."""
    if seen.content in CONTENTS:
        return seen.suffix not in ARRAYS or seen.content == "pickle"
    return seen.suffix in SUFFIXES and not seen.named_by


def scan(seen: Seen) -> Iterator[Saw]:
    """What the pickles in it import, and what modelaudit finds; what it is not sure of is not clean."""
    for name, member in _opcodes.imports(seen):
        yield Found("runs_code", f"it imports {name[:120]}", member[:120])
    yield from _modelaudit.judged(seen.path)
