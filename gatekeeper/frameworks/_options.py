"""Options of techniques: what may be said beside a technique's name, and what a variant that says something is called.

A framework has `OPTIONS`, technique -> an `Options` of its own; a technique that is not there takes no more than a name. From
these types follow the pipeline file's schema, its reference, what is refused, a variant's id, the key of the cache and the plan.

What decides how an artifact is opened, and not how it is made, is a `Session` of the framework's, in the field `session` of its
options: it is written beside the artifact (_session.py), so that it is measured, digested and shipped with it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from gatekeeper.frameworks._base import OptimizeJob
    from gatekeeper.models.info import Assessment

NAMED = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}"
SESSION = "session"
"""The field of options that holds a framework's `Session`."""
LONGEST = 80
"""Characters of a variant's own name, which is part of file names."""
_PLAIN = re.compile(r"[a-z0-9_.]+")

Patterns = tuple[Annotated[str, Meta(min_length=1)], ...]
"""Names, patterns (`*`, `?`) or operator types; in any order they mean the same."""


class Session(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of what decides how an artifact is opened: every field has a default, which is as it is opened without."""


Examples = Annotated[
    Annotated[int, Meta(ge=1)] | None,
    Meta(description="Calibrate on so many examples, drawn evenly from the calibration set; default: all."),
]
ReduceRange = Annotated[
    Literal["auto"] | bool,
    Meta(description="7-bit weights, whose products cannot saturate in 16 bits; `auto`: on CPUs without VNNI."),
]


def reduced(wanted: str | bool, saturate: bool) -> bool:
    """Whether weights take 7 bits only, `saturate` being whether products of 8 bits would here."""
    return saturate if isinstance(wanted, str) else wanted


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What any technique takes: a name."""

    name: Annotated[
        Annotated[str, Meta(pattern=f"^{NAMED}$", examples=["gentle"])] | None,
        Meta(
            description="What it is called in the report, after the technique: `int8_static-NAME`; default: what differs from "
            "the technique as it is."
        ),
    ] = None

    def wrong(self) -> Iterator[tuple[str, str]]:
        """Fields that do not go together, with what is wrong and what to do."""
        return iter(())

    def patterns(self) -> dict[str, Patterns]:
        """Fields that name nodes of the model, where its file already tells whether there are such."""
        exclude: Patterns = getattr(self, "exclude", ())
        return {"exclude": exclude} if exclude else {}

    def calibrates(self) -> str:
        """The field that asks for a calibration set, where a technique does without one; empty where none does."""
        return ""

    def unfit(self, technique: str, model: Assessment) -> str | None:
        """Why a model, or its runtime, cannot take them; None where it can."""
        return None


Opened = TypeVar("Opened", bound=Session)
Given = TypeVar("Given", bound=Options)


def options_of(module: Any, technique: str) -> type[Options]:
    """The type of a technique's options."""
    kinds: dict[str, type[Options]] = getattr(module, "OPTIONS", {})
    return kinds.get(technique, Options)


def given(job: OptimizeJob, kind: type[Given]) -> Given:
    """The options of a job, as it is made without any where it has none."""
    return job.options if isinstance(job.options, kind) else kind()


def filled(options: msgspec.Struct) -> dict[str, Any]:
    """Options whole, defaults included, without the name: what they mean. Lists that mean the same are the same."""
    found: dict[str, Any] = {}
    for field in options.__struct_fields__:
        if field != "name":
            value = getattr(options, field)
            found[field] = filled(value) if isinstance(value, msgspec.Struct) else _builtin(value)
    return found


def unusual(options: msgspec.Struct) -> dict[str, Any]:
    """What of `filled` is not as it is where nobody says anything; of a session its own fields."""
    usual = type(options)()
    found: dict[str, Any] = {}
    for field in options.__struct_fields__:
        value, default = getattr(options, field), getattr(usual, field)
        if field == "name" or _builtin(value) == _builtin(default):
            continue
        found[field] = unusual(value) if isinstance(value, msgspec.Struct) else _builtin(value)
    return found


def label(technique: str, options: Options | None) -> str:
    """What a variant is called: the technique, `technique-name`, or the technique and what differs from its defaults.

    No two meanings share a name: what cannot be said in lower-case letters, digits and _ is told apart by a hash of its own.
    """
    if options is None:
        return technique
    if options.name is not None:
        own = options.name
        return own if own.casefold().startswith(f"{technique}-".casefold()) else f"{technique}-{own}"
    if full := in_full(technique, options):
        return full
    different = unusual(options)
    called = "-".join([technique, *(_tidy(word) for word in _words(different))])
    exact = hashlib.sha256(msgspec.json.encode(different, order="deterministic")).hexdigest()[:8]
    return f"{called[: LONGEST - 9].rstrip('-')}-{exact}"


def in_full(technique: str, options: Options) -> str:
    """A name that says all of what differs; empty where none can that is short and plain enough."""
    words = [*_words(unusual(options))]
    called = "-".join([technique, *words])
    return called if len(called) <= LONGEST and all(_PLAIN.fullmatch(word) and word == _tidy(word) for word in words) else ""


def said(options: dict[str, Any]) -> str:
    """Options in words, as `unusual` or a report has them: `calibration percentile, exclude [conv1]`."""
    parts = []
    for field, value in options.items():
        if isinstance(value, dict):
            pairs = ", ".join(f"{key}: {each}" for key, each in sorted(value.items()))
            parts.append(said(value) if field == SESSION else f"{field} {{{pairs}}}" if pairs else "")
            continue
        shown = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value).lower()
        parts.append(f"{field} {shown}")
    return ", ".join(part for part in parts if part)


def _builtin(value: Any) -> Any:
    plain = msgspec.to_builtins(value)
    return sorted(set(plain)) if isinstance(plain, list | tuple) else plain


def _words(different: dict[str, Any]) -> Iterator[str]:
    """A word for each option that differs."""
    for field, value in different.items():
        if field == SESSION:
            yield from _words(value)
        elif isinstance(value, dict):
            yield f"{field}_{'+'.join(f'{key}_{value[key]}' for key in sorted(value))}"
        elif isinstance(value, bool):
            yield field if value else f"no_{field}"
        elif isinstance(value, list):
            yield f"{field}_{'+'.join(value)}"
        else:
            short = isinstance(value, float) and float(f"{value:g}") == value
            yield f"{field}_{value:g}" if short else f"{field}_{value}"


def _tidy(word: str) -> str:
    return re.sub(r"[^a-z0-9_.]+", "_", word.lower()).strip("_.")[:40]
