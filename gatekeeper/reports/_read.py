"""Reading a report.json, whichever gatekeeper of this schema wrote it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gatekeeper.errors import UsageError
from gatekeeper.records.report import Report
from gatekeeper.reports._older import with_fields

MAX_REPORT_BYTES = 64 << 20
_DECODER = msgspec.json.Decoder(Report)


def read_report(path: Path) -> Report:
    """A report.json; `UsageError` with the reason when it is not one."""
    return parsed(report_bytes(path), path)


def report_bytes(path: Path) -> bytes:
    """What stands in a report.json: whoever needs its digest too reads it once."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_REPORT_BYTES + 1)
        if len(data) > MAX_REPORT_BYTES:
            raise UsageError(f"{path}: {path.stat().st_size} bytes is too large for a report.")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}. Name a report.json or the folder it is in.") from None
    return data


def parsed(data: bytes, path: Path) -> Report:
    """The report in these bytes; `path` names it in messages."""
    try:
        report = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: not a gatekeeper report ({error}). Run `gatekeeper run` again.") from None
    return with_fields(report) if report.remarks is None else report
