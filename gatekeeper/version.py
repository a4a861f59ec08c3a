"""The installed version, and the cache key part that says which code made an artifact."""

from importlib import metadata

DISTRIBUTION = "edge-gatekeeper"


def install_hint(extra: str) -> str:
    """What to do when a package of an extra is missing."""
    return f'Install the extra `{extra}`: pip install ".[{extra}]" in a checkout of gatekeeper'


def version() -> str:
    """Version of the installed distribution, `0+unknown` when run from a bare source tree."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0+unknown"
