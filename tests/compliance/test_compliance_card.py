"""Model cards as people have them: what is read, and what a template leaves open is not."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from gatekeeper.compliance.card import FIELDS, MOST_SAID, read_card, stated
from gatekeeper.compliance.judge import problems
from gatekeeper.errors import NotMeasured
from gatekeeper.records.compliance import Compliance

CARD = """\
---
license: apache-2.0
datasets: [digits]
version: "3.1"
---
# Digits

## Model Details

- **Developed by:** The lab
- **License:** apache-2.0

## Uses

### Direct Use

Reading digits that
are written by hand.

### Out-of-Scope Use

[More Information Needed]

## Bias, Risks, and Limitations

It has seen no colour.

```
# Training Data
not a heading
```

### Recommendations

Ask somebody.

## Training Data

<!-- say it here -->
"""


def read(folder: Path, text: str | bytes) -> dict[str, str]:
    path = folder / "README.md"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return dict(read_card(path).fields)


def test_fields_are_read_from_front_matter_and_headings(tmp_path: Path) -> None:
    fields = read(tmp_path, CARD)
    assert fields["provider"] == "The lab"
    assert fields["version"] == "3.1"
    assert fields["intended_purpose"] == "Reading digits that are written by hand."
    assert fields["limitations"].startswith("It has seen no colour.")
    assert fields["limitations"].endswith("Ask somebody.")
    assert fields["risks"] == fields["limitations"]
    assert not {"out_of_scope", "training_data", "human_oversight"} & fields.keys()  # left open, or not there
    assert fields.keys() <= FIELDS.keys()
    card = read_card(tmp_path / "README.md")
    assert (card.license, card.sha256) == ("apache-2.0", sha256(CARD.encode()).hexdigest())


def test_the_front_matter_comes_before_the_headings(tmp_path: Path) -> None:
    assert read(tmp_path, "---\nlimitations: Few.\n---\n## Limitations\nMany.\n")["limitations"] == "Few."


@pytest.mark.parametrize(
    "text", ["", "# A", "---\n", "---\nlicense: mit\n", "---\n---\n", "---\n- 1\n---\n", "## Limitations\n\n## Uses\nTBD\n"]
)
def test_what_says_nothing_has_no_fields(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == {}


@pytest.mark.parametrize(
    "said",
    [
        "TBA", "tbd", "-", "?", "...", "**", "unknown", "Unknown.", "None", "null", "FIXME", "TODO_", "_TODO_", "todo",
        "Todo: later",
        "TODO: write this", "TODO write this", "n/a", "N.A.", "N/A", "not available", "To be determined.",
        "Lorem ipsum dolor sit amet",
        "\u200b", "\u2800", "\u3164", "\uff34\uff22\uff21", "[your name]", "[More Information Needed]", "<!-- x",
        "{{ x }}", "XXX", "TBA / unknown",
    ],
)  # fmt: skip
def test_what_stands_for_something_that_is_missing_says_nothing(said: str, tmp_path: Path) -> None:
    assert stated(said) == ""
    assert read(tmp_path, f"## Limitations\n{said}\n") == {}
    assert problems(declared_with(limitations=said)), "nor in a report"
    assert not problems(declared_with(limitations="It has seen no colour."))


@pytest.mark.parametrize(
    "said",
    [
        "None are known beyond blur.",
        "1",
        "3.1-rc",
        "A todo list sorter",
        "It na\u00efvely trusts",
        "Unknown words are read as noise",
        "\u672a\u77e5\u8a9e",
        "X",
    ],
)  # fmt: skip
def test_what_only_holds_such_a_word_says_something(said: str) -> None:
    assert stated(said) == said


def test_a_note_takes_the_rest_of_its_line_and_no_more() -> None:
    assert stated("Reads digits. TODO: say which\nNot for cheques.") == "Reads digits. Not for cheques."


def declared_with(**fields: str) -> Compliance:
    return Compliance(license="MIT", fields=fields, required=["limitations"])


def test_several_licences_all_hold_and_other_has_a_name(tmp_path: Path) -> None:
    read(tmp_path, "---\nlicense: [mit, apache-2.0]\n---\n")
    assert read_card(tmp_path / "README.md").license == "mit AND apache-2.0"
    read(tmp_path, "---\nlicense: other\nlicense_name: ours\n---\n")
    card = read_card(tmp_path / "README.md")
    assert (card.license, card.license_name) == ("other", "ours")
    read(tmp_path, "---\nlicense: 3\nlicense_name: [x]\n---\n")
    assert (read_card(tmp_path / "README.md").license, read_card(tmp_path / "README.md").license_name) == ("", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\nlicense: mit\nlicense: apache-2.0\n---\n", "README.md:3:1: the key 'license' is already given"),
        ("---\na: [\n---\n", "README.md:"),
        (b"\xff\xfe", "not UTF-8 text"),
        (b"x" * ((1 << 20) + 1), "more than 1 MB"),
    ],
)
def test_what_cannot_be_read_is_said_to_be(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(NotMeasured, match=said):
        read(tmp_path, text)


@pytest.mark.skipif(os.name == "nt", reason="it has no pipes with names, and links need a privilege")
def test_a_card_that_is_something_else_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    os.mkfifo(path)
    with pytest.raises(NotMeasured, match="is no file"):
        read_card(path)
    path.unlink()
    path.symlink_to(tmp_path / "other")
    with pytest.raises(NotMeasured, match="it is a link"):
        read_card(path)
    path.unlink()
    with pytest.raises(NotMeasured, match="cannot be read"):
        read_card(path)


def test_a_field_is_no_book(tmp_path: Path) -> None:
    assert len(read(tmp_path, f"## Limitations\n{'long ' * 10_000}")["limitations"]) <= MOST_SAID
