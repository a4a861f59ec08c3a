"""Gates that cannot judge a model of such inputs, or such a task: told where they are asked for, before anything runs.

A gate says so itself: `unsuited(config, model, task)` yields what is wrong, by its place below the gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from gatekeeper.config.sections.model import task_of
from gatekeeper.errors import GatekeeperError
from gatekeeper.gates._base import gate
from gatekeeper.models.files import assess, model_format, there

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review
    from gatekeeper.config.source import Path_


def check_suited(review: Review, place: Path_, name: str, said: Any) -> None:
    """A gate that is asked for at a place, held against the model as far as its file tells."""
    unsuited = getattr(gate(name), "unsuited", None)
    model = review.loaded.model_path()
    if unsuited is None or model is None or not there(model) or model_format(model) is None:
        return
    try:
        about = assess(model)
    except (GatekeeperError, OSError):  # the run says what is wrong with it
        return
    for path, problem in unsuited(msgspec.convert(said, gate(name).Config), about, task_of(review)):
        review.add((*place, *path), problem, key=not path)
