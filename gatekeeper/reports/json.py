"""report.json: the contract, schema gatekeeper/report/v1."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from gatekeeper.records.report import Report, TargetReport

FILE_NAME = "report.json"


def render(report: Report) -> str:
    """Every field, indented; lone surrogates of hostile file names are escaped, so that it is always UTF-8."""
    return b"".join(chunks(report)).decode()


def chunks(report: Report) -> Iterator[bytes]:
    """The same in UTF-8, one target at a time: of a thousand legs it is 60 MB, and as a string several times as much."""
    head, empty, tail = _formatted(msgspec.structs.replace(report, targets=[])).partition(b'\n  "targets": []')
    yield head + empty.removesuffix(b"]")
    for index, target in enumerate(report.targets):
        yield (b",\n" if index else b"\n") + b"    " + _formatted([[target]])[len(_INSIDE) : -len(_AFTER)]
    yield (b"\n  ]" if report.targets else b"]") + tail + b"\n"


_INSIDE, _AFTER = b"[\n  [\n    ", b"\n  ]\n]"
"""What stands around the target in a list of a list: it is then indented as it is in a report."""


def _formatted(record: msgspec.Struct | list[list[TargetReport]]) -> bytes:
    try:
        data = msgspec.json.encode(record)
    except UnicodeEncodeError:
        data = msgspec.json.encode(_encodable(msgspec.to_builtins(record)))
    return msgspec.json.format(data, indent=2)


def _encodable(item: object) -> object:
    """Plain data whose strings are all encodable."""
    if isinstance(item, str):
        return item.encode("utf-8", "backslashreplace").decode()
    if isinstance(item, dict):
        return {_encodable(k): _encodable(v) for k, v in item.items()}
    return [_encodable(v) for v in item] if isinstance(item, list) else item
