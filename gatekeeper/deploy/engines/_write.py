"""From a report to files for an engine: of what passed, whole or not at all."""

from __future__ import annotations

import datetime
from pathlib import Path

from gatekeeper.config.loaded import Loaded
from gatekeeper.config.policy import limits_file
from gatekeeper.deploy.engines._base import Going, engine
from gatekeeper.deploy.packages import kubernetes
from gatekeeper.deploy.packages._approved import Approved, Judged, approved, judged
from gatekeeper.deploy.packages._base import pinned
from gatekeeper.deploy.packages._build import Request, believed, certificates, certified
from gatekeeper.deploy.packages._manifests import server_of
from gatekeeper.deploy.packages._tree import write_tree
from gatekeeper.deploy.packages.container import name_of
from gatekeeper.errors import Refused, UsageError
from gatekeeper.models.files import assess, digest_files

ADDRESS = ("http://", "https://")


def chosen(file: Path, request: Request, now: datetime.datetime) -> Approved:
    """The variant that goes live by a pipeline file; `Refused` where it did not pass, or has no certificate that is believed."""
    pipeline = limits_file(file)
    known = judged(request.result, request.policy, request.waivers, now)
    _check_model(pipeline, known)
    (part,) = kubernetes.parts(getattr(pipeline.pipeline.packaging, kubernetes.KEY, None) or kubernetes.SECTION())
    own = approved(known, part, request.variant, request.artifact, pipeline)
    signed, trusted = certificates(request), believed(request, known)
    return own if trusted is None else certified(own, signed, trusted, now)


def _check_model(pipeline: Loaded, known: Judged) -> None:
    """`Refused` where a report is of another model than the pipeline file's, as far as that is at hand. What a change is held
    against is an earlier model, and no file.
    """
    path = pipeline.model_path()
    if path is None or not path.exists() or pipeline.pipeline.baseline is not None:
        return
    here = digest_files([Path(each) for each in assess(path).files])
    if here != (was := known.report.model.sha256):
        said = f"was measured of a model with the SHA-256 {was[:12]}, and {path} has {here[:12]}"
        raise Refused(f"{known.folder}: the report {said}. Name the report of this model with --result.")


def write(
    file: Path, request: Request, name: str, judge: str, ingress: str, now: datetime.datetime
) -> tuple[Approved, list[str]]:
    """Write what the engine of that name is given; what it is of, and the names of the files."""
    way = limits_file(file).pipeline.deployment
    module = engine(name, way.strategy)
    if not judge.startswith(ADDRESS):
        raise UsageError(f"--judge {judge!r:.200}: say where the judge is asked, such as http://judge.models.svc:8080.")
    own = chosen(file, request, now)
    pipeline = own.pipeline
    assert pipeline is not None
    stated = getattr(pipeline.pipeline.packaging, kubernetes.KEY, None) or kubernetes.SECTION()
    key = f"packaging.{kubernetes.KEY}"
    image = pinned(request.asked.image or stated.image, "the image to run", "--image", f"{key}.image")
    going = Going(
        server=server_of(own, stated, key, name_of(own, request.asked), image),
        strategy=way.strategy,
        ramping=way.traffic_ramping,
        automatic=way.rollback == "automatic",
        judge=judge.rstrip("/"),
        ingress=ingress,
    )
    files = module.files(going)
    write_tree(request.output, dict(files), request.replace, {})
    return own, sorted(files)
