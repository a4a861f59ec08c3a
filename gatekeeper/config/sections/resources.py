"""What a server in a package may take."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gatekeeper.config.section import Count, Section, Size


class Resources(Section, frozen=True, kw_only=True):
    """What a server may take."""

    server_memory: Annotated[
        Size, Meta(description="Memory of server and runtime without a model, which comes on top of the model's measured peak.")
    ] = "256MiB"
    memory: Annotated[
        Size | None,
        Meta(description="Memory of a server, whatever was measured. Default: the measured peak and a quarter."),
    ] = None
    cpus: Annotated[Count | None, Meta(description="Cores of a server; default: the threads that it was measured with.")] = None


class Replicas(Resources, frozen=True, kw_only=True):
    """Several such servers."""

    image: Annotated[str, Meta(description="The image that was built and pushed, by its digest; also `--image`.")] = ""
    replicas: Annotated[Count, Meta(description="Servers at least; two, so that one may go.")] = 2
    max_replicas: Annotated[Count, Meta(description="Servers at most, where their number follows the load.")] = 8
