"""A pipeline file that does not pass, repaired: the smallest change of it that passes, or what it would take.

What cannot be given up is not touched: limits, data, the model, what is measured. What must pass is repaired in turn, each target
or, with `require: all`, each variant; the full measurement of the last one is of the whole file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from gatekeeper.config.git import git_says
from gatekeeper.config.load import proposed
from gatekeeper.config.loaded import Loaded
from gatekeeper.errors import UsageError
from gatekeeper.files import make_folder, write_atomic
from gatekeeper.hardware.machine import this_machine
from gatekeeper.ids import framework_of
from gatekeeper.making.cache import Cache
from gatekeeper.making.optimize import package_versions
from gatekeeper.models.files import digest_files
from gatekeeper.models.hashed import digest_once
from gatekeeper.pipeline import Options
from gatekeeper.planning.plan import choose_legs, make_plan, model_of
from gatekeeper.progress import Progress
from gatekeeper.records.base import Verdict
from gatekeeper.records.repaired import FILE_NAME, REPAIR_SCHEMA, Edit, Line, Lost, No, Repair, Tried
from gatekeeper.records.report import Report
from gatekeeper.repair.answer import answers, beside
from gatekeeper.repair.bench import RealBench, find, with_edits
from gatekeeper.repair.climb import Candidate, Climb, Clock, needed
from gatekeeper.repair.edits import edits_of
from gatekeeper.repair.journal import About, Journal
from gatekeeper.repair.known import known_by
from gatekeeper.repair.seen import Unit, quantizable, units
from gatekeeper.repair.text import diff, stretch
from gatekeeper.reports._folder import owned
from gatekeeper.version import version

MOST_IN_TURN = 8


@dataclass
class _Work:
    """One repair on its way: what was tried, which attempts were spent, and what of the patch is found so far."""

    loaded: Loaded
    content: bytes
    options: Options
    journal: Journal
    clock: Clock
    progress: Progress
    tried: list[Tried] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    failed: list[Lost] = field(default_factory=list)
    no: list[No] = field(default_factory=list)
    last: Candidate | None = None
    reports: bool = True

    def bench(self, unit: Unit | None = None) -> RealBench:
        """For what must pass; the file with what was found so far."""
        return RealBench(
            self.loaded,
            self.content,
            self.options,
            self.journal,
            self.clock,
            self.progress,
            tuple(self.edits),
            unit,
            self.reports,
        )


def repair(
    loaded: Loaded, options: Options, budget_s: float, progress: Progress, known: Report | None = None, reports: bool = True
) -> Repair:
    """Look for the smallest change that passes, for about `budget_s` seconds, and write `repair.json` beside what was measured.

    `known` is the report of the file as it stands, where there is one; else it is measured first. `options.attempt` is which one
    that was: every full measurement is a further one, and leaves its `reports` in the folder of the output where that is wanted.
    `UsageError` where the request cannot be carried out.
    """
    make_folder(options.output)
    content = loaded.path.read_bytes()
    with owned(options.output):
        if not (options.output / ".gitignore").exists():
            write_atomic(options.output / ".gitignore", "*\n")
        journal = Journal(Cache(options.cache), options.output, _about(loaded, options))
        work = _Work(loaded, content, options, journal, Clock(budget_s), progress, reports=reports)
        if journal.note:
            progress.note(journal.note)
        first = known or work.bench().first()
        if known is None:
            work.clock.took("full", work.clock.passed)
        outcome, report = _climbed(work, first)
        found = _said(work, outcome, report, budget_s)
        write_atomic(options.output / FILE_NAME, msgspec.json.format(msgspec.json.encode(found), indent=2))
    return found


def _climbed(work: _Work, first: Report) -> tuple[Literal["nothing_to_repair", "repaired", "no"], Report]:
    """Repair in turn what must pass."""
    report = first
    if report.verdict is Verdict.PASS:
        return "nothing_to_repair", report
    for _ in range(MOST_IN_TURN):
        now = proposed(work.loaded, with_edits(work.content, work.loaded, work.edits))
        unit = next(iter(units(now, report, work)), None)
        if unit is None:
            break
        work.failed += [lost for each in unit.failing for lost in each.lost if lost not in work.failed]
        bench = work.bench(unit)
        attempt = work.options.attempt + 1 + len(work.attempts)
        climb = Climb(unit.failing, bench, work.clock, attempt, work.journal.add)
        found = climb.run()
        if found is not None:
            found, shown = needed(climb, found, found.failing.lost)
            place = found.failing.place
            for part, lost, spent in shown:
                work.lines += [Line(edit=edit, lost=lost, attempt=spent) for edit in edits_of(part, place)]
            report = bench.report(found.tried.edits, found.tried.attempt)
            work.edits, work.last = [*work.edits, *found.tried.edits], found
        work.tried += [beside(each.tried, found.tried) if found else each.tried for each in climb.all]
        work.attempts += climb.attempts
        if found is None:
            work.no = answers(_lost(unit), [each.tried for each in climb.all], quantizable(now, unit, work), None)
            return "no", first
        if report.verdict is Verdict.PASS:
            return "repaired", report
    reasons = [each.reason for each in report.targets if each.verdict is not Verdict.PASS]
    reasons += [each.reason for each in report.stages if each.verdict is not Verdict.PASS]
    said = "; ".join(dict.fromkeys(filter(None, reasons))) or "no variant that gatekeeper makes fails"
    work.no = [No(word="not_tried", reason=f"nothing that a remedy could change is at fault: {said}")]
    return "no", first


def _lost(unit: Unit) -> list[Lost]:
    """What is lost of each gate, by the variant that comes nearest to its limit."""
    best: dict[str, Lost] = {}
    for lost in (lost for each in unit.failing for lost in each.lost):
        before = best.get(lost.gate)
        if before is None or _gap(lost) < _gap(before):
            best[lost.gate] = lost
    return list(best.values())


def _gap(lost: Lost) -> float:
    value = lost.bound if lost.bound is not None else lost.observed
    return float("inf") if value is None or lost.limit is None else abs(value - lost.limit)


def _said(work: _Work, outcome: Literal["nothing_to_repair", "repaired", "no"], report: Report, budget_s: float) -> Repair:
    whole = outcome == "repaired" and work.last is not None
    old, new = work.content, with_edits(work.content, work.loaded, work.edits) if whole else work.content
    before, after = old.decode("utf-8-sig"), new.decode("utf-8-sig")
    name, where = in_repository(work.loaded.path), stretch(before, after)
    tried = work.last.tried if work.last and whole else None
    found = find(report, tried.variant) if tried else None
    return Repair(
        schema=REPAIR_SCHEMA,
        outcome=outcome,
        file=name,
        file_sha256=work.loaded.sha256,
        model_sha256=work.journal.about.model,
        version=version(),
        patch=diff(before, after, name) if whole else "",
        remedy=tried.remedy if tried else "",
        variant=tried.variant if tried else "",
        first_line=where.first,
        last_line=where.last,
        replacement=where.replacement,
        edits=work.edits if whole else [],
        gates=found.gates if found else [],
        lines=work.lines if whole else [],
        failed=work.failed,
        tried=work.tried,
        no=work.no,
        notes=[work.journal.note] if work.journal.note else [],
        attempts=work.attempts,
        seconds=work.clock.passed,
        budget_s=budget_s,
    )


def in_repository(path: Path) -> str:
    """A file as it is called from the root of its repository; its own name outside of one."""
    root = git_says(path.parent, "rev-parse", "--show-toplevel")
    whole = path.resolve()
    return (
        whole.relative_to(Path(root).resolve()).as_posix() if root and whole.is_relative_to(Path(root).resolve()) else path.name
    )


def apply(found: Repair, loaded: Loaded) -> None:
    """Write the patched file in place of the one that was read: whole, or not at all."""
    path = loaded.path.resolve()
    content = path.read_bytes()
    if loaded.sha256 != found.file_sha256 or content != loaded.path.read_bytes():
        raise UsageError(f"{path}: has changed since it was repaired. Run `gatekeeper repair` again.")
    mode = path.stat().st_mode
    if not mode & 0o222:
        raise UsageError(f"{path}: is read-only, and nothing was written. Make it writable, or apply the patch yourself.")
    write_atomic(path, with_edits(content, loaded, found.edits))
    path.chmod(mode & 0o7777)


def _about(loaded: Loaded, options: Options) -> About:
    _, assessment = model_of(loaded)
    legs = choose_legs(make_plan(loaded, assessment), options.target, options.framework)
    machine = this_machine()
    used = sorted({framework_of(leg.id) for leg in legs if not (leg.skip or leg.error)})
    packages = [f"{p} {v}" for name in used for p, v in package_versions(name, assessment.format).items()]
    return About(
        file=loaded.sha256,
        policy=loaded.policy.sha256 if loaded.policy else "",
        model=digest_files([Path(file) for file in assessment.files], digest_once),
        data=known_by(loaded),
        version=[version(), *packages],
        machine=[machine.cpu, *machine.isa, str(machine.cores)],
        attempt=options.attempt,
        legs=[leg.id for leg in legs],
    )
