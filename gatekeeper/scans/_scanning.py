"""Scans all files of a model, each in a worker, and says what is known of them. Nothing of it is loaded."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gatekeeper.errors import NotMeasured
from gatekeeper.files import FETCH, is_pointer
from gatekeeper.models.files import is_folder
from gatekeeper.models.hashed import digest_once, now, state
from gatekeeper.process.isolate import Worker
from gatekeeper.records.scanned import ModelScan, ScanFinding, ScannedFile, ScanVerdict
from gatekeeper.scans._base import in_order, rules
from gatekeeper.scans._inside import leads_out
from gatekeeper.scans._work import Look, Looked, Place, _printable

Ask = Callable[[Look], Looked]
"""Has one scan look at one file; `NotMeasured` where no answer comes."""

MOST_FILES = 20_000
TIMEOUT_S = 300.0
MEMORY = 4 << 30
"""Bytes that a worker may take."""

ORDER: tuple[ScanVerdict, ...] = ("clean", "unscanned", "hostile")
SKIPPED = {".git"}
"""Folders that no loader looks into."""


def scan_model(model: Path, ask: Ask, domains: Iterable[str] = (), shown: str = "") -> ModelScan:
    """Every file of a model's folder; of a model that is a file that file, and those it names."""
    folder = is_folder(model)
    root = (model if folder else model.parent).absolute()  # workers work in a folder of their own
    links, names = _listed(model) if folder else ([], [model.name])
    return scan_files(root, names, ask, domains, shown or str(model), links)


def scan_files(
    root: Path, names: Iterable[str], ask: Ask, domains: Iterable[str], shown: str, links: Iterable[ScannedFile] = ()
) -> ModelScan:
    """Files below a folder, and those that they name; `links` are what is wrong with the folder itself."""
    started = time.monotonic()
    allowed = tuple(sorted(domains))
    done: dict[str, ScannedFile] = {each.file: each for each in links}
    named_by: dict[str, str] = {}
    waiting = sorted(names, key=_first)
    for name in waiting:  # grows by what the files before name
        if name in done:
            continue
        scanned, belongs = _file(Place(root=str(root), name=name, named_by=named_by.get(name, ""), domains=allowed), ask)
        done[name] = scanned
        for other, scan in belongs.items():
            if other not in done:
                named_by[other] = scan
                waiting += [other] if other not in waiting else []
    files = sorted(done.values(), key=lambda each: each.file)
    verdict = worst(each.verdict for each in files) if files else "unscanned"
    return ModelScan(model=shown, verdict=verdict, files=files, seconds=time.monotonic() - started)


def worst(verdicts: Iterable[ScanVerdict]) -> ScanVerdict:
    """Hostile before what nobody can say, and that before clean."""
    return max(verdicts, key=ORDER.index, default="unscanned")


def _first(name: str) -> tuple[bool, str]:
    """Files that may name others come before those."""
    return (not name.lower().endswith((".onnx", ".xml", ".json")), name)


def _listed(folder: Path) -> tuple[list[ScannedFile], list[str]]:
    """What is wrong with links and folders themselves, and the names of the files."""
    wrong: list[ScannedFile] = []
    names: list[str] = []

    def unread(error: OSError) -> None:
        where = Path(error.filename or folder)
        name = where.relative_to(folder).as_posix() if where.is_relative_to(folder) else str(where)
        wrong.append(_unscanned(_printable(name), f"cannot be read: {error.strerror}"))

    for here, folders, files in os.walk(folder, onerror=unread):
        folders[:] = sorted(each for each in folders if each not in SKIPPED)
        for name in sorted([*files, *(each for each in folders if (Path(here) / each).is_symlink())]):
            path = Path(here) / name
            below = path.relative_to(folder).as_posix()
            if path.is_symlink() and (why := leads_out(folder, path)):
                wrong.append(_hostile(_printable(below), [("link", why, "")]))
            elif path.is_file():
                names.append(below)
            elif not path.is_dir():
                wrong.append(_unscanned(_printable(below), "it is no file: a broken link, a device or a pipe"))
            elif name in folders:
                folders.remove(name)  # a link to a folder inside: its files are seen where they are
        if len(names) > MOST_FILES:
            wrong.append(_unscanned(".", f"more than {MOST_FILES:,} files"))
            break
    return wrong, names[:MOST_FILES]


def _file(place: Place, ask: Ask) -> tuple[ScannedFile, dict[str, str]]:
    """One file, by every scan that takes it; and the files that these name, with the scan that did."""
    path, name = Path(place.root) / place.name, _printable(place.name)
    try:
        if is_pointer(path):
            return _unscanned(name, f"a Git LFS pointer, not the file. {FETCH}"), {}
        before, seen = state(path), place.seen()
        sha256 = digest_once(path)
    except (OSError, ValueError) as error:
        return _unscanned(name, f"cannot be read: {getattr(error, 'strerror', None) or error}"), {}
    found: list[tuple[str, str, str]] = []
    reasons, scans, belongs = list[str](), list[str](), dict[str, str]()
    looked = 0
    for scan, module in in_order():
        if not module.takes(seen):
            continue
        try:
            answer = ask(Look(scan=scan, place=place))
        except NotMeasured as error:
            answer = Looked(unscanned=f"{scan}: {error}")
        looked += scan != "names"
        scans.append(f"{scan} ({answer.engine})" if answer.engine else scan)
        found += [each for each in answer.found if each not in found]
        reasons += [answer.unscanned] if answer.unscanned else []
        belongs |= dict.fromkeys(answer.belongs, scan)
    if not looked:
        reasons.append("no scan knows what it is. Remove it from the model's folder where the model does not need it.")
    if now(path) != before:
        reasons.append("it changed while it was scanned. Scan it again")
    verdict: ScanVerdict = "hostile" if found else "unscanned" if reasons else "clean"
    told = [_finding(each) for each in found]
    scanned = ScannedFile(
        file=name,
        verdict=verdict,
        sha256=sha256,
        bytes=seen.size,
        scans=scans,
        reason="; ".join(dict.fromkeys(reasons)),
        found=told,
    )
    return scanned, belongs


def _finding(found: tuple[str, str, str]) -> ScanFinding:
    rule, what, where = found
    said = rules().get(rule)
    return ScanFinding(rule=rule, what=what, where=where, remedy=said.remedy if said else "")


def _hostile(name: str, found: list[tuple[str, str, str]]) -> ScannedFile:
    return ScannedFile(file=name, verdict="hostile", found=[_finding(each) for each in found])


def _unscanned(name: str, reason: str) -> ScannedFile:
    return ScannedFile(file=name, verdict="unscanned", reason=reason)


@contextmanager
def workers(scratch: Path, timeout_s: float = TIMEOUT_S, memory: int = MEMORY) -> Iterator[Ask]:
    """Asks one worker after the other: one that ended, or was ended, makes place for the next."""
    held: list[Worker] = []

    def ask(look: Look) -> Looked:
        if not (held and held[-1].alive):
            close()
            held.append(Worker(scratch, memory))
        return held[-1].ask(look, Looked, timeout_s)

    def close() -> None:
        while held:
            held.pop().close()

    try:
        yield ask
    finally:
        close()
