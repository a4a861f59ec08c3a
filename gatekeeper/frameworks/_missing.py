"""What a framework lacks on this machine, and how to get it."""

from __future__ import annotations

from gatekeeper.frameworks._base import needs
from gatekeeper.hardware.machine import installed
from gatekeeper.version import install_hint, required


def missing_packages(name: str, model_format: str) -> str | None:
    """What a framework lacks, or has in a version it does not work with, and the command that installs it; else None."""
    wanted = needs(name, model_format)
    versions = {package: installed(package) for package in wanted.packages}
    problems = [f"{package} is not installed" for package, present in versions.items() if present is None]
    allowed = required(wanted.extra)
    for package, present in versions.items():
        if present and package in allowed and not allowed[package].contains(present, prereleases=True):
            problems.append(f"{package} {present} is installed, and {allowed[package]} is needed")
    return f"{', '.join(problems)}. {install_hint(wanted.extra)}" if problems else None
