"""The lines of an evaluation text: text that is read, and questions with the answers that are right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.text.chat import MESSAGES, check_messages

MAX_BYTES = 64 << 20
SUFFIXES = (".txt", ".jsonl")
FEWEST_CHOICES = 2


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A text, or a question: a prompt or a conversation, with its answer or the number of the right one of several choices."""

    name: str = ""
    place: str = ""  # file:line
    text: str = ""
    prompt: str = ""
    messages: MESSAGES = []
    answer: str = ""
    choices: list[str] = []
    right: int = 0

    @property
    def right_answer(self) -> str:
        """The answer as text."""
        return self.choices[self.right] if self.choices else self.answer


def read_rows(path: Path) -> list[Row]:
    """Of a text the one row that it is; of JSON lines a row each."""
    if path.suffix.lower() not in SUFFIXES:
        raise NotMeasured("data", f"{path}: text_generation reads {' and '.join(SUFFIXES)} files.")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise NotMeasured("data", f"{path}: {size >> 20} MiB of text; at most {MAX_BYTES >> 20} are read. Take a part of it.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotMeasured("data", f"{path}: not UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    if path.suffix.lower() == ".txt":
        return [Row(text=text)]
    rows = [_row(f"{path}:{number}", number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    questions = [row for row in rows if not row.text]
    if any(row.choices for row in questions) and not all(row.choices for row in questions):
        other = next(row for row in questions if not row.choices)
        raise NotMeasured(
            "data", f"{other.place}: it has no `choices`, and other lines have. They are scored differently: use a file for each."
        )
    return rows


def _row(place: str, number: int, line: str) -> Row:
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NotMeasured("data", f"{place}: not JSON ({error}). Write one object on each line.") from None
    given = {key: value for key, value in record.items() if value is not None} if isinstance(record, dict) else {}
    asks = [key for key in ("prompt", "messages") if key in given]
    if not asks and isinstance(given.get("text"), str) and given["text"]:
        return Row(text=given["text"])
    if len(asks) != 1 or "answer" not in given:
        has = ", ".join(map(str, record)) if isinstance(record, dict) else type(record).__name__
        raise NotMeasured(
            "data",
            f"{place}: needs the text `text`, or one of `prompt` and `messages` with an `answer` (it has {has or 'nothing'}). "
            "Correct them.",
        )
    name = given.get("id")
    named = str(name) if isinstance(name, str | int) and str(name).strip() else f"line {number}"
    return Row(name=named, place=place, **_question(place, given), **_answer(place, given))


def _question(place: str, given: dict[str, Any]) -> dict[str, Any]:
    if "messages" in given:
        if not check_messages(given["messages"]):
            said = '`messages` are not a list of objects such as {"role": "user", "content": "..."}'
            raise NotMeasured("data", f"{place}: {said}. Write them so.")
        return {"messages": given["messages"]}
    if not isinstance(given["prompt"], str):
        raise NotMeasured("data", f"{place}: the prompt is no text. Write one; a conversation goes into `messages`.")
    if not given["prompt"]:
        raise NotMeasured("data", f"{place}: the prompt is blank. Write one, or remove the line.")
    return {"prompt": given["prompt"]}


def _answer(place: str, given: dict[str, Any]) -> dict[str, Any]:
    answer, choices = given["answer"], given.get("choices")
    if choices is None:
        if not isinstance(answer, str):
            raise NotMeasured(
                "data", f"{place}: the answer is no text. Write it as one, or give the `choices` it is a number of."
            )
        if not answer.strip():
            raise NotMeasured("data", f"{place}: the answer is blank. Write one, or remove the line.")
        return {"answer": answer}
    texts = isinstance(choices, list) and all(isinstance(each, str) and each.strip() for each in choices)
    if not texts or len({each.strip() for each in choices}) != len(choices) or len(choices) < FEWEST_CHOICES:
        raise NotMeasured("data", f"{place}: `choices` are not at least {FEWEST_CHOICES} different texts. Correct them.")
    if isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer < len(choices):
        raise NotMeasured(
            "data",
            f"{place}: with `choices`, the answer is the number of the right one, 0 to {len(choices) - 1}, and here it is "
            f"{str(answer)[:40]!r}. Correct it.",
        )
    return {"choices": choices, "right": answer}
