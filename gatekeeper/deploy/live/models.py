"""From a pipeline file and a report to servers: what serves first, and what goes live."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gatekeeper.config.loaded import Loaded
from gatekeeper.config.policy import limits_file
from gatekeeper.config.sections.deployment import current, opened_by
from gatekeeper.deploy.engines._write import chosen
from gatekeeper.deploy.live.host import MODELS, Going
from gatekeeper.deploy.live.slots import Slot, free_port
from gatekeeper.deploy.packages._approved import Approved
from gatekeeper.deploy.packages._build import Request
from gatekeeper.deploy.packages._tree import write_tree
from gatekeeper.deploy.packages.container import name_of
from gatekeeper.deploy.rehearsal import Terms
from gatekeeper.errors import UsageError
from gatekeeper.frameworks._spec import ModelSpec, text_spec
from gatekeeper.load.profile import profile
from gatekeeper.making.cache import Cache
from gatekeeper.making.subject import Subject
from gatekeeper.making.workspace import Workspace, workspace
from gatekeeper.models.files import assess
from gatekeeper.models.info import Assessment
from gatekeeper.progress import Silent
from gatekeeper.serve.config import Served


@contextmanager
def going(
    file: Path, state: Path, request: Request, times: tuple[float, float], port: int, note: Callable[[str], None]
) -> Iterator[Going]:
    """What a pipeline file and a report say that goes live, once the report and the certificate were judged; `times` are the
    deadline and the length of a burst, in seconds.
    """
    loaded = limits_file(file)
    path = loaded.model_path()
    if path is None:
        raise UsageError(f"{file}: names no model, so that nobody knows what serves first. Add `model: {{path: ...}}`.")
    own = chosen(file, request, datetime.datetime.now(datetime.UTC))
    about, name = assess(path), name_of(own, request.asked)
    terms = terms_of(loaded)
    assert own.variant.artifact is not None
    with workspace(Cache(state / "cache"), loaded.pipeline.measure) as space:
        yield Going(
            sha256=own.variant.artifact.sha256,
            first=lambda: first_slot(loaded, path, about, name, own.threads),
            green=lambda _: green_of(state, own, path, about, name, loaded),
            subject=lambda slot, scratch: asked_as(slot, about, scratch, space, loaded),
            terms=terms,
            automatic=loaded.pipeline.deployment.rollback == "automatic",
            deadline_s=times[0],
            burst_s=times[1],
            entry=port,
            note=note,
        )


def terms_of(loaded: Loaded) -> Terms:
    """How it goes live, as the pipeline file says."""
    way = loaded.pipeline.deployment
    return Terms(way.strategy, way.traffic_ramping, None, profile(loaded).p99_ms, loaded.pipeline.measure.seed)


def first_slot(loaded: Loaded, model: Path, about: Assessment, name: str, threads: int) -> Slot:
    """`deployment.current`, else the original model."""
    from gatekeeper.certificate.inventory import identity, inventory

    path, framework = current(loaded) or (model, opened_by(model))
    if not framework:
        raise UsageError(f"{path}: several frameworks run it. Name what serves now with `deployment.current`.")
    digest = identity(inventory(path))
    return slot_of("what served first", digest, path, framework, threads, "cpu", model, about, name, loaded)


def green_of(state: Path, own: Approved, model: Path, about: Assessment, name: str, loaded: Loaded) -> Slot:
    """Its files are copied and held to the digests that were measured: what lies elsewhere may change while it serves."""
    assert own.variant.artifact is not None
    sha256 = own.variant.artifact.sha256
    place = state.resolve() / MODELS / sha256[:16]
    write_tree(place, dict(own.contents), True, own.files)
    served = place if own.place.is_dir() else place / own.place.name
    variant = own.variant
    return slot_of(variant.id, sha256, served, variant.framework, own.threads, own.device, model, about, name, loaded)


def slot_of(
    variant: str, sha256: str, path: Path, framework: str, threads: int, device: str, model: Path, about: Assessment, name: str,
    loaded: Loaded,
) -> Slot:  # fmt: skip
    """A server of an artifact, on a port of its own."""
    spec = ModelSpec(
        framework=framework,
        artifact=str(path.resolve()),
        threads=threads,
        device=device,
        text=text_spec(about, model, framework),
    )
    task = loaded.pipeline.model.task if loaded.pipeline.model else None
    served = Served(name=name, spec=spec, model=about, task=task, port=free_port())
    return Slot(id=f"{sha256[:12]}-{secrets.token_hex(4)}", variant=variant, sha256=sha256, served=served)


def asked_as(slot: Slot, about: Assessment, scratch: Path, space: Workspace, loaded: Loaded) -> Subject:
    """How both are asked: inputs that are made up, the same for both."""
    return Subject(
        id=slot.id,
        spec=slot.served.spec,
        model=about,
        task=slot.served.task,
        inputs=_questions(about, scratch, loaded),
        space=space,
        progress=Silent(),
    )


def _questions(about: Assessment, scratch: Path, loaded: Loaded) -> Path:
    import numpy as np

    from gatekeeper.data.feeds import made_up, write_feeds
    from gatekeeper.evaluate.text.prompts import timed_prompts

    place = scratch / "questions.npz"
    if place.exists():
        return place
    if about.text is not None:
        np.savez(place, **timed_prompts(about.text, loaded.pipeline.measure, None))
        return place
    generator = np.random.default_rng(loaded.pipeline.measure.seed)
    write_feeds(place, [{tensor.name: made_up(generator, tensor, 1) for tensor in about.inputs} for _ in range(QUESTIONS)])
    return place


QUESTIONS = 256
"""Different ones: of a few, all might be easy."""
