"""Limits from another commit: what a change to the pipeline file cannot loosen."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import msgspec

from gatekeeper.config.flat import flat
from gatekeeper.config.git import commit_of, read_at
from gatekeeper.config.limits import Loosened, limits_and_loosened
from gatekeeper.config.load import pipeline_of
from gatekeeper.config.loaded import TESTING, Loaded, Policy
from gatekeeper.config.meaning import limit_problems
from gatekeeper.config.owners import asked, kinds
from gatekeeper.config.reading import read_otherwise
from gatekeeper.config.source import Path_, Source, parse_source, read_source
from gatekeeper.config.waivers import FILE_NAME as WAIVERS
from gatekeeper.config.waivers import REMEDY
from gatekeeper.errors import ConfigError, UsageError
from gatekeeper.models.files import digest


def chosen_policy(file: Path, ref: str | None, path: Path | None) -> Policy | None:
    """What the command line names as the policy of a pipeline file, or None."""
    if ref is not None and path is not None:
        raise UsageError("--policy-ref and --policy both name a policy. Use one of them.")
    if ref is not None:
        return policy_at(file, ref)
    return policy_file(path) if path is not None else None


def policy_at(file: Path, ref: str) -> Policy:
    """The policy in the same file of the same repository at a git ref, and the waivers beside it."""
    commit = commit_of(file.parent, ref)
    name = f"{ref} at {commit[:12]}"
    content, waivers = (read_at(file.parent, commit, each) for each in (file.name, WAIVERS))
    return Policy(
        name=name,
        sha256=sha256(content).hexdigest() if content is not None else "",
        limits=_limits(file, _source(content, f"{ref}:{file.name}")) if content is not None else None,
        waivers=_source(waivers, f"{ref}:{WAIVERS}") if waivers is not None else None,
    )


def policy_file(path: Path) -> Policy:
    """The policy in a file, and the waivers beside it."""
    waivers = path.parent / WAIVERS
    return Policy(
        name=path.as_posix(),
        limits=_limits(path, read_source(path)),
        sha256=digest(path),
        waivers=read_source(waivers, REMEDY) if waivers.exists() else None,
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
    for own in asked("loosened"):
        differences += own(loaded)
    return list(dict.fromkeys(str(each) for each in differences))


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
    notes = [f"target {name} is not in the policy, whose common limits it is held to" for name in sorted(ours - theirs)]
    for name in dict.fromkeys([*before, *here]):
        (before_path, old), (path, new) = before.get(name, ((), None)), here.get(name, ((), None))
        one_sided = name.startswith("targets.") and name.split(".", 2)[1] in ours ^ theirs
        if old != new and not one_sided and name not in refused:
            notes.append(str(Loosened(name, old, new, loaded.where(*(path or before_path[:1])))))
    return notes
