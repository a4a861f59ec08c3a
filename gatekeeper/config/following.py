"""Whose limits hold for a pipeline file that is not at the base of a change under its name: it was moved, renamed, or is new.

It is held to the base's file of the same model, found by git's own renames, by the model's path and by its content; or refused,
as the base's files say in `gates.new_files`. Nothing that the change itself says decides it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatekeeper.config.base import Base, content_at
from gatekeeper.config.loaded import ROOT
from gatekeeper.config.source import parse_source
from gatekeeper.errors import ConfigError, UsageError

STRICTEST = ("refused", "held", "own")
MOST_NAMED = 5


@dataclass(frozen=True)
class OfModel:
    """The model of a pipeline file: where it lies in the tree, if it does, and its digest, if it is known."""

    path: str = ""
    sha256: str = ""


def followed(base: Base, path: str, model: OfModel) -> str | None:
    """The base's file that holds the one at `path`, which is not there; None where its own limits are all there is.

    A `UsageError` where none of the base's files is of its model, or several are, or these say that no new file is taken.
    """
    there = _pipelines(base)
    if not there:
        return None
    rule = min((each for own in there.values() if (each := _rule(own))), key=STRICTEST.index, default="held")
    found = _of_model(base, there, path, model)
    if rule != "refused" and len(found) == 1:
        return found[0]
    if rule == "own" and not found:
        return None
    said = f"{path} is not at {base.name}"
    if rule == "refused":
        raise UsageError(f"{said}, whose pipeline files say `new_files: refused`. Add it there first.")
    if found:
        raise UsageError(
            f"{said}, and may be any of {_some(found)} there. Keep the name of the one it is, or add it to {base.name} first."
        )
    own = model.path or "that it is for"
    raise UsageError(
        f"{said}, and none of the pipeline files there ({_some(sorted(there))}) is of the model {own}, so that "
        f"nothing says what it is held to. Add it to {base.name} first, or say `gates: {{new_files: own}}` in one there."
    )


def check_not_another(base: Base, path: str, model: OfModel) -> None:
    """`UsageError` where the base's file of this name is of another model, and another file there is of this one."""
    there = _pipelines(base)
    own = _model(path, there.get(path, {}))
    if not own or not model.path or own == model.path:
        return
    others = [name for name, each in there.items() if name != path and _model(name, each) == model.path]
    if others:
        raise UsageError(
            f"{path} is of {own} at {base.name}, and here of {model.path}, which {_some(others)} is of there. Run that one, or "
            f"change {base.name} first."
        )


def _of_model(base: Base, there: Mapping[str, Any], path: str, model: OfModel) -> list[str]:
    """The base's files that are of the same model, or were this one."""
    models = {name: _model(name, own) for name, own in there.items()}
    found = [name for name, own in models.items() if own and own == model.path]
    if (old := base.renamed(path)) in there and old not in found:
        found.append(old)
    if found or not model.sha256:
        return found
    digests = {own: content_at(base, own) for own in set(models.values()) if own}
    return [name for name, own in models.items() if own and digests[own] == model.sha256]


def _pipelines(base: Base) -> dict[str, Any]:
    """What each pipeline file at the base holds, by its path; whatever else is in it need not be right."""
    found = {}
    for name in base.pipelines():
        try:
            data = parse_source((base.read(name) or b"").decode("utf-8-sig"), name).data
        except (ConfigError, UnicodeDecodeError):
            continue
        if isinstance(data, dict) and isinstance(data.get(ROOT), dict):
            found[name] = data[ROOT]
    return found


def _model(name: str, own: Mapping[str, Any]) -> str:
    """The path of a file's model from the root of the tree; empty where it names none there."""
    stated = own.get("model")
    path = stated.get("path") if isinstance(stated, dict) else None
    if not isinstance(path, str) or posixpath.isabs(path):
        return ""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), path.replace("\\", "/")))


def _rule(own: Mapping[str, Any]) -> str:
    """What a file says of new ones; empty where it says nothing, `refused` where it cannot be understood."""
    gates = own.get("gates")
    stated = gates.get("new_files") if isinstance(gates, dict) else None
    return "" if stated is None else stated if stated in STRICTEST else "refused"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
