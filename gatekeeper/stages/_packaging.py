"""The packages that the file asks for, built of what this machine's run has found so far, and tried."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.deploy.packages._approved import Judged
    from gatekeeper.deploy.packages._base import Part
    from gatekeeper.legs.leg import Leg
    from gatekeeper.legs.setup import Known, Setup
    from gatekeeper.records.packaged import Packaged


def asked_for(loaded: Loaded) -> list[Part]:
    """Every part of `packaging`; none where the file has no such section, or nothing in it. `UsageError` where a key is empty."""
    from gatekeeper.config.owners import PACKAGES
    from gatekeeper.deploy.packages._build import asked_parts

    section = loaded.pipeline.packaging
    keys = [PACKAGES.get(name).KEY for name in PACKAGES.names]
    return asked_parts(section, (), ()) if any(getattr(section, key, None) is not None for key in keys) else []


def packages(setup: Setup, known: Known, going: Sequence[tuple[str, Leg]]) -> list[Packaged]:
    """Each part of the file: of the variant that it names, or of each that would be deployed from here."""
    import msgspec

    from gatekeeper.deploy.packages._staged import bench, staged, started

    parts = asked_for(setup.loaded)
    if not parts:
        return []
    setup.progress.step("building and trying its packages")
    report = _judged(setup, known)
    done: list[Packaged] = []
    with bench(setup.space.scratch) as place:
        for part in parts:
            if _elsewhere(setup, part):
                done.append(msgspec.structs.replace(started(part), elsewhere=True))
                continue
            for variant in [None] if part.framework else [name for name, _ in going]:
                done.append(staged(part, variant, report, setup.loaded, place))
                setup.progress.note("; ".join(f"{check.kind} {check.name}: {check.verdict}" for check in done[-1].checks))
    return done


def unlike(loaded: Loaded, packages: Sequence[Packaged]) -> str:
    """How a record's packages are not those of the file, in words; empty where they are."""
    from gatekeeper.deploy.packages._staged import started
    from gatekeeper.errors import UsageError

    try:
        asked = {each.key: each for each in map(started, asked_for(loaded))}
    except UsageError as error:
        return str(error)
    if left := [key for key in asked if key not in {each.key for each in packages}]:
        return f"its record says nothing of {', '.join(left)}, which the file asks for. Run it again."
    for each in packages:
        own = asked.get(each.key)
        if own is None:
            return f"its record has {each.key}, and the file does not ask for it. Run it again."
        for field in ("kind", "framework", "quantization", "pulled"):
            if (found := getattr(each, field)) != (said := getattr(own, field)):
                return f"its record has {each.key} with {field} {found!r}, and the file says {said!r}. Run it again."
    return ""


def _elsewhere(setup: Setup, part: Part) -> bool:
    """Whether another leg than those of this machine makes the variant that a part is made of."""
    if not part.framework:
        return False
    from gatekeeper.gates._packed import made_of

    makes = {leg.id for leg in setup.planned if any(made_of(part.framework, part.quantization, each.id) for each in leg.variants)}
    return bool(makes) and not makes & {leg.id for leg in setup.legs}


def _judged(setup: Setup, known: Known) -> Judged:
    """A report of what is known when the stage begins: what a package has as its evidence. The one that ships is made again of
    the whole report, by `gatekeeper package`.
    """
    from pathlib import Path

    from gatekeeper.deploy.packages._approved import Judged
    from gatekeeper.legs.datasets import Sets, data_of
    from gatekeeper.models.files import digest_files
    from gatekeeper.models.hashed import digest_once
    from gatekeeper.records.base import Verdict
    from gatekeeper.records.report import REPORT_SCHEMA, ModelInfo, Report
    from gatekeeper.reports.json import render
    from gatekeeper.version import version

    about = setup.assessment
    model = setup.loaded.model_path() or Path(about.files[0])
    report = Report(
        schema=REPORT_SCHEMA,
        verdict=Verdict.PASS,
        model=ModelInfo(
            path=model.name,
            sha256=digest_files([Path(file) for file in about.files], digest_once),
            bytes=about.bytes,
            format=about.format,
            architecture=about.architecture,
            parameters=about.parameters,
        ),
        pipeline=setup.pipeline,
        targets=list(known.targets),
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        version=version(),
        data=data_of(setup.loaded, known.get(Sets)),
    )
    data = render(report).encode()
    return Judged(report, data, setup.output)
