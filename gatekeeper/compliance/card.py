"""A model card as Hugging Face has them: a README.md with YAML front matter and headings.

Format: https://huggingface.co/docs/hub/model-cards, headings: huggingface_hub's template of a model card.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gatekeeper.config.source import Source, parse_source
from gatekeeper.errors import ConfigError, NotMeasured
from gatekeeper.files import open_itself

FILE_NAME = "README.md"
MOST_BYTES = 1 << 20
MOST_SAID = 2000
"""Characters of a field that are kept: a report is no book."""


class Field(NamedTuple):
    """What is read of a card: its meaning, and the headings it may stand under, in small letters."""

    meaning: str
    headings: tuple[str, ...]


FIELDS: Mapping[str, Field] = {
    "provider": Field("Who answers for the model.", ("provider", "developed by", "model card authors", "developers")),
    "version": Field("Version of the model, as its provider counts.", ("version", "model version")),
    "intended_purpose": Field(
        "What the model is for.", ("intended purpose", "intended use", "intended uses", "direct use", "uses")
    ),
    "out_of_scope": Field("What it must not be used for.", ("out-of-scope use", "out of scope use", "out of scope", "misuse")),
    "limitations": Field(
        "What it is known not to do well.", ("limitations", "bias, risks, and limitations", "known limitations")
    ),
    "risks": Field(
        "What may go wrong with it, and for whom.", ("risks", "bias, risks, and limitations", "ethical considerations", "bias")
    ),
    "training_data": Field("What it was trained on.", ("training data", "training dataset")),
    "human_oversight": Field("Who watches over what it answers, and how.", ("human oversight", "oversight")),
}
"""By the key of the front matter, and of the pipeline file."""

_PLACEHOLDER = re.compile(r"(?i)\[?\s*more information needed\s*\]?|<!--.*?(?:-->|\Z)|\{\{.*?\}\}", re.DOTALL)
_MARKER = re.compile(r"(?<![^\W_])(?:(?:TODO|FIXME|TBD|TBA|XXX)(?![^\W_])|(?i:todo|fixme|tbd|tba)\s*:).*")
"""A note to whoever fills it in, and the rest of its line, which says what is to be written."""
_PHRASES = re.compile(
    r"to be (?:added|announced|confirmed|defined|determined|decided|done|filled in|filled|written)|coming soon|fill (?:me )?in"
    r"|not (?:yet )?(?:available|applicable|specified|provided|known|stated|defined|documented)|lorem ipsum.*|n\W?a(?!\w)"
)
_VOID = frozenset({
    "todo", "tbd", "tba", "fixme", "none", "null", "nil", "nan", "unknown", "unspecified", "undefined", "undisclosed",
    "placeholder", "pending", "wip", "yet",
})  # fmt: skip
_WHOLLY = re.compile(r"\[[^\]]*\]|<[^>]*>")
_FILLERS = str.maketrans(dict.fromkeys("\u115f\u1160\u3164\uffa0", " "))
"""Letters that are seen as nothing."""
_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_FENCE = re.compile(r"^\s{0,3}(```|~~~)")
_MARKED = re.compile(r"^[-*\s]*\*\*(.+?):?\*\*:?\s*(.*)$")


@dataclass(frozen=True)
class Card:
    """A card that was read. `source` is its front matter, of which `data` is the content."""

    sha256: str
    data: Mapping[str, Any]
    fields: Mapping[str, str]

    @property
    def license(self) -> str:
        """The licence that it names; of several all of them hold. `other` has a name beside it."""
        stated = self.data.get("license")
        listed = stated if isinstance(stated, list) else [stated]
        return " AND ".join(str(each) for each in listed if isinstance(each, str) and each.strip())

    @property
    def license_name(self) -> str:
        """What a licence without an identifier is called."""
        name = self.data.get("license_name")
        return name if isinstance(name, str) else ""


def read_card(path: Path) -> Card:
    """Read a card; `NotMeasured` (kind data) where there is none, or it cannot be read."""
    try:
        with open_itself(path) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise NotMeasured("data", f"{path}: is no file. Name the model card.")
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        why = "it is a link" if path.is_symlink() else error.strerror
        raise NotMeasured("data", f"{path}: cannot be read: {why}. Name the model card itself.") from None
    if len(content) > MOST_BYTES:
        raise NotMeasured("data", f"{path}: more than {MOST_BYTES >> 20} MB are no model card. Shorten it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotMeasured("data", f"{path}: not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    front, body = _parts(text)
    data = _front_matter(front, path)
    from hashlib import sha256  # needed only where there is a card

    return Card(sha256(content).hexdigest(), data, dict(_fields(data, body)))


def stated(text: str) -> str:
    """What somebody says, on one line and without what a template leaves for them to fill; empty where nothing is left."""
    left = " ".join(_MARKER.sub(" ", _PLACEHOLDER.sub(" ", text)).split())[:MOST_SAID]
    return "" if _is_void(left) else left


def _is_void(text: str) -> bool:
    """Whether all of a text stands for one that is not there: `-`, `?`, `Unknown`, `[your name]`, letters that nobody sees."""
    if _WHOLLY.fullmatch(text):
        return True
    seen = unicodedata.normalize("NFKC", text.translate(_FILLERS)).lower()
    words = re.findall(r"[^\W_]+", _PHRASES.sub(" ", seen))
    return all(word in _VOID or (len(word) > 1 and set(word) == {"x"}) for word in words)


def _parts(text: str) -> tuple[str, str]:
    """The front matter, at its line, and what follows it."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        return "", text
    end = next((index for index, line in enumerate(lines[1:], 1) if line.strip() in ("---", "...")), 0)
    return ("\n".join(["", *lines[1:end]]), "\n".join(lines[end + 1 :])) if end else ("", text)


def _front_matter(front: str, path: Path) -> Mapping[str, Any]:
    if not front.strip():
        return {}
    try:
        source: Source = parse_source(front, str(path))
    except ConfigError as error:
        first = str(error).splitlines()[0]
        raise NotMeasured("data", f"{first} Correct the card's front matter.") from None
    return source.data if isinstance(source.data, dict) else {}


def _fields(data: Mapping[str, Any], body: str) -> Iterator[tuple[str, str]]:
    parts = dict(_headings(body))
    for name, field in FIELDS.items():
        own = data.get(name)
        said = own if isinstance(own, str) else next((parts[each] for each in field.headings if parts.get(each)), "")
        if said := stated(said):
            yield name, said


def _headings(body: str) -> Iterator[tuple[str, str]]:
    """What stands under each heading and those below it, and beside each **word:** in bold; the first of a name counts."""
    found: dict[str, list[str]] = {}
    within: list[tuple[int, str]] = []
    fenced = ""
    for line in body.splitlines():
        if fence := _FENCE.match(line):
            fenced = "" if fenced == fence[1] else fenced or fence[1]
        heading = None if fenced else _HEADING.match(line)
        if heading:
            level, name = len(heading[1]), heading[2].lower()
            within = [each for each in within if each[0] < level]
            if name not in found:
                found[name] = []
                within.append((level, name))
            continue
        for _, name in within:
            found[name].append(line)
        if not fenced and (marked := _MARKED.match(line)):
            found.setdefault(marked[1].lower(), [marked[2]])
    for name, lines in found.items():
        yield name, stated("\n".join(lines))
