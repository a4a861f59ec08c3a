"""`security_scan` in a run: what is scanned before anything loads it, and that what is loaded later is the same bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from gatekeeper.config.sections.deployment import current
from gatekeeper.errors import NotMeasured
from gatekeeper.legs.leg import Leg
from gatekeeper.legs.setup import Scanned, Setup
from gatekeeper.making.optimize import Made
from gatekeeper.making.workspace import Workspace
from gatekeeper.models.files import digest_files, is_folder
from gatekeeper.models.hashed import digest_once, now
from gatekeeper.records.base import Verdict
from gatekeeper.records.scanned import ModelScan
from gatekeeper.reports._scan import lines
from gatekeeper.scans._base import REGISTRY
from gatekeeper.scans._scanning import scan_files, scan_model, workers, worst
from gatekeeper.scans._work import Look, Looked

MOST_SAID = 3


def scan_all(setup: Setup, domains: tuple[str, ...]) -> tuple[list[ModelScan], Scanned]:
    """The original, every model of the user's beside it, and what serves now; nothing of them has been loaded yet."""
    paths = {Path(setup.assessment.path): ""}
    for leg in setup.legs:
        for variant in leg.planned.variants:
            if variant.path is not None and not (variant.skip or variant.error):
                paths.setdefault(setup.loaded.folder / variant.path, variant.path)
    if served := current(setup.loaded):
        paths.setdefault(served[0], setup.loaded.pipeline.deployment.current or "")
    before = {file: state for path in paths for file in _files(path) if (state := now(file)) is not None}
    space = setup.space
    with workers(space.scratch, space.timeout_s, space.memory_limit) as ask:
        scans = [scan_model(path, ask, domains, shown) for path, shown in paths.items()]
    _hold_to(setup, scans[0])
    states, digests = dict(before), set[str]()
    for path, scan in zip(paths, scans, strict=True):
        root = path if is_folder(path) else path.parent
        for each in scan.files:
            digests.add(each.sha256)
            if (state := now(root / each.file)) is not None:
                states.setdefault(root / each.file, state)
    return scans, Scanned(True, states, frozenset(digests - {""}), domains)


def _files(path: Path) -> Iterator[Path]:
    """A model's file; of a folder all that is in it, the folders too: what is added there may be loaded."""
    yield path
    if is_folder(path):
        for here, _, files in os.walk(path):
            yield Path(here)
            yield from (Path(here) / name for name in files)


def _hold_to(setup: Setup, scan: ModelScan) -> None:
    """`NotMeasured` where what was scanned is not what the model was identified by."""
    about, root = setup.assessment, Path(setup.assessment.path)
    root = root if is_folder(root) else root.parent
    known = {os.path.realpath(root / each.file): each.sha256 for each in scan.files}
    files = [Path(file) for file in about.files]
    if missing := [file for file in files if not known.get(os.path.realpath(file))]:
        if scan.verdict == "clean":
            raise NotMeasured("model", f"{missing[0]} is loaded, and was not scanned. Put it into the model's folder.")
        return
    if digest_files(files, lambda file: known[os.path.realpath(file)]) != setup.evaluation.identity:
        raise NotMeasured("model", f"{about.path} changed while it was looked at. Run it again.")


def said(scans: Iterable[ModelScan]) -> tuple[Verdict, str]:
    """What scans come to, in few words."""
    listed = list(scans)
    verdict = worst(scan.verdict for scan in listed)
    if verdict == "clean":
        files = sum(len(scan.files) for scan in listed)
        return Verdict.PASS, f"security_scan: {files} file{'s' * (files != 1)} clean"
    told = [line for scan in listed for line in lines(scan)]
    shown = "; ".join(told[:MOST_SAID]) + (f"; and {len(told) - MOST_SAID} more" if len(told) > MOST_SAID else "")
    if verdict == "hostile":
        return Verdict.FAIL, f"security_scan: {shown}. Nothing was loaded."
    return Verdict.ERROR, f"security_scan: could not be scanned: {shown}"


def hold_variant(leg: Leg, made: Made, own: bool, scanned: Scanned) -> ModelScan | None:
    """What was found in what was made here; `NotMeasured` where a variant's files are not what was scanned, or are hostile."""
    if not scanned.asked:
        return None
    if own:
        strange = next((file for file in made.files if digest_once(file) not in scanned.digests), None)
        if strange is not None:
            raise NotMeasured("model", f"{strange.name} is not what was scanned before. Run it again.")
        return None
    scan = scan_made(leg.space, made, scanned.domains)
    if scan.verdict == "hostile":
        raise NotMeasured("model", f"what was made is not loaded. {said([scan])[1]}")
    return scan


def scan_made(space: Workspace, made: Made, domains: tuple[str, ...]) -> ModelScan:
    """A model that a framework has made here of one that is clean: what is found counts, what nobody reads does not."""
    names = [file.relative_to(made.folder).as_posix() for file in made.files]
    with workers(space.scratch, space.timeout_s, space.memory_limit) as ask:

        def own(look: Look) -> Looked:
            return Looked() if hasattr(REGISTRY.get(look.scan), "ENGINE") else ask(look)

        return scan_files(made.folder, names, own, domains, "what was made")
