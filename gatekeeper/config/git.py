"""What the user's own git says, and files as they are at another commit. Nothing is checked out and nothing is fetched."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from gatekeeper.errors import UsageError

TIMEOUT_S, LOOK_S = 60.0, 10.0
"""Longest wait for a file, and for what is only good to know."""


def commit_of(folder: Path, ref: str) -> str:
    """The commit a ref stands for in the repository around `folder`; a branch may also be that of `origin`."""
    if not re.fullmatch(r"[A-Za-z0-9_./@+^~{}-]+", ref) or ref.startswith("-"):
        raise UsageError(f"'{ref}' cannot be a git ref. Name a branch, a tag or a commit, such as main.")
    code, _, said = _git(folder, "rev-parse", "--git-dir")
    if code:
        if "not a git repository" in said:
            raise UsageError(f"{folder}: not in a git repository, so there is no '{ref}' to read. Run it in a clone.")
        raise UsageError(f"{folder}: git cannot read this repository: {said}")
    branch = ref.removeprefix("refs/heads/").removeprefix("refs/remotes/").removeprefix("origin/")
    for name in (ref, f"refs/remotes/origin/{branch}"):
        code, printed, _ = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        if code == 0:
            return printed.decode().strip()
    if not git_says(folder, "remote"):
        raise UsageError(f"'{ref}' is not in this clone, which has no remote to fetch it from. Correct the name.")
    raise UsageError(f"'{ref}' is not in this clone. Run `{_fetching(branch)}` first.")


def _fetching(branch: str) -> str:
    """The command after which a ref is there, also in a clone of one branch that holds its last commit only."""
    named = re.fullmatch(r"(.+?)((?:[~^][0-9]*)*)", branch)
    name, back = (named[1], named[2]) if named else (branch, "")
    steps = sum(int(part or 1) for part in re.findall(r"[~^]([0-9]*)", back))
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name):
        return f"git fetch --depth={steps + 1} origin {name}"
    if name in ("HEAD", "@"):
        return f"git fetch --deepen={max(steps, 1)}"
    return f"git fetch --depth={steps + 1} origin {name}:refs/remotes/origin/{name}"


def read_at(folder: Path, commit: str, name: str, filters: bool = False) -> bytes | None:
    """The file `name` of `folder` as it is at a commit; None if it is not there. `filters`: as a checkout would have it."""
    code, blob, _ = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:./{name}")
    if code:
        return None
    if filters:  # Git LFS, where it is installed and has the content
        code, content, _ = _git(folder, "cat-file", "--filters", f"{commit}:./{name}")
        if code == 0:
            return content
    code, content, said = _git(folder, "cat-file", "blob", blob.decode().strip())
    if code:
        raise UsageError(f"{name} cannot be read at {commit[:12]}: {said} Fetch that commit whole, or name another ref.")
    return content


def blobs_at(folder: Path, commit: str, name: str, whole: bool, beside: set[str]) -> dict[str, str]:
    """Files of a model at a commit with their blobs: those in the folder `name` (`whole`), or the file and what lies beside it
    and is called as one of `beside` or begins with its name. Empty where the model is not there.
    """
    listed = ["ls-tree", "-z", commit, "--", f"{name}/" if whole else "./"]
    code, printed, said = _git(folder, *listed)
    if code:
        raise UsageError(f"{folder} cannot be read at {commit[:12]}: {said} Fetch that commit whole, or name another ref.")
    found: dict[str, str] = {}
    for line in printed.decode(errors="surrogateescape").split("\0"):
        about, _, path = line.partition("\t")
        if not path or about.split()[1] != "blob":
            continue
        own = path.rsplit("/", 1)[-1]
        if whole or own == name or own in beside or own.startswith((f"{name}.", f"{name}_")):
            found[path] = about.split()[2]
    return found if whole or name in {path.rsplit("/", 1)[-1] for path in found} else {}


def default_branch(folder: Path) -> str:
    """What `origin` calls its default branch, as `origin/main`; empty where it is not known."""
    return git_says(folder, "rev-parse", "--abbrev-ref", "origin/HEAD")


def git_says(folder: Path, *words: str) -> str:
    """What git says of a folder, or nothing: where it is not a repository, or git is not there or does not answer."""
    try:
        code, found, _ = _git(folder, *words, timeout_s=LOOK_S)
    except UsageError:
        return ""
    return found.decode(errors="replace").strip() if code == 0 else ""


def git_bytes(folder: Path, *words: str) -> bytes:
    """What git prints, as it is; nothing where it fails or does not answer."""
    try:
        code, found, _ = _git(folder, *words)
    except UsageError:
        return b""
    return found if code == 0 else b""


def _git(folder: Path, *words: str, timeout_s: float = TIMEOUT_S) -> tuple[int, bytes, str]:
    """Exit status, standard output, and the first line of standard error."""
    quiet = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=timeout_s, env=os.environ | quiet,
        )  # fmt: skip
    except FileNotFoundError:
        raise UsageError("git is not installed, and a policy ref is read with it. Install git, or use --policy FILE.") from None
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"git {words[0]} did not answer within {timeout_s:.0f} s. Fetch the ref first, or use --policy FILE."
        ) from None
    except OSError as error:
        raise UsageError(f"git cannot be run: {error.strerror}. Repair it, or use --policy FILE.") from None
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return done.returncode, done.stdout, lines[0] if lines else ""
