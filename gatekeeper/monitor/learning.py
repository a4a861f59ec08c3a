"""The reference of a pipeline file's watch: made where somebody asks for it, or where its model is certified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.errors import UsageError
from gatekeeper.files import write_atomic
from gatekeeper.models.files import model_format
from gatekeeper.monitor.problems import Unread
from gatekeeper.monitor.reference import learned, written
from gatekeeper.progress import Progress

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded


def learn(loaded: Loaded, what: Path, now: float, progress: Progress) -> str:
    """Write what is normal by an artifact's answers to the evaluation set, or by a log of a good time; what was written, in
    words. `UsageError` with what to do where it cannot be told.
    """
    from gatekeeper.making.cache import Cache, default_folder

    own = loaded.pipeline.monitoring
    if own is None:
        raise UsageError(f"{loaded.path}: has no `monitoring`. Add it (docs/monitoring.md).")
    try:
        if model_format(what) is not None:
            from gatekeeper.monitor.approved import approved

            reference = approved(loaded, what, Cache(default_folder()), progress)
        else:
            reference = learned(what, now)
    except Unread as error:
        raise UsageError(str(error)) from None
    place = loaded.folder / own.reference
    write_atomic(place, written(reference))
    told = reference.contents
    inputs = f"{len(reference.features())} features of {', '.join(told.inputs) or 'no input'}"
    return f"{place}: {told.seen:,} examples, {inputs}, {len(told.answers)} answers, {told.labelled:,} labels"
