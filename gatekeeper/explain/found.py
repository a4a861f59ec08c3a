"""What lies beside a report: the pipeline file that it is of, and the artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gatekeeper.config.load import load
from gatekeeper.config.loaded import Loaded
from gatekeeper.errors import GatekeeperError, NotMeasured
from gatekeeper.ids import technique_of
from gatekeeper.legs.candidates import made_of
from gatekeeper.legs.leg import Leg
from gatekeeper.legs.setup import Data
from gatekeeper.making.optimize import Made
from gatekeeper.models.files import digest, digest_files
from gatekeeper.records.report import Report, VariantReport


@dataclass(frozen=True)
class Found:
    """A pipeline file, or why there is none."""

    loaded: Loaded | None
    why: str = ""


def pipeline_of(report: Report, path: Path) -> Found:
    """The file that the report names, where it is at hand and unchanged: from here, from the report's folder, or its parent."""
    name = report.pipeline.path
    places = [Path(name), path.parent / name, path.parent / Path(name).name, path.parent.parent / Path(name).name]
    there = [place for place in places if place.is_file()]
    same = [place for place in there if digest(place) == report.pipeline.sha256]
    if not same:
        how = f"{there[0]} has changed since" if there else f"{name} is not here"
        return Found(None, f"operators and layers: {how}. Run this where the run was, or run it again")
    try:
        loaded = load(same[0], None)
        if loaded.model_path() is None:
            loaded = load(same[0], Path(report.model.path))
    except GatekeeperError as error:
        return Found(None, f"operators and layers: {error}")
    return Found(loaded)


def artifact_of(variant: VariantReport, leg: Leg | None, path: Path) -> Made:
    """The artifact that was judged: beside the report, or made again; `NotMeasured` where neither is the same."""
    if variant.artifact is None:
        raise NotMeasured("model", f"it was not made: {variant.reason}")
    kept = path.parent / variant.artifact.path
    if not Path(variant.artifact.path).is_absolute() and kept.exists():
        files = tuple(sorted(each for each in kept.iterdir() if each.is_file())) if kept.is_dir() else (kept,)
        if files and digest_files(list(files)) == variant.artifact.sha256:
            return Made(kept, files, variant.artifact.sha256, variant.artifact.bytes, cached=True)
    planned = next((each for each in leg.planned.variants if each.id == variant.id), None) if leg else None
    if leg is None or planned is None:
        raise NotMeasured("model", f"the pipeline file has no {technique_of(variant.id)} any more.")
    made = made_of(leg, planned, Data(calibration=leg.evaluation.prepared(calibration=True)), trusted=False)
    if made.sha256 != variant.artifact.sha256:
        raise NotMeasured("model", "it is not beside the report, and what is made of the same file now is another one.")
    return made
