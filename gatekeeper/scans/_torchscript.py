"""TorchScript archives: their code is a program of tensors that torch compiles, no Python; few operators reach files."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REACHES = re.compile(
    rb"\b(?:torch|ops\.aten|aten)\s*\.\s*(?:from_file|save|load)\b|\bops\s*\.\s*(?!(?:aten|prim|quantized)\b)\w+"
)
"""Operators that read and write files, and those of libraries that torch does not bring along."""

MOST_CODE = 16 << 20
EXPECTED = re.compile(
    r"Found non-allowlisted import-only global reference: (?:__torch__\.[\w.]+|torch\.jit\._pickle\.\w+)"
    r"|Suspicious patterns detected: [\w(), ]+ opcodes detected|Python code file found in PyTorch model: [^/]+/code/__torch__\S*"
)
"""What modelaudit says of every such archive. It judges what else the pickles import one by one."""


def is_torchscript(path: Path) -> bool:
    """Whether torch would compile it: the mark that `torch.load` goes by is a member `constants.pkl`."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    root = names[0].split("/")[0] if names else ""
    return f"{root}/constants.pkl" in names and any(each.startswith(f"{root}/code/") for each in names)


def expected(each: Any) -> bool:
    """Whether modelaudit says it of every such archive."""
    return EXPECTED.fullmatch(str(each.message).strip()) is not None


def reaching(path: Path) -> Iterator[tuple[str, str]]:
    """(what, member) of code that reaches files or other libraries."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.filename.endswith(".py"):
                with archive.open(member) as inside:
                    if found := REACHES.search(inside.read(MOST_CODE)):
                        yield found[0].decode(), member.filename[:120]
