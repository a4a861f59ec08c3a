"""What may be packaged: a variant that passed, by a report judged again, and the very files that were measured."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gatekeeper.certificate.evidence import evidence_of
from gatekeeper.certificate.inventory import identity, inventory
from gatekeeper.compliance.bom import bom
from gatekeeper.errors import Refused, UsageError
from gatekeeper.frameworks._session import FILE as SESSION_FILE
from gatekeeper.gates._packed import made_of
from gatekeeper.ids import target_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import LegReport, Report, TargetReport, VariantReport
from gatekeeper.reports._read import parsed, report_bytes
from gatekeeper.reports.json import FILE_NAME as REPORT
from gatekeeper.verdicts.chosen import ships
from gatekeeper.verdicts.preference import Preference

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.deploy.packages._base import Part

BOM = "model.cdx.json"
"""The bill of materials in a package's evidence."""


@dataclass(frozen=True)
class Judged:
    """A report judged again that is a pass; `data` are its bytes, `folder` is where its artifacts lie."""

    report: Report
    data: bytes
    folder: Path

    @property
    def digest(self) -> str:
        """SHA-256 of the report's file."""
        return sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Approved:
    """A variant that may be packaged: its files by their names at `place`, and what says that it passed.

    `pipeline` is the file that says how it is packaged, None where none is at hand; `evidence` are files to go with it.
    """

    judged: Judged
    target: TargetReport
    variant: VariantReport
    place: Path
    files: dict[str, str]
    pipeline: Loaded | None = None
    certified: str = ""
    evidence: dict[str, bytes] = field(default_factory=dict)

    @property
    def leg(self) -> LegReport | None:
        """Where it was measured."""
        return self.target.leg_of(self.variant)

    @property
    def contents(self) -> dict[str, Path]:
        """The artifact's files where they lie."""
        return {name: self.place / name if self.place.is_dir() else self.place for name in self.files}

    @property
    def described(self) -> Path:
        """What says of itself what the model takes and gives: of a folder that frameworks open whole, the model's file in it."""
        from gatekeeper.models.files import model_format

        if not self.place.is_dir() or model_format(self.place):
            return self.place
        found = [path for path in self.contents.values() if path.suffix in (".xml", ".onnx", ".gguf")]
        return next((path for path in found if path.stem == "model"), found[0] if len(found) == 1 else self.place)

    @property
    def packages(self) -> dict[str, str]:
        """Versions that it was measured with."""
        leg = self.leg
        return dict(leg.environment.packages) if leg and leg.environment else {}

    @property
    def threads(self) -> int:
        """Threads that it was measured with; 1 where nobody says."""
        leg = self.leg
        return leg.environment.threads if leg and leg.environment else 1

    @property
    def device(self) -> str:
        """What it was measured on: cpu, cuda, metal ..."""
        leg = self.leg
        return (leg.device if leg else "").partition(":")[0] or "cpu"

    @property
    def task(self) -> str | None:
        """What the model does, where the pipeline file says so."""
        model = self.pipeline.pipeline.model if self.pipeline else None
        return model.task if model else None


def judged(result: Path, policy: Path | None, waivers: Path | None, now: datetime.datetime) -> Judged:
    """A report judged again by the merge's own code; `Refused` where it is not a pass."""
    from gatekeeper.verdicts.headers import check_headers
    from gatekeeper.verdicts.results import merged
    from gatekeeper.verdicts.written import rules_of

    file = result / REPORT if result.is_dir() else result
    data = report_bytes(file)
    report = parsed(data, file)
    check_headers([report], None)
    again = merged([report], [str(file)], rules_of([report], None, policy))
    if waivers is not None:
        from gatekeeper.config.waivers import read_waivers
        from gatekeeper.verdicts.waivers import waive

        again = waive(again, read_waivers(waivers).entries, now.date())
    if again.verdict is not Verdict.PASS:
        raise Refused(f"{file}: judged again it is {again.verdict}, and only a pass is packaged: {_why(again)}")
    return Judged(again, data, file.parent)


def settings(judged: Judged, stated: Path | None) -> Loaded | None:
    """The pipeline file that says how to package: the one that is named, else the very one that the report was measured by."""
    from gatekeeper.config.policy import limits_file
    from gatekeeper.models.files import digest

    if stated is not None:
        return limits_file(stated)
    about = judged.report.pipeline
    path = Path(about.path)
    if path.is_absolute() or ".." in path.parts or not path.is_file():
        return None
    if digest(path) != about.sha256:
        raise UsageError(f"{path}: is not the file that the report was measured by. Name the one that counts with --config.")
    return limits_file(path)


def approved(judged: Judged, part: Part, variant: str | None, artifact: Path | None, pipeline: Loaded | None) -> Approved:
    """The variant that a part is made of, with its files held to the digest that was measured; `Refused` where there is none."""
    chosen = _named(judged.report, variant, part) if variant else _chosen(judged.report, part)
    target = next(each for each in judged.report.targets if each.name == target_of(chosen.id))
    assert chosen.artifact is not None
    place = artifact or judged.folder / chosen.artifact.path
    if not place.exists():
        raise UsageError(f"{place}: is not there, where the report says that {chosen.id} lies. Name it with --artifact.")
    files = inventory(place)
    if (found := identity(files)) != chosen.artifact.sha256:
        said = f"its SHA-256 is {found[:12]}, and the report says {chosen.artifact.sha256[:12]} of {chosen.id}"
        raise Refused(f"{place}: is not what was measured: {said}. Run it again.")
    evidence = {
        REPORT: judged.data,
        BOM: bom(judged.report, chosen, files),
    }  # made again: whatever lies beside the report is anybody's
    return Approved(judged, target, chosen, place, files, pipeline, evidence=evidence)


def session_of(approved: Approved) -> dict[str, Any]:
    """How the artifact was opened where it was measured, as its session.json says; empty where it has none."""
    place = approved.contents.get(SESSION_FILE)
    settings: dict[str, Any] = msgspec.json.decode(place.read_bytes(), type=dict[str, Any]) if place else {}
    return settings


def about(approved: Approved) -> dict[str, Any]:
    """What a package says of the variant that it is made of."""
    report, leg = approved.judged.report, approved.leg
    artifact = approved.variant.artifact
    assert artifact is not None
    return {
        "variant": approved.variant.id,
        "framework": approved.variant.framework,
        "technique": approved.variant.technique,
        "artifact": {"sha256": artifact.sha256, "bytes": artifact.bytes, "files": approved.files},
        "model": {"name": report.model.path, "sha256": report.model.sha256},
        "report": approved.judged.digest,
        "pipeline": {"name": report.pipeline.path, "sha256": report.pipeline.sha256},
        "measured": {
            "at": report.created,
            "on": leg.environment.cpu if leg and leg.environment else "",
            "device": approved.device,
            "threads": approved.threads,
            "packages": approved.packages,
            "commit": report.commit,
        },
        "evidence": evidence_of(report)[0],
        "certificate": approved.certified or None,
    }


def _named(report: Report, name: str, part: Part) -> VariantReport:
    """The variant that the command line names; where the part says which it is made of, one of those."""
    known = {v.id: v for target in report.targets for v in target.variants}
    if name not in known:
        raise UsageError(f"--variant {name!r:.200}: the report has none of that name. It has {', '.join(known) or 'none'}.")
    if known[name].verdict is not Verdict.PASS or known[name].artifact is None:
        raise Refused(
            f"{name} is {known[name].verdict}, and only what passed is packaged: {known[name].reason or 'no more is said'}"
        )
    target = next(each for each in report.targets if each.name == target_of(name))
    if not part.framework and name != target.selected and name not in ships(target):
        raise Refused(
            f"{name} passes only if looked at alone: chosen among several that may be at a limit it is not shown to. The report "
            f"selects {target.selected or 'none'}. Take that, or measure more (rounds, examples)."
        )
    if not made_of(part.framework, part.quantization, name):
        raise Refused(f"{name} is not what {part.key} is made of: {part.framework} as {part.quantization}. Change one of both.")
    return known[name]


def _chosen(report: Report, part: Part) -> VariantReport:
    """The selected variant, or, where a part names its framework, the best of those that it is made of."""
    every = [v for target in report.targets for v in target.variants]
    selected = {target.selected for target in report.targets}
    if not part.framework:
        ships = [v for v in every if v.id in selected and v.artifact is not None]
        if len(ships) != 1:
            names = ", ".join(v.id for v in ships) or "none"
            raise UsageError(f"the report selects {len(ships)} variants: {names}. Name the one to package with --variant.")
        return ships[0]
    wanted = f"{part.framework} as {part.quantization}" if part.quantization else part.framework
    fits = [v for v in every if made_of(part.framework, part.quantization, v.id)]
    passing = [v for v in fits if v.verdict is Verdict.PASS and v.artifact is not None]
    if not passing:
        raise Refused(f"{part.key} wants {wanted}, and {_lacking(fits, every)}")
    exact = [v for v in passing if v.technique == part.quantization] or passing
    if taken := next((v for v in exact if v.id in selected), None):
        return taken
    wish = next(target.wish for target in report.targets if target.name == target_of(exact[0].id))
    legs = [leg for target in report.targets for leg in target.legs]
    return Preference(exact, legs, wish, one_machine=False).ordered[0]


def _lacking(fits: Sequence[VariantReport], every: Sequence[VariantReport]) -> str:
    """Why no variant fits, in words."""
    if not fits:
        known = ", ".join(v.id for v in every) or "nothing"
        return f"the report has no such variant: it has {known}. Add the framework to `optimization`, or change the package."
    said = "; ".join(f"{v.id} is {v.verdict}{': ' + v.reason if v.reason else ''}" for v in fits[:3])
    untested = any(v.verdict is Verdict.SKIP for v in fits)
    more = " What was skipped was not judged: `gates: {require: all}` judges every variant." if untested else ""
    return f"none of these passed: {said}.{more}"


def _why(report: Report) -> str:
    """What keeps a report from passing, in words."""
    said = [f"{t.name} is {t.verdict}: {t.reason or 'it says no more'}" for t in report.targets if t.verdict is not Verdict.PASS]
    said += [f"the stage {s.stage} is {s.verdict}: {s.reason}" for s in report.stages if s.verdict is not Verdict.PASS]
    return "; ".join(said)[:600] or "nothing was judged"
