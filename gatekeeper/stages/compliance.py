"""Evidence on licences and the model card: what the file declares of the model and its data, held against what the files say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from gatekeeper.compliance.card import FIELDS
from gatekeeper.config.section import NonEmpty, Section, make_section, one_of
from gatekeeper.records.base import Verdict
from gatekeeper.stages._base import report

if TYPE_CHECKING:
    from gatekeeper.config.limits import Loosened
    from gatekeeper.config.loaded import Loaded
    from gatekeeper.config.meaning import Review
    from gatekeeper.config.source import Path_
    from gatekeeper.legs.setup import Added, Known, Setup
    from gatekeeper.records.compliance import Compliance, OwnLicense, SetLicense
    from gatekeeper.records.report import Report, StageReport

NAME = "compliance"
DESCRIPTION = "Licences of the model and its data, and its model card: evidence (docs/compliance.md)."
ORDER = 15
REQUIRED = ("intended_purpose", "limitations")
NOTHING = "LicenseRef-nothing"
"""The list of a file and a policy that allow nothing in common."""
AGAIN = "Run it again with this version."


class Declared(Section, frozen=True, kw_only=True):
    """One set of data."""

    license: Annotated[NonEmpty, Meta(description="SPDX expression.", examples=["CC-BY-4.0"])]
    source: Annotated[str, Meta(description="Where the data is from.")] = ""


def _words(name: str) -> Any:
    return Annotated[NonEmpty | None, Meta(description=f"{FIELDS[name].meaning} Default: what the card says.")]


_NAMES: Any = GenericAlias(tuple, (one_of(tuple(FIELDS)), ...))
_WORDS = [(name, _words(name), None) for name in FIELDS]

SECTION = make_section(
    "Compliance",
    "Licences and model card. The stage `compliance` judges them.",
    [
        (
            "license",
            Annotated[
                NonEmpty | None,
                Meta(
                    description="The model's, as an SPDX expression; what has no identifier is `LicenseRef-` and its name. What "
                    "the model's own files say must be the same.",
                    examples=["Apache-2.0"],
                ),
            ],
            None,
        ),
        (
            "allowed_licenses",
            Annotated[
                tuple[NonEmpty, ...],
                Meta(
                    description="Licences that the model and all its data may have; default: any. Of `A OR B` one must be among "
                    "them, of `A AND B` both.",
                    examples=[["Apache-2.0", "MIT", "CC-BY-4.0"]],
                ),
            ],
            (),
        ),
        (
            "datasets",
            Annotated[
                dict[str, Declared | NonEmpty],
                Meta(
                    description="Licence of each set: `evaluation`, `calibration`, further sets by name, and others, such as "
                    "`training`; as text, or as `{license, source}`. Each set that the file reads must be there.",
                    examples=[{"evaluation": "CC-BY-4.0", "training": {"license": "MIT", "source": "https://example.org"}}],
                ),
            ],
            {},
        ),
        (
            "card",
            Annotated[
                NonEmpty | None,
                Meta(
                    description="Model card in Markdown, as Hugging Face has it, from this file's folder.", examples=["README.md"]
                ),
            ],
            None,
        ),
        (
            "require",
            Annotated[_NAMES, Meta(description="Fields that must be given, here or in the card.")],
            REQUIRED,
        ),
        *_WORDS,
    ],
)


def run(setup: Setup, known: Known) -> Added:
    """Read what is declared and what the files say, and judge it. What does not hold blocks, and the next stages still run."""
    import msgspec

    from gatekeeper.compliance.judge import problems as judged
    from gatekeeper.compliance.judge import sets_of, summary
    from gatekeeper.errors import NotMeasured
    from gatekeeper.legs.datasets import Sets, data_of
    from gatekeeper.legs.setup import Added

    loaded = setup.loaded
    setup.progress.step("Reading licences and the model card")
    try:
        found = _found(setup, sets_of(data_of(loaded, known.get(Sets))))
    except NotMeasured as error:
        return Added(msgspec.structs.replace(report(loaded, NAME, Verdict.ERROR, str(error), NAME), blocks=False))
    said = judged(found)
    verdict = Verdict.FAIL if said else Verdict.PASS
    line = report(loaded, NAME, verdict, f"{'; '.join(said)}." if said else summary(found), NAME)
    return Added(msgspec.structs.replace(line, blocks=False, compliance=found))


def problems(review: Review) -> None:
    """Licences that are none, a card that is not there, and a section that nobody judges."""
    loaded = review.loaded
    section, listed = loaded.section(NAME), NAME in loaded.pipeline.stages
    if loaded.stated(NAME) is not None and not listed:
        review.add((NAME,), "the stage 'compliance' is not among `stages`, so nothing of this is judged. Add it there.", key=True)
    if listed and section.license is None:
        at = ("stages", loaded.pipeline.stages.index(NAME))
        review.add(at, "the stage 'compliance' needs the model's licence. Give it as `compliance: {license: Apache-2.0}`.")
    if loaded.stated(NAME) is None:
        return
    for path, text in _stated(loaded):
        _check(review, path, text)
    if section.card is not None and not (loaded.folder / section.card).is_file():
        review.add((NAME, "card"), f"there is no file {section.card}. Correct the path, or give the fields here.")


def loosened(loaded: Loaded) -> list[Loosened]:
    """Licences that the policy does not allow, and fields that it requires."""
    from gatekeeper.config.limits import Loosened

    found = []
    for policy in loaded.stated_in_both()[1:]:
        for key, own in (("allowed_licenses", _allowed(loaded)), ("require", _required(loaded))):
            before, here = getattr(policy.section(NAME), key), getattr(loaded.section(NAME), key)
            if policy.stated(NAME) is not None and set(_written(key, here)) != set(own):
                there, shown = (", ".join(each) or None for each in (before, here))
                found.append(Loosened(f"{NAME}.{key}", there, shown, loaded.where(NAME, key)))
    return found


def lacks(loaded: Loaded, line: StageReport) -> str:
    """What the file declares otherwise than the stage's line in a report."""
    from gatekeeper.compliance.card import read_card
    from gatekeeper.errors import NotMeasured

    found, section = line.compliance, loaded.section(NAME)
    if found is None or section.license is None:
        return f"{NAME} is asked for, and the report has none. {AGAIN}"
    own = {
        "license": (found.license, _spdx(section.license)),
        "allowed": (sorted(found.allowed), sorted(_allowed(loaded))),
        "datasets": (found.datasets, _datasets(loaded)),
        "required": (sorted(found.required), sorted(_required(loaded))),
        "card": (found.card, section.card or ""),
    }
    if other := [name for name, (here, there) in own.items() if here != there]:
        return f"the report's {', '.join(other)} is not what {loaded.path.as_posix()} declares. {AGAIN}"
    fields = {name: said for name in FIELDS if (said := getattr(section, name))}
    if section.card is not None and (loaded.folder / section.card).exists():
        try:
            card = read_card(loaded.folder / section.card)
        except NotMeasured as error:
            return str(error)
        if card.sha256 != found.card_sha256:
            return f"{section.card} is not the card that was read: its SHA-256 is {card.sha256[:12]}. {AGAIN}"
        fields = {**card.fields, **fields}
    elif section.card is not None:
        fields = {**found.fields, **fields}
    return "" if fields == found.fields else f"the report's model card is not what {loaded.path.as_posix()} declares. {AGAIN}"


def again(line: StageReport, whole: Report) -> tuple[Verdict, str]:
    """What the report's own record allows: it is judged as in a run, by the sets that the report rests on."""
    from gatekeeper.compliance.judge import problems as judged
    from gatekeeper.compliance.judge import sets_of

    found = line.compliance
    if found is None or not found.models:
        return Verdict.ERROR, f"its report holds nothing of what it judged. {AGAIN}"
    said = judged(found, sets_of(whole.data))
    return (Verdict.FAIL, f"{'; '.join(said)}.") if said else (Verdict.PASS, "")


def foreseen(loaded: Loaded) -> list[str]:
    """What fails whatever is measured, told by the file and its card alone; what the model's own files say only a run reads."""
    if NAME not in loaded.pipeline.stages or loaded.section(NAME).license is None:
        return []
    from gatekeeper.compliance.judge import problems as judged
    from gatekeeper.errors import NotMeasured

    dataset = loaded.pipeline.dataset
    named = {"evaluation": dataset and dataset.path, "calibration": dataset and dataset.calibration}
    read = [*(name for name, path in named.items() if path), *(each.name for each in (dataset.also if dataset else ()))]
    try:
        return judged(_declared(loaded, read, []))
    except NotMeasured as error:
        return [str(error)]


def _found(setup: Setup, read: list[str]) -> Compliance:
    from gatekeeper.compliance.declared import declared
    from gatekeeper.records.compliance import OwnLicense

    loaded = setup.loaded
    paths = {Path(setup.assessment.path): setup.assessment.path}
    for leg in setup.legs:
        for variant in leg.planned.variants:
            if variant.path is not None and not (variant.skip or variant.error):
                paths.setdefault(loaded.folder / variant.path, variant.path)
    return _declared(loaded, read, [OwnLicense(model=shown, says=declared(path)) for path, shown in paths.items()])


def _declared(loaded: Loaded, read: list[str], models: list[OwnLicense]) -> Compliance:
    """What the file and its card declare, of the sets that are read, beside what the models' own files say."""
    from gatekeeper.compliance.card import read_card
    from gatekeeper.records.compliance import Compliance, OwnLicense

    section = loaded.section(NAME)
    given = {name: said for name in FIELDS if (said := getattr(section, name))}
    card = read_card(loaded.folder / section.card) if section.card is not None else None
    if card is not None and card.license:
        said = {f"{section.card} license": card.license} | ({"license_name": card.license_name} if card.license_name else {})
        models = [*models, OwnLicense(model=section.card, says=said)]
    return Compliance(
        license=_spdx(section.license or ""),
        allowed=_allowed(loaded),
        datasets=_datasets(loaded),
        read=read,
        models=models,
        card=section.card or "",
        card_sha256=card.sha256 if card else "",
        fields={**(card.fields if card else {}), **given},
        required=_required(loaded),
    )


def _allowed(loaded: Loaded) -> list[str]:
    """Licences that this file and its policy allow; empty: any."""
    stated = [set(_written("allowed_licenses", each.section(NAME).allowed_licenses)) for each in loaded.stated_in_both()]
    lists = [each for each in stated if each]
    both = sorted(set.intersection(*lists)) if lists else []
    return both if both or not lists else [NOTHING]


def _required(loaded: Loaded) -> list[str]:
    """Fields that this file or its policy requires."""
    stated = [each.section(NAME).require for each in loaded.stated_in_both() if each is loaded or each.stated(NAME) is not None]
    return sorted({name for each in stated for name in each})


def _written(key: str, values: tuple[str, ...]) -> list[str]:
    return [_spdx(each) for each in values] if key == "allowed_licenses" else list(values)


def _datasets(loaded: Loaded) -> dict[str, SetLicense]:
    from gatekeeper.records.compliance import SetLicense

    found = {}
    for name, each in loaded.section(NAME).datasets.items():
        license, source = (each, "") if isinstance(each, str) else (each.license, each.source)
        found[name] = SetLicense(license=_spdx(license), source=source)
    return found


def _spdx(text: str) -> str:
    """As SPDX writes it; what is none stays as it is, and is a problem elsewhere."""
    from gatekeeper.compliance.licenses import UnknownLicense, spdx

    try:
        return spdx(text)
    except UnknownLicense:
        return text


def _stated(loaded: Loaded) -> Iterator[tuple[Path_, str]]:
    """Every licence that the file names, and where."""
    section = loaded.section(NAME)
    if section.license is not None:
        yield (NAME, "license"), section.license
    for index, each in enumerate(section.allowed_licenses):
        yield (NAME, "allowed_licenses", index), each
    for name, each in section.datasets.items():
        yield ((NAME, "datasets", name), each) if isinstance(each, str) else ((NAME, "datasets", name, "license"), each.license)


def _check(review: Review, path: Path_, text: str) -> None:
    from gatekeeper.compliance.licenses import UnknownLicense, single, spdx

    try:
        expression = spdx(text)
    except UnknownLicense as error:
        review.add(path, str(error))
        return
    if path[1] == "allowed_licenses" and not single(expression):
        review.add(path, f"'{text}' joins several licences. List each by itself: of `A OR B` one that is allowed is enough.")
