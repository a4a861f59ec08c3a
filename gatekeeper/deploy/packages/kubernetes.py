"""Objects for Kubernetes around an image that was built from the package `container`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gatekeeper.config.sections.resources import Replicas
from gatekeeper.deploy.packages._base import Asked, Files, Part, check_images, pinned

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review
    from gatekeeper.deploy.packages._approved import Approved

DESCRIPTION = "Objects for Kubernetes: `kubectl apply -f manifests`."
KEY = "kubernetes"
ASKED = False
FOLDER = "manifests"


class SECTION(Replicas, frozen=True, kw_only=True):
    """Servers in a cluster."""

    scaling: Annotated[Literal["horizontal", "vertical", "none"], Meta(description="How more load is served.")] = "horizontal"


def parts(section: Any) -> list[Part]:
    """One server."""
    return [Part("kubernetes", "", section, (KEY,))]


def problems(review: Review) -> None:
    """Images without their digests, and fewer servers at most than at least."""
    check_images(review, (KEY, "image"))
    own = getattr(review.pipeline.packaging, KEY, None)
    if own is not None and own.max_replicas < own.replicas:
        said = f"packaging.kubernetes.max_replicas is {own.max_replicas}, less than replicas, {own.replicas}. Raise it."
        review.add(("packaging", KEY, "max_replicas"), said)


def image(part: Part, asked: Asked) -> str:
    """The one that is run."""
    return asked.image or part.options.image


def unsaid(part: Part) -> tuple[str, ...]:
    """The image that was built of the package `container`, where the file names none."""
    return () if part.options.image else ("image",)


def pulled(part: Part) -> bool:
    """A cluster pulls what it runs."""
    return True


def files(part: Part, approved: Approved, asked: Asked) -> Files:
    """The objects, one a file."""
    from gatekeeper.deploy.packages._manifests import manifests, server_of
    from gatekeeper.deploy.packages.container import name_of

    runs = pinned(image(part, asked), "the image to run", "--image", f"{part.key}.image")
    server = server_of(approved, part.options, part.key, name_of(approved, asked), runs)
    return {f"{FOLDER}/{name}": text for name, text in manifests(server).items()}
