"""SPDX licence expressions: whether there are such licences, and whether a list allows them.

The list of licences is that of `packaging`, which reads the same expressions of Python packages
(https://packaging.python.org/en/latest/specifications/license-expression).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache

from gatekeeper.errors import nearest

LONGEST, DEEPEST = 500, 50
_OPERATORS = ("and", "or", "with")
_OWN = re.compile(r"(?i)licenseref-[a-z0-9.-]+")
_WORDS = re.compile(r"[\s()]+")
_NOISE = re.compile(r"(?i)\b(?:the|version|licen[sc]ed\s+under|licen[sc]e)\b|,|(?<=\s)v(?=\d)")
_LONG = (
    (re.compile(r"(?i)\bgnu lesser general public\b"), "LGPL"),
    (re.compile(r"(?i)\bgnu affero general public\b"), "AGPL"),
    (re.compile(r"(?i)\bgnu general public\b"), "GPL"),
    (re.compile(r"(?i)\bmozilla public\b"), "MPL"),
    (re.compile(r"(?i)\bcreative commons attribution[ -]share ?alike\b"), "CC-BY-SA"),
    (re.compile(r"(?i)\bcreative commons attribution(?= \d)"), "CC-BY"),
    (re.compile(r"(?i)(?<=4\.0)\s+international\b"), ""),
    (re.compile(r"(?i)\bapache software\b"), "Apache"),
)
"""Names that are written out, as SPDX begins them."""
_BRACKET = re.compile(r"(.+?)\s*\(([^()]+)\)\s*")
_TEXTS = re.compile(
    r"https?://(?:www\.)?"
    r"(?:ultralytics\.com/license|(?:spdx|opensource|apache|gnu|creativecommons)\.org/licenses/[\w./-]+)/?"
)
"""Where licences are published: what is only pointed to so takes nothing away from the name before it."""


class UnknownLicense(ValueError):
    """It is no SPDX expression; the message says why, and what may be meant."""


@lru_cache(maxsize=1024)
def spdx(text: str) -> str:
    """The expression as SPDX writes it: `apache-2.0 or mit` is `Apache-2.0 OR MIT`. `UnknownLicense` where it is none."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    if len(text) > LONGEST or text.count("(") > DEEPEST:
        said = f"a licence of more than {LONGEST} characters, or {DEEPEST} brackets, is none"
        raise UnknownLicense(f"{said}. Name it by its SPDX identifier.")
    try:
        return str(canonicalize_license_expression(text))
    except (InvalidLicenseExpression, RecursionError, MemoryError):
        raise UnknownLicense(_why(text)) from None


def allows(allowed: Collection[str], expression: str) -> bool:
    """Whether a list of single licences allows an expression: of `OR` one side, of `AND` both. Nothing that is unknown is.

    An exception (`WITH`) only adds to what one may do, so that the licence without it is enough; so does `+`.
    """
    try:
        tokens = re.findall(r"[()]|[^\s()]+", spdx(expression))
        known = {spdx(each) for each in allowed}
    except UnknownLicense:
        return False
    return _Reading(tokens, known).either()


def single(text: str) -> bool:
    """Whether an expression is one licence, with or without an exception."""
    return not {"AND", "OR"} & set(_WORDS.split(text))


def same(declared: str, said: str, name: str = "") -> bool:
    """Whether what a model's own files say is the licence that is declared.

    They say it in words of their own: `apache-2.0`, `Apache License 2.0`, `AGPL-3.0 License (https://...)`, Hugging Face's
    `llama3.2`, which has no SPDX identifier and is declared as `LicenseRef-llama3.2`, or `other` with a `name`. The whole text
    must be such a spelling: `not MIT`, or `MIT, for research only`, names a licence and is not it.
    """
    own = said if not (said.lower() == "other" and name) else name
    found = _reading(own[: LONGEST + 1])
    alike = found is not None and (found == declared or _older(declared) == found or declared == _older(found))
    return alike or declared.lower() == f"licenseref-{_dashed(own)}"


def _reading(text: str) -> str | None:
    """The licence that a whole text spells, as SPDX writes it; none where a word is left over."""
    short = text
    for long, begins in _LONG:
        short = long.sub(begins, short)
    for form in (text, "-".join(_NOISE.sub(" ", short).split())):
        try:
            return spdx(form)
        except UnknownLicense:
            continue
    if whole := _BRACKET.fullmatch(text):  # `The MIT License (MIT)`, `AGPL-3.0 License (https://...)`
        own = _reading(whole[1])
        if own is not None and (_TEXTS.fullmatch(whole[2].strip()) or _reading(whole[2]) == own):
            return own
    return None


def _older(license: str) -> str:
    """What a licence of GNU was called before SPDX told `only` from `or later`: who says that contradicts neither."""
    return re.sub(r"-(?:only|or-later)\b", "", license)


def _dashed(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")


class _Reading:
    """An expression that is known to be one, read from left to right."""

    def __init__(self, tokens: Sequence[str], allowed: Collection[str]):
        self._tokens, self._allowed = list(tokens), allowed

    def either(self) -> bool:
        found = self._both()
        while self._next("OR"):
            found = self._both() or found
        return found

    def _both(self) -> bool:
        found = self._one()
        while self._next("AND"):
            found = self._one() and found
        return found

    def _one(self) -> bool:
        if self._next("("):
            found = self.either()
            self._next(")")
            return found
        name = self._tokens.pop(0)
        whole = f"{name} WITH {self._tokens.pop(0)}" if self._next("WITH") else name
        return bool({whole, name, name.removesuffix("+")} & set(self._allowed))

    def _next(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False


def _why(text: str) -> str:
    """The first word that is no licence, with the nearest that is one."""
    if not text.strip():
        return "no licence is named. Name it by its SPDX identifier, such as Apache-2.0."
    known = _known()
    for word in filter(None, _WORDS.split(text)):
        low = word.lower().removesuffix("+")
        if low not in known and low not in _OPERATORS and not _OWN.fullmatch(low):
            hint = re.sub(r"'(.+)'", lambda found: f"'{known[found[1]]}'", nearest(low, known))
            own = "One that is not on it is named LicenseRef- and its name, such as LicenseRef-llama3.2."
            return f"'{word[:80]}' is no licence of SPDX's list{hint or '.'} {own}"
    return f"'{text[:80]}' is no SPDX expression. Join licences by AND, OR and WITH, such as `Apache-2.0 OR MIT`."


@lru_cache(maxsize=1)
def _known() -> dict[str, str]:
    """Identifiers of licences and exceptions, small letters to their own; of a `packaging` that hides them none."""
    from packaging import licenses

    lists = (getattr(licenses, name, {}) for name in ("LICENSES", "EXCEPTIONS"))
    return {low: str(each["id"]) for found in lists for low, each in found.items()}
