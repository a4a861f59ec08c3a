"""What every kind of package shares. A kind is a module of this folder; its file name is what `--for` takes. It has:

DESCRIPTION  one line for the schema and the reference
KEY          its key under `packaging` in the pipeline file
SECTION      what stands there: a class of `Section`
ASKED        whether it is only made where the file has the key: its options have no defaults to go by
parts(section) -> list[Part]          what it consists of; each becomes a folder of its own
files(part, approved, asked) -> Files  what lies in that folder, by name; raises `Refused` where a word of the file cannot be
                                       kept, `UsageError` where something that only the user knows was not given

and, where it has something to say:

problems(review)             adds what is wrong with its section
unmeasured(part, approved)   what it is for and no measurement is of, in words
image(part, asked)           the image that it runs and does not build, empty where there is none
unsaid(part)                 fields of `Asked` that only who has built an image knows, and the file does not say: where a package
                             is only tried, a made-up image stands in for them
pulled(part)                 whether what runs it pulls it from a registry

A kind writes nothing: it says what shall be written, from what it is given and nothing else, so that the same input gives the
same bytes. A file that is large is named by its path. The module itself imports nothing heavy, since `validate` asks it what its
section may hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from gatekeeper.config.owners import PACKAGES
from gatekeeper.config.section import Section
from gatekeeper.errors import UsageError

if TYPE_CHECKING:
    from gatekeeper.config.meaning import Review
    from gatekeeper.deploy.packages._approved import Approved

Content = str | bytes | Path
"""A path is copied; of the rest these are the bytes."""
Files = Mapping[str, Content]
"""By name, with slashes, below the folder of a part."""

DIGEST = re.compile(r"^[a-z0-9][a-z0-9._:/-]*@sha256:[0-9a-f]{64}$")
"""An image that cannot become another: its name and its digest."""
PORT = 8000
EVIDENCE = "evidence"
"""The folder of a package with what says that it may ship."""
USER = 65532
"""Nobody in particular, by number: Kubernetes cannot tell whether a name is root."""
DRAIN_S = 30
"""Longest time for what was accepted before the server was told to stop."""


@dataclass(frozen=True)
class Part:
    """One folder of a package. `framework` and `quantization` say of which variant it is made; empty: of the selected one."""

    kind: str
    name: str
    options: Any
    path: tuple[str, ...]
    framework: str = ""
    quantization: str = ""

    @property
    def folder(self) -> str:
        """How the part is called on disk."""
        return self.name or self.kind

    @property
    def key(self) -> str:
        """Where the pipeline file speaks of it."""
        return ".".join(("packaging", *self.path))


@dataclass(frozen=True)
class Asked:
    """What the command line says beside the pipeline file. Images are named with their digests."""

    base: str = ""
    image: str = ""
    name: str = ""


class Kind(Protocol):
    """The shape of a kind of package."""

    DESCRIPTION: str
    KEY: str
    SECTION: type[Section]
    ASKED: bool

    @staticmethod
    def parts(section: Any) -> list[Part]: ...

    @staticmethod
    def files(part: Part, approved: Approved, asked: Asked) -> Files: ...


def kind(name: str) -> Kind:
    """The kind of that name; an unknown one is a `UsageError` that lists what exists."""
    return cast(Kind, PACKAGES.get(name))


def pinned(image: str, what: str, option: str, key: str) -> str:
    """An image with its digest; a `UsageError` where there is none, or where it is one that somebody made up."""
    remedy = f"Give it with {option} or in {key} as name@sha256:<64 hexadecimal digits>; a tag can become another image."
    if not image:
        raise UsageError(f"{what} is not known. {remedy}")
    if not DIGEST.match(image):
        raise UsageError(f"{what}: {image!r:.200} is not named by its digest. {remedy}")
    if len(set(image.rpartition(":")[2])) < 4:
        raise UsageError(f"{what}: {image!r:.200} has a digest that is only a placeholder. {remedy}")
    return image


def check_images(review: Review, *paths: tuple[str, ...]) -> None:
    """Images that the file names otherwise than by their digests, at these paths below `packaging`."""
    for path in paths:
        place = ("packaging", *path)
        if image := review.loaded.stated(*place):
            try:
                pinned(image, path[-1], f"--{path[-1]}", ".".join(place))
            except UsageError as error:
                review.add(place, str(error))


def label(text: str) -> str:
    """A name that Kubernetes, Compose and URLs take: lower case letters, digits and hyphens, at most 40."""
    found = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    return found if found[:1].isalpha() else f"model-{found}".strip("-")
