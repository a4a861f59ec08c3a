"""Reports and repositories as tests write them by hand."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gatekeeper.records.base import Verdict
from gatekeeper.records.gates import GateResult
from gatekeeper.records.report import LegReport, ModelInfo, PipelineInfo, Report, VariantReport
from gatekeeper.verdicts.judge import variant_verdict
from gatekeeper.verdicts.targets import report_verdict, target_report

UNITS = {"speedup": "x", "package_size": "bytes", "stability": "fraction", "memory": "fraction", "accuracy": "fraction"}


def gate(name: str, verdict: Verdict, lower: float | None = None, upper: float | None = None, **more: Any) -> GateResult:
    """A gate with its bounds; `speedup` of at least 2 unless `more` says otherwise."""
    at_most = name in ("package_size", "stability")
    values = {
        "limit": 2.0,
        "bound": "at_most" if at_most else "at_least",
        "unit": UNITS.get(name, ""),
        "reason": f"{name} is {verdict}",
    }
    return GateResult(gate=name, verdict=verdict, observed=lower, lower=lower, upper=upper, **(values | more))


def variant(name: str, *gates: GateResult) -> VariantReport:
    """A variant `target/framework/technique` with the verdict its gates make."""
    _, framework, technique = name.split("/")
    return VariantReport(
        id=name, framework=framework, technique=technique, verdict=variant_verdict(gates), gates=list(gates), reason="as judged"
    )


def report(*variants: VariantReport, manifest: Sequence[str] | None = None, **more: Any) -> Report:
    """A report of these variants, its verdicts made as everywhere; `require`, `commit`, `untimed` ... as wanted."""
    by_target: dict[str, list[VariantReport]] = {}
    for each in variants:
        by_target.setdefault(each.id.partition("/")[0], []).append(each)
    targets = []
    for name, own in by_target.items():
        legs = dict.fromkeys(v.id.rpartition("/")[0] for v in own)
        found = [LegReport(id=leg, framework=leg.partition("/")[2], untimed=more.get("untimed", "")) for leg in legs]
        targets.append(target_report(name, "cpu", more.get("require", "best"), found, own))
    legs_here = [leg.id for target in targets for leg in target.legs]
    return Report(
        schema="gatekeeper/report/v1",
        verdict=report_verdict(targets, []),
        model=ModelInfo(path="model.onnx", sha256=more.get("model", "m" * 64)),
        pipeline=PipelineInfo(
            path="p.yaml",
            sha256="p" * 64,
            legs=list(legs_here if manifest is None else manifest),
            policy=more.get("policy", ""),
            policy_sha256=more.get("policy_sha256", ""),
        ),
        targets=targets,
        notes=list(more.get("notes", [])),
        remarks=[],
        commit=more.get("commit", ""),
        created=more.get("created", ""),
    )


def git(folder: Path, *words: str) -> str:
    """A git command in a folder, without the user's own settings."""
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = {f"GIT_{role}_{what}": "test@test.invalid" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(["git", *words], cwd=folder, env=os.environ | own | who, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, *names: str) -> str:
    """Commit files on the branch `main` of a repository that is made if there is none; the commit's name."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "--", *names)
    git(folder, "commit", "-q", "-m", "state")
    return git(folder, "rev-parse", "HEAD")
