"""report.json: the contract, schema gatekeeper/report/v1."""

from __future__ import annotations

import msgspec

from gatekeeper.records import Report

FILE_NAME = "report.json"


def render(report: Report) -> str:
    """Every field, indented; lone surrogates of hostile file names are escaped, so that it is always UTF-8."""
    try:
        data = msgspec.json.encode(report)
    except UnicodeEncodeError:
        data = msgspec.json.encode(_encodable(msgspec.to_builtins(report)))
    return msgspec.json.format(data, indent=2).decode() + "\n"


def _encodable(item: object) -> object:
    """Plain data whose strings are all encodable."""
    if isinstance(item, str):
        return item.encode("utf-8", "backslashreplace").decode()
    if isinstance(item, dict):
        return {_encodable(k): _encodable(v) for k, v in item.items()}
    return [_encodable(v) for v in item] if isinstance(item, list) else item
