"""Packages that a stage built and tried, judged again from what its report holds of them. Pure.

A digest is believed where two ways lead to it: what was sent is what came back, and what was changed is not what it is called by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from gatekeeper.gates._packed import made_of
from gatekeeper.records.base import Verdict
from gatekeeper.records.packaged import Packaged
from gatekeeper.records.report import StageReport, TargetReport
from gatekeeper.records.tested import Check
from gatekeeper.stats.rehearsal import Said

STAGING = "staging_deployment"
CLUSTER = "kubernetes"
"""The kind of package that is nothing but objects."""
BUILT, OBJECTS, ROUND_TRIP, TAMPERED = "built", "objects", "round_trip", "tampered_copy"
_SHA256, _DIGEST = re.compile(r"[0-9a-f]{64}"), re.compile(r"sha256:[0-9a-f]{64}")
_WORST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)


def checks_of(each: Packaged) -> list[Check]:
    """What was seen of a package, check by check; none where another leg makes it."""
    if each.elsewhere:
        return []
    found = [(BUILT, _built(each))]
    if found[0][1][0] is Verdict.PASS:
        if each.objects or each.unheld or each.kind == CLUSTER:
            found.append((OBJECTS, _objects(each)))
        found += [(ROUND_TRIP, _round_trip(each)), (TAMPERED, _tampered(each))]
    return [Check(kind=each.key, name=name, verdict=verdict, reason=reason) for name, (verdict, reason) in found]


def judge_packages(packages: Sequence[Packaged]) -> Said:
    """PASS where no check of any failed, with what was done and what could not be; nothing to build is no failure."""
    if not packages:
        return Verdict.PASS, "packages: none, since the file has no `packaging`"
    problems = list(_problems(packages))
    for verdict in _WORST:
        if said := [why for each, why in problems if each is verdict]:
            return verdict, "; ".join(said)
    here = [each for each in packages if not each.elsewhere]
    if not here:
        return Verdict.PASS, "packages: all of them are made by other legs"
    return Verdict.PASS, f"packages: {'; '.join(_well(here))}"


def of_packaged(stage: StageReport, targets: Sequence[TargetReport]) -> StageReport:
    """An error in its place where a package that the file asks for is nobody's, or is not made of what passed and is chosen."""
    if stage.stage != STAGING or stage.verdict is not Verdict.PASS:
        return stage
    variants = {each.id: each for target in targets for each in target.variants}
    selected = [target.selected for target in targets if target.selected]
    wrong = ""
    for key in dict.fromkeys(each.key for each in stage.packages):
        own = [each for each in stage.packages if each.key == key and not each.elsewhere]
        if not own:
            wrong = f"{key}: every leg left it to another, and none made it. Run the leg of its framework again."
        elif not own[0].framework and (left := [name for name in selected if name not in {each.variant for each in own}]):
            wrong = f"{key}: {', '.join(left)} would be deployed, and another was packaged. Run its leg again."
        for each in own:
            variant = variants.get(each.variant)
            if variant is None or variant.artifact is None or variant.artifact.sha256 != each.artifact:
                wrong = (
                    f"{key}: the file that was packaged is not the one that was measured as {each.variant}. Run its leg again."
                )
            elif each.framework and variant.verdict is not Verdict.PASS:
                wrong = f"{key}: is made of {each.variant}, which is {variant.verdict}, and only what passed is packaged."
        if wrong:
            return msgspec.structs.replace(stage, verdict=Verdict.ERROR, reason=wrong)
    return stage


def _problems(packages: Sequence[Packaged]) -> Iterator[Said]:
    for each in packages:
        own = checks_of(each)
        if each.checks != own:
            yield Verdict.ERROR, f"{each.key}: its checks are not what its record holds"
        if each.variant and not made_of(each.framework, each.quantization, each.variant):
            yield Verdict.ERROR, f"{each.key}: is made of {each.variant}, which is no {each.framework} as {each.quantization}"
        yield from ((check.verdict, f"{each.key}: {check.name}: {check.reason}") for check in own)


def _well(packages: Sequence[Packaged]) -> Iterator[str]:
    """What is well, and what nobody could try."""
    names = ", ".join(each.key.partition(".")[2] for each in packages)
    yield f"{names} built"
    if valid := [held for each in packages for held in each.objects if held.schema]:
        yield f"{len(valid)} objects are valid for {valid[0].schema}"
    if open_ := sorted({held.kind for each in packages for held in each.objects if not held.schema}):
        yield f"nothing here has a schema of {', '.join(open_)}"
    back = [each for each in packages if each.round_trip]
    if back:
        yield f"{len(back)} came back from a registry as sent, and a changed copy of each was refused"
    if not_run := sorted({each.missing for each in packages if each.missing}):
        yield f"the registry's round trip was not run: {'; '.join(not_run)}"


def _built(each: Packaged) -> Said:
    if each.refused:
        return Verdict.FAIL, each.refused
    if each.error:
        return Verdict.ERROR, each.error
    if not (each.variant and each.files and _SHA256.fullmatch(each.sums) and _SHA256.fullmatch(each.artifact)):
        return Verdict.ERROR, "its record holds no package"
    return Verdict.PASS, f"{each.files} files of {each.variant}"


def _objects(each: Packaged) -> Said:
    if each.unheld:
        return Verdict.ERROR, f"they were held to no schema: {each.unheld}"
    if wrong := [f"{held.file}: {held.problem}" for held in each.objects if held.problem]:
        return Verdict.FAIL, "; ".join(wrong)
    valid = [held for held in each.objects if held.schema]
    if not valid:
        return Verdict.ERROR, "none of its objects was held to a schema"
    return Verdict.PASS, f"{len(valid)} of {len(each.objects)} are valid for {valid[0].schema}"


def _not_tried(each: Packaged) -> Said:
    """Without a registry: what is pulled from one is not shown to arrive, and what is not may ship without."""
    verdict = Verdict.ERROR if each.pulled else Verdict.SKIP
    return verdict, f"not run: {each.missing}" if each.missing else "its record has no round trip"


def _round_trip(each: Packaged) -> Said:
    trip = each.round_trip
    if trip is None:
        return _not_tried(each) if each.missing else (Verdict.ERROR, "its record has no round trip, and not why")
    if trip.problem:
        return Verdict.ERROR, trip.problem
    if not (trip.registry and _DIGEST.fullmatch(trip.digest) and _DIGEST.fullmatch(trip.layer)):
        return Verdict.ERROR, "its record names no digest that it was pushed by"
    if trip.came_back != each.sums:
        return Verdict.FAIL, f"{each.sums[:12]} was sent, and {trip.came_back[:12] or 'nothing'} came back"
    return Verdict.PASS, f"pushed and read back by {trip.digest[:19]}, every file hashed here ({trip.registry})"


def _tampered(each: Packaged) -> Said:
    trip, copy = each.round_trip, each.tampered
    if trip is None:
        return _not_tried(each) if each.missing else (Verdict.ERROR, "its record has no round trip, and not why")
    if copy is None or not _DIGEST.fullmatch(copy.handed_out):
        return Verdict.ERROR, "its record does not say what the registry gave for a changed archive"
    if copy.handed_out == trip.layer:
        return Verdict.ERROR, "the change did not arrive: the registry gave the archive as it was, so that nothing is known"
    if not copy.refused:
        return Verdict.FAIL, f"the registry gave {copy.handed_out[:19]} for {trip.layer[:19]}, and it was accepted"
    return Verdict.PASS, f"the registry gave {copy.handed_out[:19]} for {trip.layer[:19]}, and it was refused"
