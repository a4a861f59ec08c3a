"""`optimization.techniques`: for each framework the names of techniques, bare or with options of the technique's own type."""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from dataclasses import dataclass
from types import GenericAlias, ModuleType
from typing import Annotated, Any

from msgspec import Meta

from gatekeeper.config.section import Section, known_frameworks, make_section
from gatekeeper.errors import UsageError
from gatekeeper.frameworks._base import REGISTRY as FRAMEWORKS
from gatekeeper.frameworks._base import framework, variant_name
from gatekeeper.frameworks._options import Options, label, options_of


@dataclass(frozen=True)
class Asked:
    """One entry: a technique, or the name of a framework's own configuration file, and its options where it has any."""

    technique: str
    options: Options | None = None

    def called(self, framework_name: str) -> str:
        """What its variant is called."""
        return label(variant_name(framework_name, self.technique), self.options)

    def same(self, other: Asked) -> bool:
        """Whether both mean the same, whatever they are called."""
        return self.technique == other.technique and self._meaning() == other._meaning()

    def _meaning(self) -> dict[str, Any]:
        from gatekeeper.frameworks._options import unusual

        return unusual(self.options) if self.options else {}


class _Entries(Section, frozen=True, kw_only=True, omit_defaults=True):
    """Base of an entry with options: a field for each technique."""

    def asked(self) -> list[Asked]:
        """What it names: one technique, unless the file is wrong."""
        found = {field: getattr(self, field) for field in self.__struct_fields__}
        return [Asked(name, options) for name, options in found.items() if options is not None]


def _module(name: str) -> ModuleType | None:
    """A framework's module; None of one that is known by name only, or whose package is broken: using it says so."""
    if name not in FRAMEWORKS.names:
        return None
    try:
        return FRAMEWORKS.get(name)
    except UsageError:
        return None


def _entry(name: str, module: ModuleType) -> Any:
    """The type of an entry of a framework: a name, or a technique with its options."""
    fields: list[tuple[str, Any, Any]] = []
    for technique, meaning in module.TECHNIQUES.items():
        if technique.isidentifier() and not keyword.iskeyword(technique):
            kind = options_of(module, technique)
            fields.append((technique, Annotated[kind | None, Meta(description=f"{meaning[:1].upper()}{meaning[1:]}.")], None))
    described = f"A technique of {name} with its options; one of these keys."
    made = make_section(f"{_camel(name)}Technique", described, fields, _Entries)
    return str | made


def _fields() -> list[tuple[str, Any, Any]]:
    fields: list[tuple[str, Any, Any]] = []
    for name in known_frameworks():
        module = _module(name)
        entries: Any = GenericAlias(list, (_entry(name, module) if module else str,))
        said = "Names, each bare or with options, `{technique: {option: value}}`: docs/frameworks.md has them."
        if suffix := getattr(module, "CONFIGS", ""):
            said += f" Also the name of a configuration file of its own ({suffix}), relative to this file."
        fields.append((name, Annotated[Annotated[entries, Meta(min_length=1)] | None, Meta(description=said)], None))
    return fields


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


class _Techniques(Section, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the section: a field for each framework."""

    def by_framework(self) -> dict[str, Sequence[Any]]:
        """What the file lists, of the frameworks that it speaks of."""
        found = {field: getattr(self, field) for field in self.__struct_fields__}
        return {name: listed for name, listed in found.items() if listed is not None}


Techniques = make_section("Techniques", "Techniques per framework.", _fields(), _Techniques)


def entries(said: Any) -> list[Asked]:
    """What one entry of a list names: one technique, unless the file is wrong."""
    return [Asked(said)] if isinstance(said, str) else list(said.asked())


def asked_of(section: Any, name: str) -> list[Asked]:
    """The techniques that `optimization` lists for a framework; empty where it leaves them to gatekeeper."""
    return [each for said in section.techniques.by_framework().get(name, ()) for each in entries(said)]


def made_by(loaded_section: Any, name: str) -> list[str]:
    """What the variants are called that a framework makes; where the file lists none, all that it might."""
    listed = asked_of(loaded_section, name)
    return [each.called(name) for each in listed] or list(framework(name).TECHNIQUES)
