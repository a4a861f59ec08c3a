"""Files of a commit by the hundred: which there are, which hold a word, what each is by its content. Read with the user's git.

Nothing is checked out and nothing is fetched: what a clone has not is not known.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO

from gatekeeper.config.git import git_bytes
from gatekeeper.data.content import MOST_POINTER, oid_of

MOST_FILES = 100_000
MOST_BYTES = 2 << 30
"""More than so much is not read again to say whether it changed."""
PART = 1 << 20


def grep_at(root: Path, commit: str, word: str, patterns: list[str]) -> list[str]:
    """Files of a commit that hold a word, by their names from the repository's root."""
    found = git_bytes(root, "grep", "-l", "-z", "--full-name", "-F", "-e", word, commit, "--", *patterns)
    names = [name.partition(":")[2] for name in found.decode(errors="surrogateescape").split("\0")]
    return sorted(name for name in names if name)


def renamed_from(root: Path, commit: str, path: str) -> str:
    """What a file of the working tree was called at a commit, where git takes it for renamed; else empty."""
    words = ["diff", "--no-ext-diff", "--no-textconv", "-M", "-z", "--name-status", "--diff-filter=R", commit, "--"]
    fields = git_bytes(root, *words).decode(errors="surrogateescape").split("\0")
    return next((old for _, old, new in zip(*[iter(fields)] * 3, strict=False) if new == path), "")


def digests_at(root: Path, commit: str, path: str) -> dict[str, str]:
    """SHA-256 of each file at a path of a commit, by its name from the root; of a Git LFS pointer, of the file it stands for.

    Empty where there is nothing, or not all of it is known.
    """
    listed = git_bytes(root, "ls-tree", "-r", "-l", "-z", "--full-tree", commit, "--", path).decode(errors="surrogateescape")
    blobs: dict[str, str] = {}
    size = 0
    for line in filter(None, listed.split("\0")):
        about, _, name = line.partition("\t")
        mode, kind, oid, length = about.split()
        if kind != "blob" or mode == "120000":  # another repository, or a link to anywhere
            return {}
        blobs[name], size = oid, size + int(length)
    if not blobs or size > MOST_BYTES or len(blobs) > MOST_FILES:
        return {}
    return _digests(root, blobs)


def _digests(root: Path, blobs: dict[str, str]) -> dict[str, str]:
    """All of them from one git."""
    quiet = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1"}
    found: dict[str, str] = {}
    with subprocess.Popen(
        ["git", "-C", str(root), "cat-file", "--batch"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | quiet,
    ) as git:  # fmt: skip
        assert git.stdin and git.stdout
        for name, oid in blobs.items():
            git.stdin.write(f"{oid}\n".encode())
            git.stdin.flush()
            head = git.stdout.readline().split()
            if len(head) != 3 or head[1] != b"blob":
                found = {}
                break
            found[name] = _digest(git.stdout, int(head[2]))
            git.stdout.read(1)
        with suppress(OSError):
            git.stdin.close()
        git.stdout.close()
    return found


def _digest(stream: IO[bytes], size: int) -> str:
    """SHA-256 of so many bytes; of a pointer what it names."""
    if size <= MOST_POINTER:
        whole = stream.read(size)
        return oid_of(whole) or hashlib.sha256(whole).hexdigest()
    digest = hashlib.sha256()
    while size:
        part = stream.read(min(PART, size))
        if not part:
            return ""
        digest.update(part)
        size -= len(part)
    return digest.hexdigest()
