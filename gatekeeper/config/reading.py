"""What a file reads otherwise than its policy: how the model is asked, how its answers and the labels are read, and which of them
count. Limits of what is counted hold nothing where something else is counted, so that such a change is an error.
"""

from __future__ import annotations

from typing import Any

from gatekeeper.config.flat import SETS, flat
from gatekeeper.config.limits import Loosened
from gatekeeper.config.loaded import Loaded
from gatekeeper.config.source import Path_

READ = ("model.", "inputs.", "outputs.", "dataset.")
"""Sections that say how a model is asked and read."""

FREE = ("model.path", "dataset.path", "dataset.loader", "dataset.calibration")
"""What a change is about, and where the main set lies, which is said. A further set is asked for by its name, and stays there."""

PINS = "sha256"
"""Keys that end so pin content, which is held as what it is."""


def read_otherwise(loaded: Loaded) -> list[tuple[Loosened, Path_]]:
    """What differs, and where it is here; nothing that the policy does not speak of."""
    if loaded.policy is None or loaded.policy.limits is None:
        return []
    policy = loaded.policy.limits
    before, here = flat(policy), flat(loaded)
    found = []
    for name in dict.fromkeys([*before, *here]):
        (policy_path, old), (path, new) = before.get(name, ((), None)), here.get(name, ((), None))
        held = name.startswith(READ) and name not in FREE and not name.endswith(PINS) and not _pinned(name, before)
        if held and old != new and _spoken_of(policy, loaded, name, policy_path) and not _more(name, old, new):
            place = path or policy_path[:1]
            found.append((Loosened(name, old, new, loaded.where(*place)), place))
    return found


def _spoken_of(policy: Loaded, loaded: Loaded, name: str, path: Path_) -> bool:
    """Whether the policy says how that is read: in so many words, or as it has a model, data or a set of its own and says nothing
    else of it. One that only has limits says nothing of it.
    """
    section, model, data = name.partition(".")[0], policy.pipeline.model, policy.pipeline.dataset
    if name.startswith(SETS):
        called = {each.name for each in data.also} if data else set()
        ours = {each.name for each in loaded.pipeline.dataset.also} if loaded.pipeline.dataset else set()
        return _set_of(name) in called & ours  # one that is missing is held to its limits, which nothing can show
    if path and policy.stated(*path) is not None:
        return True
    return model is not None if section in ("model", "inputs", "outputs") else bool(data and (data.path or data.loader))


def _pinned(name: str, before: dict[str, tuple[Path_, Any]]) -> bool:
    """Whether it says where a set lies whose content the policy pins."""
    where, _, key = name.rpartition(".")
    return name.startswith(SETS) and key in ("path", "loader") and bool(before.get(f"{where}.{PINS}", ((), None))[1])


def _set_of(name: str) -> str:
    """The set that a dotted name is of; a set's own name may have dots."""
    return name.removeprefix(SETS).rpartition(".")[0]


def _more(name: str, old: Any, new: Any) -> bool:
    """Whether more is counted than the policy asks for: more groups, more examples."""
    key = name.rpartition(".")[2]
    if key == "slices" and old is not None and new is not None:
        return set(_listed(old)) <= set(_listed(new))
    return key == "limit" and old is not None and (new is None or new >= old)


def _listed(slices: Any) -> list[str]:
    return [slices] if isinstance(slices, str) else list(slices)
