"""The rules for results, from the files that are at hand where they are merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.errors import ConfigError, NotMeasured, UsageError
from gatekeeper.frameworks._base import TEXT_FORMATS
from gatekeeper.models.files import digest
from gatekeeper.records.report import Report
from gatekeeper.verdicts.earlier import whole
from gatekeeper.verdicts.rules import Rules

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.planning.plan import Plan


def rules_of(reports: Sequence[Report], plan: Plan | None, policy: Path | None, named: Path | None = None) -> Rules:
    """What these results are held to.

    Their pipeline file is at hand where the plan, the policy or, inside the working folder, they themselves name a file of
    its content. Without a plan it is made anew from that file and its model. A `UsageError` where they were not held to the
    policy, or not measured by the pipeline file that is `named`.
    """
    first = reports[0]
    if named is not None and not _is(named, first.pipeline.sha256):
        was = f"{first.pipeline.path} ({first.pipeline.sha256[:12]})"
        raise UsageError(f"{named}: is not the file that the results were measured by, {was}. Name that one, or run them again.")
    file, text = named or _file(first, plan, policy), first.model.format in TEXT_FORMATS
    if policy is None:
        own = _loaded(file, (plan or named) is not None) if file else None
        plan = plan or (_planned(own, first) if own else None)
        return Rules(plan, own, None, text, whole(reports, own is not None))
    from gatekeeper.config.policy import policy_file

    held = policy_file(policy)
    _demand(reports, policy, held.sha256)
    own = _loaded(file, True) if file else None
    if own is None:
        return Rules(plan, None, held.limits, text, True)
    return Rules(plan or _planned(own, first), replace(own, policy=held), held.limits, text, True)


def _file(first: Report, plan: Plan | None, policy: Path | None) -> Path | None:
    """The pipeline file that the results come from, by its content."""
    stated = Path(first.pipeline.path)
    inside = not stated.is_absolute() and ".." not in stated.parts
    candidates = [Path(plan.pipeline) if plan else None, policy, stated if inside else None]
    return next((path for path in candidates if path and _is(path, first.pipeline.sha256)), None)


def _is(path: Path, sha256: str) -> bool:
    try:
        return path.is_file() and digest(path) == sha256
    except (OSError, ValueError, NotMeasured):  # a name that no file can have, or one that may not be read
        return False


def _loaded(path: Path, named: bool) -> Loaded | None:
    """The file's limits; None where nobody named it and it cannot be read here, as without a plugin that it asks for."""
    from gatekeeper.config.policy import limits_file

    try:
        return limits_file(path)
    except ConfigError:
        if named:
            raise
        return None


def _planned(file: Loaded, first: Report) -> Plan | None:
    """The plan, made from the file and the model that was measured; None where that model is not at hand."""
    from gatekeeper.models.files import digest_files
    from gatekeeper.planning.plan import make_plan, model_of

    path = file.model_path()
    if path is None or not path.exists():
        return None
    try:
        _, model = model_of(file)
        same = digest_files([Path(each) for each in model.files]) == first.model.sha256
    except (UsageError, NotMeasured, OSError):
        return None
    return make_plan(file, model) if same else None


def _demand(reports: Sequence[Report], policy: Path, sha256: str) -> None:
    """Refuse results that were held to other limits than a policy's."""
    for report in reports:
        about = report.pipeline
        if about.policy_sha256 == sha256:
            continue
        how = f"{about.policy} ({about.policy_sha256[:12]})" if about.policy_sha256 else "their own pipeline file's limits only"
        raise UsageError(f"{policy}: the results were held to {how}, not to this. Run them with --policy-ref or --policy.")
