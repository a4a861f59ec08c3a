"""Makes artifacts, each once per content: model bytes, technique, options and package versions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gatekeeper import protocol
from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import REGISTRY, framework
from gatekeeper.hardware.machine import installed, this_machine
from gatekeeper.models.files import digest, digest_files
from gatekeeper.version import install_hint, version
from gatekeeper.workspace import Workspace


@dataclass(frozen=True)
class Made:
    """An artifact on disk: the folder in the cache, its files, its identity and its size."""

    folder: Path
    files: tuple[Path, ...]
    sha256: str
    bytes: int
    cached: bool


def missing_packages(name: str) -> str | None:
    """The command that installs what a framework lacks; None if nothing does."""
    module = framework(name)
    lacking = [package for package in module.REQUIRES if installed(package) is None]
    if lacking:
        return f"{', '.join(lacking)} not installed. {install_hint(module.EXTRA)}"
    return None


def package_versions(name: str) -> dict[str, str]:
    """Versions that decide what a framework makes and answers."""
    return {package: installed(package) or "" for package in framework(name).REQUIRES}


def make_variant(
    space: Workspace, name: str, technique: str, model: Path, model_sha256: str, device: str, calibration: Path | None
) -> Made:
    """The artifact of one technique, from the cache or made in a worker."""
    vnni = this_machine().vnni
    key = {
        "model": model_sha256,
        "framework": name,
        "technique": technique,
        "device": device,
        "vnni": vnni,
        "calibration": digest(calibration / "contents.json") if calibration else None,
        "calibration_data": [digest(f) for f in sorted(calibration.glob("*.npy"))] if calibration else None,
        "packages": package_versions(name),
        "gatekeeper": version(),
        "code": digest(Path(REGISTRY.get(name).__file__ or "")),
    }

    def make(folder: Path) -> dict[str, object]:
        request = protocol.Optimize(
            framework=name,
            technique=technique,
            source=str(model.resolve()),
            destination=str(folder),
            device=device,
            vnni=vnni,
            calibration=str(calibration) if calibration else None,
        )
        space.ask(request, protocol.Done)
        if not any(folder.iterdir()):
            raise NotMeasured("crash", f"{name} reported success for {technique} and wrote nothing.")
        return {}

    folder, entry, cached = space.cache.get_or_make("artifacts", key, make)
    files = tuple(folder / file for file in entry.files)
    identity = digest_files(list(files))
    if identity == model_sha256:
        raise NotMeasured("unsupported", f"{technique} left the model unchanged, byte for byte: there is nothing to compare.")
    return Made(folder, files, identity, sum(f.stat().st_size for f in files), cached)
