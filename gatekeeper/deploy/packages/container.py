"""A folder to build an image from: gatekeeper's own server, the one framework that the model needs, and the model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from gatekeeper.config.section import Section
from gatekeeper.deploy.packages._base import EVIDENCE, PORT, USER, Asked, Content, Files, Part, check_images, label, pinned

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review
    from gatekeeper.deploy.packages._approved import Approved

DESCRIPTION = "A folder to build an image from: `buildah bud`, `docker build`."
KEY = "container"
ASKED = False


class SECTION(Section, frozen=True, kw_only=True):
    """An image that serves the model."""

    base: Annotated[str, Meta(description="Image with Python 3.11 or newer, by its digest: name@sha256:...; also `--base`.")] = ""
    builder: Annotated[
        str,
        Meta(
            description="Image that packages are installed in, by its digest: for llama_cpp one with a compiler. Default: `base`."
        ),
    ] = ""


def parts(section: Any) -> list[Part]:
    """One image."""
    return [Part("container", "", section, (KEY,))]


def problems(review: Review) -> None:
    """Images without their digests."""
    check_images(review, (KEY, "base"), (KEY, "builder"))


def unsaid(part: Part) -> tuple[str, ...]:
    """The image to build on, where the file names none."""
    return () if part.options.base else ("base",)


def pulled(part: Part) -> bool:
    """An image is."""
    return True


def files(part: Part, approved: Approved, asked: Asked) -> Files:
    """The folder: Containerfile, the model, gatekeeper's modules, and the versions of all that is installed."""
    return context(approved, asked.base or part.options.base, part.options.builder, name_of(approved, asked), part.key)


def name_of(approved: Approved, asked: Asked) -> str:
    """What the model is called in URLs: as the command line says, else as the model's file."""
    return label(asked.name or approved.judged.report.model.path.rstrip("/").rpartition("/")[2].partition(".")[0])


def context(approved: Approved, base: str, builder: str, name: str, key: str) -> dict[str, Content]:
    """What an image is built from; `key` is where the pipeline file has `base`."""
    from gatekeeper.deploy.packages._runtime import code, opened, requirements, words

    about = opened(approved)
    base = pinned(base, "the image to build on", "--base", f"{key}.base")
    builder = pinned(builder or base, "the image to install packages in", f"{key}.builder", f"{key}.builder")
    made: dict[str, Content] = {f"runtime/{name}": path for name, path in code().items()}
    made |= {f"model/{file}": path for file, path in approved.contents.items()}
    made |= requirements(approved, about.format)
    made["Containerfile"] = containerfile(approved, base, builder, words(approved, name))
    return made


def containerfile(approved: Approved, base: str, builder: str, command: list[str]) -> str:
    """The recipe. Its process is gatekeeper itself, without a shell before it: what is process 1 gets SIGTERM, and only a process
    with a handler of its own heeds it there.
    """
    ready = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/v2/health/ready', timeout=2)"
    artifact = approved.variant.artifact
    assert artifact is not None
    return f"""\
# Made by gatekeeper package. Build it in this folder: buildah bud --format docker -t NAME .
FROM {builder} AS runtime
COPY requirements.txt constraints.txt /own/
RUN ["python3", "-m", "pip", "install", "--no-cache-dir", "--no-compile", "--disable-pip-version-check", \
"--target", "/opt/runtime", "-r", "/own/requirements.txt", "-c", "/own/constraints.txt"]

FROM {base}
LABEL org.opencontainers.image.title="{label(approved.variant.id)}" \\
      org.opencontainers.image.base.name="{base.partition("@")[0]}" \\
      org.opencontainers.image.base.digest="{base.partition("@")[2]}" \\
      edge-gatekeeper.variant={json.dumps(approved.variant.id)} \\
      edge-gatekeeper.artifact="{artifact.sha256}" \\
      edge-gatekeeper.report="{approved.judged.digest}"
COPY --from=runtime /opt/runtime /opt/runtime
COPY runtime /opt/gatekeeper
COPY model /model
COPY {EVIDENCE} /evidence
ENV PYTHONPATH=/opt/gatekeeper:/opt/runtime PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
USER {USER}:{USER}
EXPOSE {PORT}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD {json.dumps(["python3", "-c", ready])}
ENTRYPOINT {json.dumps(command)}
"""
