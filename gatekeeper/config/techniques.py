"""Whether the techniques that a pipeline file names are ones that their frameworks have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gatekeeper.config.source import Path_
from gatekeeper.errors import nearest
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import framework, is_config, variant_name
from gatekeeper.models.files import there

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review


def technique_problems(review: Review, asked: Mapping[str, Sequence[str]]) -> None:
    """Hold `optimization.techniques` against the frameworks that are tried."""
    loaded = review.loaded
    used = {name for target in loaded.targets for name in loaded.frameworks(target)}
    for name, techniques in asked.items():
        path: Path_ = ("optimization", "techniques", name)
        if name not in used:
            said = f"'{name}' is not among the frameworks. Add it to optimization.frameworks or remove this."
            review.add(path, said, key=True)
        if name in FRAMEWORKS.names:  # else it is known by name only; `plan` says that this version cannot run it
            _of_framework(review, path, name, techniques)


def _of_framework(review: Review, path: Path_, name: str, techniques: Sequence[str]) -> None:
    known = framework(name).TECHNIQUES
    short = [variant_name(name, technique).casefold() for technique in techniques]
    for i, technique in enumerate(techniques):
        if is_config(name, technique):
            if short[i] in {t.casefold() for t in known} or short[i] in short[:i]:
                called = variant_name(name, technique)
                said = f"'{technique}' would be called {called} in the report, as another technique is. Rename the file."
                review.add((*path, i), said)
            file = review.loaded.folder / technique
            if not there(file):
                review.add((*path, i), f"no such file: {file}. Correct the path.")
        elif technique not in known:
            hint = nearest(technique, known) or "."
            review.add((*path, i), f"{name} has no technique '{technique}'{hint} It has {', '.join(known)}.")
        elif technique in techniques[:i]:
            review.add((*path, i), f"'{technique}' is listed twice. Remove one.")
