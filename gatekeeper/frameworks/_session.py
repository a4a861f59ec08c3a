"""How an artifact is opened, written beside it: it is part of its digest, its certificate and its place in the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._options import Opened

FILE = "session.json"


def write_session(folder: Path, settings: dict[str, Any]) -> None:
    """Add settings to what lies beside the artifact in a folder."""
    place = folder / FILE
    before: dict[str, Any] = msgspec.json.decode(place.read_bytes()) if place.is_file() else {}
    place.write_bytes(msgspec.json.encode(before | settings, order="deterministic"))


def read_session(path: Path, kind: type[Opened]) -> Opened:
    """What an artifact is opened with; the defaults where nothing lies beside it. `path` is its folder, or a model file."""
    place = path / FILE
    if not path.is_dir() or not place.is_file():
        return kind()
    try:
        return msgspec.json.decode(place.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise NotMeasured("model", f"{place}: does not say how the model is opened ({error}). Make it again.") from None
