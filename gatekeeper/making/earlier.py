"""The model as it is at another commit: its files, out of the user's own git, kept by content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gatekeeper.config.git import blobs_at, commit_of, default_branch, git_says, read_at
from gatekeeper.config.loaded import Loaded
from gatekeeper.config.sections.baseline import BASE, Earlier
from gatekeeper.errors import UsageError
from gatekeeper.files import FETCH, is_pointer
from gatekeeper.making.cache import Cache
from gatekeeper.models.info import Assessment


def earlier_model(loaded: Loaded, model: Path, about: Assessment, cache: Cache, base: Path | None) -> tuple[Path, str] | None:
    """The earlier model and what to call it, where the file asks for one; a `UsageError` where there is none.

    `base` is a checkout of the branch that a change is made against, which `base` then means.
    """
    stated = loaded.pipeline.baseline
    if not isinstance(stated, Earlier):
        return None
    if stated.git == BASE and base is not None:
        return _in_checkout(loaded, model, base)
    folder = model.parent
    ref = _base(folder) if stated.git == BASE else stated.git
    commit = commit_of(folder, ref)
    called = f"{ref} at {commit[:12]}"
    blobs = blobs_at(folder, commit, model.name, model.is_dir(), _companions(model, about))
    if not blobs:
        raise UsageError(f"{called} has no {model.name}, so there is nothing to measure against. {_FIRST}")

    def make(place: Path) -> dict[str, Any]:
        for name in blobs:
            (place / Path(name).name).write_bytes(read_at(folder, commit, name, filters=True) or b"")
        return {}

    kept, _, _ = cache.get_or_make("earlier", {"blobs": sorted([Path(name).name, blob] for name, blob in blobs.items())}, make)
    found = kept if model.is_dir() else kept / model.name
    _whole(found, called)
    return found, called


_FIRST = "For a first model say `baseline: none` and absolute limits: `p50_ms`, `peak_mb`, `accuracy: {min: ...}`."


def _in_checkout(loaded: Loaded, model: Path, base: Path) -> tuple[Path, str]:
    """The model's file in a checkout of the base branch."""
    stated = loaded.pipeline.model.path if loaded.pipeline.model else model.name
    here = os.path.relpath((loaded.folder / stated).resolve(), Path.cwd().resolve())
    found = base / here
    if here.startswith("..") or not found.exists():
        raise UsageError(f"{base} has no {here}, so there is nothing to measure against. {_FIRST}")
    _whole(found, base.as_posix())
    return found, "the base branch"


def _whole(found: Path, called: str) -> None:
    if found.is_file() and is_pointer(found):
        raise UsageError(f"{found.name} at {called} is a Git LFS pointer, not the model. {FETCH}")


def _companions(model: Path, about: Assessment) -> set[str]:
    """Names of files that belong to the model as it is now: weights beside it."""
    return {Path(file).name for file in about.files} | {f"{model.stem}.bin"}


def _base(folder: Path) -> str:
    """The branch a change is made against: the pull request's, or the repository's default."""
    if name := os.environ.get("GITHUB_BASE_REF", "").strip():
        return f"origin/{name}"
    if name := default_branch(folder):
        return name
    if not git_says(folder, "rev-parse", "--git-dir"):
        commit_of(folder, "HEAD")  # says that there is no repository
    said = "`baseline: {git: base}`: outside of a pull request nothing says which branch that is"
    raise UsageError(f"{said}. Name one, such as `baseline: {{git: main}}`.")
