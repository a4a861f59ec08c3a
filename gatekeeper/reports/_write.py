"""Writes every file format of a report into a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from gatekeeper.compliance.annex import annex_iv
from gatekeeper.compliance.checklist import checklist
from gatekeeper.files import check_own, make_folder, write_together
from gatekeeper.records.report import Report
from gatekeeper.reports._base import REGISTRY, reporter
from gatekeeper.reports._folder import REPORT, owned_where_runs_are


def write_reports(report: Report, folder: Path) -> list[Path]:
    """Write every file under another name, then put them all in place, report.json last: it stands for the others.

    What the report shows of Annex IV and of the checklist is worked out here, once nothing more is added to it. Returns what was
    written, report.json first. A format that has `chunks(report)`, bytes in pieces, is written as it is rendered.
    """
    report = msgspec.structs.replace(report, evidence=annex_iv(report), checklist=checklist(report))
    rendered: dict[Path, str | Iterable[bytes]] = {}
    for name in REGISTRY.names:
        module = reporter(name)
        if module.FILE_NAME:
            chunks = getattr(module, "chunks", None)
            rendered[folder / module.FILE_NAME] = chunks(report) if chunks else module.render(report)
    ordered = sorted(rendered, key=lambda path: (path.name != REPORT, path.name))
    check_own(folder)
    make_folder(folder)
    with owned_where_runs_are(folder):
        write_together({path: rendered[path] for path in reversed(ordered)})
    return ordered
