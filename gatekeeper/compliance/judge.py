"""Whether what a pipeline file declares of licences and of its model holds. Pure: whoever has the record comes to the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gatekeeper.compliance.card import FIELDS, stated
from gatekeeper.compliance.declared import NAME
from gatekeeper.compliance.licenses import UnknownLicense, allows, same, spdx
from gatekeeper.records.compliance import Compliance, OwnLicense
from gatekeeper.records.data import CALIBRATION, EVALUATION, Data, further

SET_NAMES = {"evaluation": EVALUATION, "calibration": CALIBRATION}
"""What `compliance.datasets` calls the sets of a run."""


def called(name: str) -> str:
    """What a set is called in sentences, by its key of `compliance.datasets`."""
    return SET_NAMES.get(name) or further(name)


def sets_of(data: Data | None) -> list[str]:
    """The keys of the sets that a report rests on."""
    if data is None:
        return []
    main = [name for name, what in SET_NAMES.items() if what in data.sets]
    return [*main, *data.also]


def problems(found: Compliance, read: Sequence[str] = ()) -> list[str]:
    """What does not hold, in words; `read` are sets that were read, whatever the record says of that."""
    return [*_of_licenses(found, [*found.read, *read]), *_of_card(found)]


def summary(found: Compliance) -> str:
    """What does hold, in few words."""
    sets = ", ".join(f"{name} {each.license}" for name, each in found.datasets.items())
    spoken = [each for each in found.models if each.says]
    own = "the model's own files say the same" if spoken else "the model's own files say nothing of it"
    card = f"; the model card has {', '.join(found.fields)}" if found.fields else ""
    return f"model {found.license} ({own}){f'; data: {sets}' if sets else ''}{card}"


def contradictions(own: OwnLicense, declared: str) -> Iterator[str]:
    """Where a model's own files name another licence than is declared."""
    name = own.says.get(NAME, "")
    # A name belongs to `other`: beside any other licence, or alone, it is one more thing that is said.
    belongs = any(said.lower() == "other" for where, said in own.says.items() if where != NAME)
    for where, said in own.says.items():
        if not (where == NAME and belongs) and not same(declared, said, name):
            more = f" ({name})" if name and where != NAME else ""
            yield f"{own.model} says that its licence is {said!r:.200}{more} ({where}), and {declared} is declared"


def _of_licenses(found: Compliance, read: Sequence[str]) -> Iterator[str]:
    yield from _one("the model", found.license, found.allowed)
    for own in found.models:
        yield from contradictions(own, found.license)
    for name in dict.fromkeys([*read, *found.datasets]):
        own_license = found.datasets[name].license if name in found.datasets else ""
        if not own_license:
            yield f"{called(name)} has no licence: say it under `compliance.datasets.{name}.license`"
        else:
            yield from _one(called(name), own_license, found.allowed)


def _one(what: str, license: str, allowed: Sequence[str]) -> Iterator[str]:
    try:
        spdx(license)
    except UnknownLicense as error:
        yield f"of {what}: {error}".rstrip(".")
        return
    if allowed and not allows(allowed, license):
        yield f"{what} has the licence {license}, and allowed are {', '.join(allowed)}"


def _of_card(found: Compliance) -> Iterator[str]:
    missing = [name for name in found.required if not stated(found.fields.get(name, ""))]
    if missing:
        place = found.card or "the pipeline file"
        heads = "; ".join(f"{name} (or under '{FIELDS[name].headings[0].capitalize()}')" for name in missing if name in FIELDS)
        yield f"{place} does not say {heads or ', '.join(missing)}"
