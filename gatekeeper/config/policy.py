"""Limits from another commit: what a change to the pipeline file cannot loosen."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from gatekeeper.config.base import Checkout, Commit
from gatekeeper.config.flat import flat
from gatekeeper.config.following import OfModel, check_not_another, followed
from gatekeeper.config.git import commit_of, git_says
from gatekeeper.config.limits import Loosened, limits_and_loosened
from gatekeeper.config.load import pipeline_of
from gatekeeper.config.loaded import TESTING, Loaded, Policy
from gatekeeper.config.meaning import limit_problems
from gatekeeper.config.owners import asked, kinds
from gatekeeper.config.reading import PINS, read_otherwise
from gatekeeper.config.source import Path_, Source, parse_source, read_source
from gatekeeper.config.waivers import FILE_NAME as WAIVERS
from gatekeeper.config.waivers import REMEDY
from gatekeeper.data.content import content
from gatekeeper.errors import ConfigError, UsageError
from gatekeeper.models.files import digest


def chosen_policy(file: Path, ref: str | None, path: Path | None, model: Path | None = None) -> Policy | None:
    """What the command line names as the policy of a pipeline file, which is of that model, or None."""
    if ref is not None and path is not None:
        raise UsageError("--policy-ref and --policy both name a policy. Use one of them.")
    if ref is not None:
        return policy_at(file, ref, model)
    return policy_file(path) if path is not None else None


def policy_at(file: Path, ref: str, model: Path | None = None) -> Policy:
    """The policy in the same file of the same repository at a git ref, and the waivers beside it; where it is not there, in the
    file that it follows (gatekeeper/config/following.py).
    """
    commit = commit_of(file.parent, ref)
    name = f"{ref} at {commit[:12]}"
    root = Path(git_says(file.parent, "rev-parse", "--show-toplevel") or file.parent)
    base, own = Commit(root, commit, name), in_tree(file, root)
    about = OfModel(in_tree(model, root), content(model)) if model is not None and model.exists() else OfModel()
    text, path = base.read(own), own
    if text is not None:
        check_not_another(base, own, about)
    elif (found := followed(base, own, about)) is not None:
        text, path = base.read(found), found
    waivers = base.read(posixpath.join(posixpath.dirname(path), WAIVERS))
    return Policy(
        name=name,
        sha256=sha256(text).hexdigest() if text is not None else "",
        limits=_limits(file, _source(text, f"{ref}:{path}")) if text is not None else None,
        waivers=_source(waivers, f"{ref}:{WAIVERS}") if waivers is not None else None,
        base=base,
        file=path,
        moved=path != own,
    )


def in_tree(path: Path, root: Path) -> str:
    """A path from the root of a tree, with slashes; one that leads out of it is none there."""
    return os.path.relpath(path.resolve().parent / path.name, root.resolve()).replace(os.sep, "/")


def policy_file(path: Path) -> Policy:
    """The policy in a file, and the waivers beside it."""
    waivers = path.parent / WAIVERS
    return Policy(
        name=path.as_posix(),
        limits=_limits(path, read_source(path)),
        sha256=digest(path),
        waivers=read_source(waivers, REMEDY) if waivers.exists() else None,
        base=Checkout(path.parent),
        file=path.name,
    )


def limits_file(path: Path) -> Loaded:
    """A pipeline file of which only the limits count."""
    return _limits(path, read_source(path))


def _source(content: bytes, name: str) -> Source:
    try:
        return parse_source(content.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: not UTF-8 text (byte {error.start}). Repair it there first.") from None


def _limits(path: Path, source: Source) -> Loaded:
    """A pipeline file of which only the limits count: its model and data need not be here."""
    loaded = Loaded(path=path, pipeline=pipeline_of(source), source=source)
    if problems := limit_problems(loaded):
        raise ConfigError(source.path, problems)
    return loaded


def loosened(loaded: Loaded) -> list[str]:
    """What the file would loosen against its policy, in words; none of it is applied."""
    if loaded.policy is None or loaded.policy.limits is None:
        return []
    differences: list[Loosened] = [each for target in loaded.targets for each in limits_and_loosened(loaded, target)[1]]
    policy = loaded.policy.limits
    for key in ("require", "on_inconclusive"):
        before, here = getattr(policy.pipeline.gates, key), getattr(loaded.pipeline.gates, key)
        if here != getattr(loaded, key):
            differences.append(Loosened(f"gates.{key}", before, here, loaded.where("gates", key)))
    for key, _ in kinds():
        before, here = (getattr(each.section(TESTING), key) for each in (policy, loaded))
        if here != loaded.level(key):
            differences.append(Loosened(f"{TESTING}.{key}", before, here, loaded.where(TESTING, key)))
    differences += _unpinned(loaded, policy)
    for own in asked("loosened"):
        differences += own(loaded)
    return list(dict.fromkeys(str(each) for each in differences))


def _unpinned(loaded: Loaded, policy: Loaded) -> Iterator[Loosened]:
    """Pins of data and code that the file does not have as its policy has them."""
    before, here = policy.pipeline.dataset, loaded.pipeline.dataset
    for key in (PINS, f"calibration_{PINS}", f"code_{PINS}") if before else ():
        old, new = getattr(before, key), getattr(here, key) if here else []
        if old and old != new:
            yield Loosened(f"dataset.{key}", old, new or None, loaded.where("dataset", key))
    own = {each.name: each.sha256 for each in here.also} if here else {}
    for each in before.also if before else ():
        if each.sha256 and each.sha256 != own.get(each.name):
            yield Loosened(
                f"dataset.also.{each.name}.sha256", each.sha256, own.get(each.name) or None, loaded.where("dataset", "also")
            )


def missing(loaded: Loaded) -> list[tuple[str, str]]:
    """What of the policy the file does not have, and where it would be: its targets, where the model must run too, its stages."""
    if loaded.policy is None or loaded.policy.limits is None:
        return []
    names, policy = {target.name for target in loaded.targets}, loaded.policy.limits.pipeline
    if loaded.pipeline.baseline != policy.baseline:
        before = msgspec.to_builtins(policy.baseline) or "the model itself"
        return [(f"the baseline ({before})", "baseline")]
    targets = [(f"target {target.name}", "targets") for target in policy.targets if target.name not in names]
    return targets + [(f"stage {name}", "stages") for name in policy.stages if name not in loaded.pipeline.stages]


def unheld(loaded: Loaded) -> list[tuple[str, Path_]]:
    """What of the policy the file does not have, or reads otherwise, in words, and where: it is an error until it is put back."""
    gone = [(f"{what} of the policy is missing", (key,)) for what, key in missing(loaded)]
    return [*gone, *((str(each), path) for each, path in read_otherwise(loaded))]


def policy_notes(loaded: Loaded) -> list[str]:
    """What else differs from the policy and bears on the verdict: allowed, and said."""
    if loaded.policy is None:
        return []
    if loaded.policy.limits is None:
        return [f"{loaded.path.name} is new: it is not at {loaded.policy.name}, so its own limits apply"]
    before, here = flat(loaded.policy.limits), flat(loaded)
    refused = {each.name for each, _ in read_otherwise(loaded)}
    ours, theirs = ({target.name for target in each.pipeline.targets} for each in (loaded, loaded.policy.limits))
    policy = loaded.policy
    said = f"{loaded.path.name} is not at {policy.name}: it is held to {policy.file} there, which is of the same model"
    notes = [said] if policy.moved else []
    notes += [f"target {name} is not in the policy, whose common limits it is held to" for name in sorted(ours - theirs)]
    for name in dict.fromkeys([*before, *here]):
        (before_path, old), (path, new) = before.get(name, ((), None)), here.get(name, ((), None))
        one_sided = name.startswith("targets.") and name.split(".", 2)[1] in ours ^ theirs
        if old != new and not one_sided and name not in refused and not name.endswith(PINS):
            notes.append(str(Loosened(name, old, new, loaded.where(*(path or before_path[:1])))))
    return notes
