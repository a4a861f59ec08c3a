"""Makes artifacts, each once per content: model bytes, technique, options and package versions."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gatekeeper.errors import NotMeasured
from gatekeeper.frameworks._base import ORIGINAL, REGISTRY, converts, framework, needs
from gatekeeper.frameworks._options import SESSION, filled, options_of
from gatekeeper.frameworks._session import write_session
from gatekeeper.hardware.machine import installed, this_machine
from gatekeeper.making.cache import Entry
from gatekeeper.making.content import compare
from gatekeeper.making.job import Optimize
from gatekeeper.making.workspace import Workspace
from gatekeeper.models.files import digest, digest_files
from gatekeeper.models.fit import Fit
from gatekeeper.models.hashed import digest_once
from gatekeeper.process.messages import Done
from gatekeeper.version import install_hint, required, version

AS_IT_IS = Fit()
NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Made:
    """An artifact on disk: the folder in the cache, its files, its identity and its size.

    `file` is what is opened where that is not the folder, `fit` how one that others have made is asked.
    """

    folder: Path
    files: tuple[Path, ...]
    sha256: str
    bytes: int
    cached: bool
    file: Path | None = None
    fit: Fit = AS_IT_IS

    @property
    def opened(self) -> Path:
        """What a session is opened on."""
        return self.file or self.folder


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


def package_versions(name: str, model_format: str) -> dict[str, str]:
    """Versions that decide what a framework makes and answers."""
    return {package: installed(package) or "" for package in needs(name, model_format).packages}


@dataclass(frozen=True)
class ModelSource:
    """The user's model as one leg optimizes it. `original` is the model in the framework's own form, if it needs one."""

    space: Workspace
    framework: str
    device: str
    model: Path
    model_format: str
    sha256: str
    original: Made | None = None

    def baseline(self) -> tuple[Path, str]:
        """What variants are held against, and its identity."""
        return (self.original.folder, self.original.sha256) if self.original else (self.model.resolve(), self.sha256)


def source_of(space: Workspace, name: str, device: str, model: Path, model_format: str, sha256: str) -> ModelSource:
    """The model for a framework, converted once where it cannot be opened as it is."""
    source = ModelSource(space, name, device, model, model_format, sha256)
    return replace(source, original=make_variant(source, ORIGINAL)) if converts(name, model_format) else source


def make_variant(
    source: ModelSource,
    technique: str,
    calibration: Path | None = None,
    config: Path | None = None,
    trusted: bool = False,
    options: Mapping[str, Any] = NO_OPTIONS,
) -> Made:
    """The artifact of one technique, from the cache or made in a worker; `options` as `filled` has them.

    One that differs from another only in how it is opened is a copy of that other, with the session's settings beside it.
    """
    made = _make(source, technique, calibration, config, trusted, {key: v for key, v in options.items() if key != SESSION})
    settings = options.get(SESSION)
    usual = filled(options_of(framework(source.framework), technique)()).get(SESSION)
    return made if settings in (None, usual) else _opened_as(source, made, dict(settings))


def _opened_as(source: ModelSource, made: Made, settings: dict[str, Any]) -> Made:
    """An artifact with how it is opened written beside it."""

    def make(folder: Path) -> dict[str, object]:
        for file in made.files:
            shutil.copyfile(file, folder / file.name)
        write_session(folder, settings)
        return {}

    key = {"opened": made.sha256, "framework": source.framework, "session": settings}
    return _kept(*source.space.cache.get_or_make("opened", key, make))


def _kept(folder: Path, entry: Entry, cached: bool) -> Made:
    files = tuple(folder / file for file in entry.files)
    return Made(folder, files, digest_files(list(files), digest_once), sum(f.stat().st_size for f in files), cached)


def _make(
    source: ModelSource,
    technique: str,
    calibration: Path | None,
    config: Path | None,
    trusted: bool,
    options: dict[str, Any],
) -> Made:
    space, name, vnni = source.space, source.framework, this_machine().vnni
    key = {
        "model": source.sha256,
        "framework": name,
        "technique": technique,
        "options": options,
        "device": source.device,
        "vnni": vnni,
        "calibration": digest(calibration / "contents.json") if calibration else None,
        "calibration_data": [digest(f) for f in sorted(calibration.glob("*.npy"))] if calibration else None,
        # What a trusted file's scripts say is not known, so what they make is not taken from an earlier run.
        "config": [digest(config), time.time_ns() if trusted else 0] if config else None,
        "packages": package_versions(name, source.model_format),
        "gatekeeper": version(),
        "code": digest_files(_code(name)),
        "compared": digest_files(sorted(Path(compare.__file__).parent.glob("*.py"))),
    }

    def make(folder: Path) -> dict[str, object]:
        request = Optimize(
            framework=name,
            technique=technique,
            source=str(source.model.resolve()),
            destination=str(folder),
            device=source.device,
            vnni=vnni,
            calibration=str(calibration) if calibration else None,
            original=str(source.original.folder) if source.original else None,
            config=str(config.resolve()) if config else None,
            trusted=trusted,
            options=options,
        )
        if trusted:
            space.ask_own(request, Done, folder)
        else:
            space.ask(request, Done, folder)
        if not any(folder.iterdir()):
            raise NotMeasured("crash", f"{name} reported success for {technique} and wrote nothing.")
        before = source.baseline()[0]
        if (
            technique != ORIGINAL
            and space.ask_clerk(compare.Compare(before=str(before), after=str(folder)), compare.Compared).same
        ):
            raise _nothing(technique, "operators and weights are the original's")
        return {}

    made = _kept(*space.cache.get_or_make("artifacts", key, make))
    if made.sha256 in (source.sha256, source.original and source.original.sha256):
        raise _nothing(technique, "the artifact is the original, byte for byte")
    return made


def _nothing(technique: str, why: str) -> NotMeasured:
    return NotMeasured("unsupported", f"it changed nothing: {why}. Leave {technique} out for this model.")


def _code(name: str) -> list[Path]:
    """The files that say how a framework's artifacts are made: its own, and for gatekeeper's those they share."""
    own = Path(REGISTRY.get(name).__file__ or "")
    return [own, *sorted(own.parent.glob("_*.py"))] if name in REGISTRY.builtin else [own]
