"""What became of the packages of `packaging`, before anything of them is shipped."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gatekeeper.records.base import Count, Record
from gatekeeper.records.tested import Check


class Validated(Record, frozen=True, kw_only=True):
    """One object of a package, held to the schema of its kind."""

    file: str
    kind: Annotated[str, Meta(description="As it says itself: Deployment, Service ...")]
    schema: Annotated[str, Meta(description="What it was held to, strictly; empty: nothing here has a schema of it.")] = ""
    problem: Annotated[str, Meta(description="What the schema refuses; empty where it takes it.")] = ""


class RoundTrip(Record, frozen=True, kw_only=True):
    """A package pushed to a registry on loopback by its digest, and read back."""

    registry: Annotated[str, Meta(description="The program and its version, as it says itself.")]
    digest: Annotated[str, Meta(description="Of the manifest that it was pushed and read by.")] = ""
    layer: Annotated[str, Meta(description="Digest of the archive in it.")] = ""
    came_back: Annotated[
        str, Meta(description="SHA-256 of the list of all files that came back, each hashed here; to be that of `sums`.")
    ] = ""
    problem: Annotated[str, Meta(description="Why it did not come to its end; empty where it did.")] = ""


class Tampered(Record, frozen=True, kw_only=True):
    """The same package, with one byte of its archive changed in the registry."""

    handed_out: Annotated[
        str, Meta(description="Digest of what the registry then gave for the archive's digest: another, or nothing was changed.")
    ] = ""
    refused: Annotated[str, Meta(description="With which words it was refused; empty: it was not.")] = ""


class Packaged(Record, frozen=True, kw_only=True):
    """One part of `packaging`, built of one variant and tried."""

    key: Annotated[str, Meta(description="Where the pipeline file speaks of it: packaging.mobile_deployment.android.")]
    kind: Annotated[str, Meta(description="As `gatekeeper package --for` has it.")]
    framework: Annotated[str, Meta(description="Of which variants it is made; empty: of the selected one.")] = ""
    quantization: str = ""
    elsewhere: Annotated[bool, Meta(description="Whether another leg makes it: nothing else is known of it here.")] = False
    variant: str = ""
    artifact: Annotated[str, Meta(description="SHA-256 of the variant's file.")] = ""
    stand_in: Annotated[
        list[str], Meta(description="Images that the file does not name, and a made-up one took the place of: `base`, `image`.")
    ] = []
    not_measured: Annotated[list[str], Meta(description="What it is for and nobody measured.")] = []
    files: Count = 0
    sums: Annotated[str, Meta(description="SHA-256 of its SHA256SUMS; empty: it was not built.")] = ""
    refused: Annotated[str, Meta(description="Why it may not or cannot be packaged; empty where it was.")] = ""
    error: Annotated[str, Meta(description="What nobody said that building it takes; empty where nothing lacks.")] = ""
    objects: list[Validated] = []
    unheld: Annotated[
        str, Meta(description="Why its objects were held to no schema: what to install; empty where they were.")
    ] = ""
    pulled: Annotated[
        bool, Meta(description="Whether what runs it pulls it from a registry, so that it must come back from one.")
    ] = False
    missing: Annotated[str, Meta(description="Why no registry was tried: what to install; empty where one was.")] = ""
    round_trip: RoundTrip | None = None
    tampered: Tampered | None = None
    checks: Annotated[list[Check], Meta(description="What all of that comes to; a merge works it out again.")] = []
