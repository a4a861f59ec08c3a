"""A variant that this very run measured, as something that goes live on the machine of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gatekeeper.certificate.inventory import identity
from gatekeeper.config.loaded import Loaded
from gatekeeper.deploy.live.host import MODELS, Going, Seen
from gatekeeper.deploy.live.models import asked_as, first_slot, slot_of, terms_of
from gatekeeper.deploy.live.slots import Slot
from gatekeeper.deploy.packages._base import label
from gatekeeper.deploy.packages._tree import write_tree
from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.making.subject import Subject
from gatekeeper.models.files import digest


@contextmanager
def measured(
    loaded: Loaded, state: Path, green: Subject, times: tuple[float, float], port: int, note: Callable[[str], None], seen: Seen
) -> Iterator[Going]:
    """What goes live: the files of a variant, held to the digest that was measured; `times` are the deadline and the length of a
    burst, in seconds.
    """
    model, made, about = loaded.model_path(), green.made, green.model
    if model is None or made is None:
        raise UsageError(f"{loaded.path}: names no model. Add `model: {{path: ...}}`.")
    files = {file.relative_to(made.folder).as_posix(): file for file in made.files}  # beside them lies what the cache notes
    digests = {each: digest(file) for each, file in files.items()}
    if identity(digests) != made.sha256:
        raise NotMeasured("data", f"{green.id}: its files are not those that were measured any more. Run it again.")
    name, threads = label(model.name.partition(".")[0]), green.spec.threads

    def new(_: Slot) -> Slot:
        place = state.resolve() / MODELS / made.sha256[:16]
        write_tree(place, dict(files), True, digests)
        served = place / made.file.relative_to(made.folder) if made.file is not None else place
        spec = msgspec.structs.replace(green.spec, artifact=str(served))
        slot = slot_of(green.id, made.sha256, served, spec.framework, threads, spec.device, model, about, name, loaded)
        return msgspec.structs.replace(slot, served=msgspec.structs.replace(slot.served, spec=spec))

    yield Going(
        sha256=made.sha256,
        first=lambda: first_slot(loaded, model, about, name, threads),
        green=new,
        subject=lambda slot, scratch: asked_as(slot, about, scratch, green.space, loaded),
        terms=terms_of(loaded),
        automatic=loaded.pipeline.deployment.rollback == "automatic",
        deadline_s=times[0],
        burst_s=times[1],
        entry=port,
        note=note,
        seen=seen,
    )
