"""Lines of a text under corruptions: the right answers stay, and what is judged must have changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekeeper.data.corrupted import read_arrived
from gatekeeper.data.corruptions._base import Corruption
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.text.corrupt import corrupt_rows
from gatekeeper.evaluate.text.rows import Row

READ = Row(text="A text that a model reads, and nobody asks anything.")
ASKED = [Row(name=str(i), prompt=f"What is {i} plus {i} in words?", answer="a number") for i in range(20)]
CHAT = Row(
    name="chat",
    messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a colour."}],
    answer="red",
)
CHOICES = Row(name="c", prompt="The sky is ", choices=["blue", "green"], right=0)


@pytest.mark.parametrize("name", ["typos", "case", "truncation"])
def test_questions_change_and_answers_stay(name: str, tmp_path: Path) -> None:
    rows = [*ASKED, CHAT, CHOICES]
    found = corrupt_rows(tmp_path, rows, None, Corruption(name), 0)
    assert [(row.answer, row.choices, row.right, row.name) for row in found] == [
        (row.answer, row.choices, row.right, row.name) for row in rows
    ]
    assert all(a.prompt != b.prompt for a, b in zip(rows[:20], found[:20], strict=True))
    assert found[20].messages[0] == CHAT.messages[0] and found[20].messages[1] != CHAT.messages[1]
    arrived = read_arrived(tmp_path)
    assert arrived.changed == arrived.examples == 22 and arrived.by > 0
    assert found == corrupt_rows(tmp_path, rows, None, Corruption(name), 0)


def test_a_text_that_is_read_is_not_cut(tmp_path: Path) -> None:
    assert corrupt_rows(tmp_path, [READ, *ASKED], None, Corruption("truncation"), 0)[0] == READ
    with pytest.raises(NotMeasured, match="truncation takes questions, and this set has none"):
        corrupt_rows(tmp_path, [READ], None, Corruption("truncation"), 0)


def test_the_proof_is_of_what_is_judged(tmp_path: Path) -> None:
    loud = [Row(name=str(i), prompt="WHAT?", answer="x") for i in range(9)]
    with pytest.raises(NotMeasured, match="case changes nothing"):
        corrupt_rows(tmp_path, [READ, *loud], None, Corruption("case"), 0)
    with pytest.raises(NotMeasured, match="case changes only 1 of 10"):
        corrupt_rows(tmp_path, [READ, *loud], "perplexity", Corruption("case"), 0)
    corrupt_rows(tmp_path, [READ], "perplexity", Corruption("case"), 0)
    assert read_arrived(tmp_path).examples == 1
