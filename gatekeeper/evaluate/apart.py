"""A model on one side, the user's decode on the other: what the model answers is kept where that code never runs.

The decode is not told which model it reads, nor which example: every model has a process of its own for it, in which files have
the same names, and examples come in an order that is drawn anew for each, and that it is not told. It finds the files of the
pipeline empty: models, data, and all that runs have made. What it can still do is to know by heart of which outputs it must lie.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.config.loaded import Loaded
from gatekeeper.config.sections.boxes import Boxes
from gatekeeper.config.user_code import functions
from gatekeeper.evaluate.own_decode import AskDecode, Decoded
from gatekeeper.evaluate.predict import Predict, Predicted
from gatekeeper.evaluate.raw import CloseRaw, KeepRaw, Opened, OpenRaw, RanRaw, RunRaw
from gatekeeper.making.workspace import Workspace
from gatekeeper.process.child import ROOT
from gatekeeper.process.messages import Done

FILES = ("path", "calibration", "annotations", "baseline")
"""Keys of a pipeline file, wherever they stand, that name models and data."""


def predict_apart(space: Workspace, request: Predict, seed: int, hidden: Sequence[Path]) -> None:
    """As `Predict`, with boxes that the user's decode finds. `seed` draws which examples come first."""
    unread = msgspec.structs.replace(request, reading=msgspec.structs.replace(request.reading, boxes=Boxes()))
    with (
        tempfile.TemporaryDirectory(dir=space.scratch, prefix="raw-") as raw,
        space.opened(Path(request.destination).parent) as model,
        space.opened_own(Path(raw), hidden) as (decoder, own),
    ):
        most = space.timeout_s
        batches, first = model.ask(OpenRaw(predict=unread, first=seed, rest=secrets.randbits(63)), Opened, most).batches, 0
        while first < batches:
            ran = model.ask(RunRaw(first=first, folder=raw), RanRaw, most)
            boxes = own / "boxes"
            boxes.unlink(missing_ok=True)
            asked = AskDecode(
                outputs=raw,
                batches=ran.batches,
                names=ran.names,
                only=request.output,
                count=request.batch_size,
                size=ran.size,
                boxes=request.reading.boxes,
                folder=request.reading.folder,
                destination=str(boxes),
            )
            read = decoder.ask(asked, Decoded, most).read
            kept = KeepRaw(first=first, batches=ran.batches, folder=raw, boxes=str(boxes), read=read)
            model.ask(kept, Done, most)
            for file in Path(raw).iterdir():
                file.unlink()
            first += ran.batches
        model.ask(CloseRaw(), Predicted, most)


def unseen(space: Workspace, loaded: Loaded, model: Sequence[str]) -> list[Path]:
    """What no decode need see: models and data that the pipeline file names, and what runs have made. None that code lies in."""
    kept = space.cache.folder
    named = [*(loaded.folder / each for each in _named(loaded.source.data)), *map(Path, model), space.scratch, kept]
    modules = (name.partition(":")[0].replace(".", "/") for _, name in functions(loaded))
    paths = map(Path, filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    code = [
        each.resolve() for each in (*paths, Path(sys.prefix), ROOT, loaded.folder, *(loaded.folder / each for each in modules))
    ]
    found = (path.resolve() for path in [*named, *kept.iterdir()] if path.exists())
    return [path for path in dict.fromkeys(found) if not any(each.is_relative_to(path) for each in code)]


def _named(part: Any) -> Iterator[str]:
    """What stands at those keys."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key in FILES and isinstance(value, str) and value:
                yield value
            else:
                yield from _named(value)
    elif isinstance(part, list):
        for each in part:
            yield from _named(each)
