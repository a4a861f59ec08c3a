"""What is taken over from an earlier measurement: only where nothing that it depends on is other now, and only what is judged
again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.config.git import git_says
from gatekeeper.config.loaded import Loaded
from gatekeeper.config.pins import code_of, files_of
from gatekeeper.data.content import content
from gatekeeper.frameworks._base import TEXT_FORMATS
from gatekeeper.models.files import digest_files
from gatekeeper.models.hashed import digest_once
from gatekeeper.planning.plan import choose_legs, make_plan, model_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Report
from gatekeeper.verdicts.results import merged
from gatekeeper.verdicts.rules import Rules
from gatekeeper.version import version

ELSEWHERE = ("model", "dataset", "monitoring", "packaging", "stages")
"""Parts of a pipeline file that name no file which a measurement reads, or only ones that are known by another way."""


def known_by(loaded: Loaded) -> list[str]:
    """What a full measurement depends on beside the file itself and its model, as digests: data, the user's own code, and every
    other file that is named. Of what a loader reads nobody knows.
    """
    found = [f"{what} {sha256}" for what, (_, sha256) in sorted(files_of(loaded).items())]
    found += [f"{name} {code.sha256}" for name, code in sorted(code_of(loaded).items())]
    stated = [loaded.stated(part) for part in loaded.stated() if part not in ELSEWHERE]
    for name in sorted(set(_strings(stated))):
        place = loaded.folder / name
        if ("\0" not in name and len(name) < 256 and place.is_file()) or ("/" in name and place.is_dir()):
            found.append(f"{name} {content(place)}")
    if loaded.pipeline.baseline is not None:
        found.append(f"commit {git_says(loaded.folder, 'rev-parse', 'HEAD')}")
    return found


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)


def unusable(report: Report, loaded: Loaded, target: str | None = None, framework: str | None = None) -> str:
    """Why a report is not of this file as it would be measured now, or is not what it says; empty where it is."""
    _, assessment = model_of(loaded)
    identity = digest_files([Path(file) for file in assessment.files], digest_once)
    if report.pipeline.sha256 != loaded.sha256:
        return "it is of another pipeline file"
    if report.model.sha256 != identity:
        return "it is of another model"
    if report.version != version():
        return f"gatekeeper {report.version} measured it, and this is {version()}"
    if loaded.policy is not None and report.pipeline.policy_sha256 != loaded.policy.sha256:
        return f"it was not held to {loaded.policy.name}"
    return _other_data(report, loaded) or _untrue(report, loaded, target, framework)


def _other_data(report: Report, loaded: Loaded) -> str:
    """Which set, or code, is another one now."""
    if report.data is None:
        return ""
    was = report.data.sets
    others = [what for what, (_, sha256) in files_of(loaded).items() if what in was and was[what].sha256 != sha256]
    others += [f"the code of {name}" for name, code in code_of(loaded).items() if report.data.code.get(name) != code]
    return f"{' and '.join(others)} of it was another one" if others else ""


def _untrue(report: Report, loaded: Loaded, target: str | None, framework: str | None) -> str:
    """How a report that says it passes does not, judged again."""
    if report.verdict is not Verdict.PASS:
        return ""
    model = model_of(loaded)[1]
    plan = make_plan(loaded, model)
    plan = msgspec.structs.replace(plan, legs=choose_legs(plan, target, framework))
    limits = loaded.policy.limits if loaded.policy else None
    again = merged([report], ["it"], Rules(plan, loaded, limits, model.format in TEXT_FORMATS, True))
    return "" if again.verdict is Verdict.PASS else f"it says that it passes, and judged again it is {again.verdict}"
