"""The files of a variant, scanned: whoever made it, and whatever was scanned before it was made."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from gatekeeper.checks.outcome import Broken, Untested, checked, not_run
from gatekeeper.checks.security.base import SCAN, tests
from gatekeeper.checks.security.run import KIND
from gatekeeper.making.subject import Subject
from gatekeeper.records.base import Verdict
from gatekeeper.records.scanned import ModelScan
from gatekeeper.records.tested import Check
from gatekeeper.reports._scan import lines
from gatekeeper.scans._scanning import scan_files, scan_model, workers

MOST_SAID = 5
SHORT = 12
"""Digits of a digest in a sentence."""


def scan_checks(subject: Subject, level: str, domains: tuple[str, ...] = ()) -> list[Check]:
    """What the scan says. Where it is not that all is clean, nothing of the variant is served, and the attacks are not tried."""
    check = checked(KIND, SCAN.name, partial(scanned, subject, domains))
    if check.verdict is Verdict.PASS:
        return [check]
    others = [test.name for test in tests(level, subject.spec.text is not None) if test is not SCAN]
    return [check, *not_run(KIND, others, f"{SCAN.name}: {check.reason}")]


def scanned(subject: Subject, domains: tuple[str, ...]) -> str:
    """Which files are clean, by digest and by what looked at them; `Broken` where one is not, `Untested` where nobody knows."""
    space = subject.space
    with workers(space.scratch, space.timeout_s, space.memory_limit) as ask:
        if (made := subject.made) is not None:  # beside its files lies what the cache keeps of them
            names = [file.relative_to(made.folder).as_posix() for file in made.files]
            scan = scan_files(made.folder, names, ask, domains, subject.id)
        else:
            scan = scan_model(Path(subject.spec.artifact), ask, domains, subject.id)
    if scan.verdict == "clean":
        return _clean(scan)
    told = _some(lines(scan))
    if scan.verdict == "hostile":
        raise Broken(told)
    raise Untested(f"could not be scanned: {told}")


def _clean(scan: ModelScan) -> str:
    files = [f"{each.file} ({each.sha256[:SHORT]}, by {', '.join(each.scans)})" for each in scan.files]
    return f"{len(files)} file{'s' * (len(files) != 1)} clean: {_some(files)}"


def _some(said: list[str]) -> str:
    return "; ".join(said[:MOST_SAID]) + (f"; and {len(said) - MOST_SAID} more" if len(said) > MOST_SAID else "")
