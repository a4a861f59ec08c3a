"""The installed version, and the cache key part that says which code made an artifact."""

from importlib import metadata

DISTRIBUTION = "edge-gatekeeper"


def version() -> str:
    """Version of the installed distribution, `0+unknown` when run from a bare source tree."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0+unknown"
